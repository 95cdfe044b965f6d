/* SPDX-License-Identifier: Apache-2.0
 *
 * The protocol as data: methods, parameters, problems (RFC 9457) and the kernel artifact, for the
 * daemon and its C clients. Knows no socket.
 */
#pragma once

#include "nnjit.h"
#include "protocol/artifact/target.h"

#include <jansson.h>

#define PROTOCOL_PORT          6174
#define PROTOCOL_SUBPROTOCOL   "nnjit.v1"
#define PROTOCOL_MESSAGE_BYTES 65536 /* largest WebSocket message a client may send */

enum method {
#define METHOD(id, ...) METHOD_##id,
#include "protocol/methods.def"
	METHOD_COUNT
};
/* Who may call a method. */
enum method_caller {
	CALLER_ANYONE,
	CALLER_PEER,    /* who holds a WebSocket open */
	CALLER_STARTER, /* who may start work: all but a browser's request that names no origin */
	CALLER_ADMIN,   /* the device's owner: over the unix socket, or with a secret */
	CALLER_OWNER,   /* the same, over the unix socket alone */
};
struct method_info {
	const char *name;        /* on the WebSocket; NULL: REST only */
	const char *verb, *path; /* REST; NULL: WebSocket only */
	enum method_caller caller;
	const char *doc;
};
extern const struct method_info methods[METHOD_COUNT];
/* By a present or a former name. METHOD_COUNT if there is none. */
enum method method_by_name(const char *name);
enum method method_by_path(const char *path);
/* Whether the method has a parameter of this present or former name. */
bool method_takes(enum method method, const char *name);

enum problem_code {
	PROBLEM_NONE,
#define PROBLEM(name, ...) PROBLEM_##name,
#include "protocol/errors.def"
	PROBLEM_COUNT
};
struct problem {
	enum problem_code code;
	char field[32];   /* "" where no single field is at fault */
	char detail[320]; /* what is wrong and what to do, one sentence or two */
};
__attribute__((format(printf, 4, 5))) int problem_set(struct problem *problem,
        enum problem_code code, const char *field, const char *format, ...); /* returns code */
uint32_t problem_status(enum problem_code code);                             /* HTTP */
json_t *problem_json(const struct problem *problem); /* type, title, status, code, field, detail */

/* Checks params (NULL: none) against the method's rows: unknown, missing, wrong kind. 0 with
 * *ret_params, what a handler reads: a new object of the same values by their present names. Or a
 * problem_code. */
int protocol_params(
        enum method method, const json_t *params, json_t **ret_params, struct problem *ret_problem);
/* An operator in either spelling, with the problem that fits if it is refused. */
int protocol_op(const json_t *value, struct op *ret_op, struct problem *ret_problem);

/* What a field of an operator takes, for people: "1 to 6 dimensions, as 8,?128,768". */
#define PROTOCOL_TAKES_BYTES 96
void protocol_field_takes(const struct op_field *field, char text[static PROTOCOL_TAKES_BYTES]);
bool protocol_field_required(const struct op_field *field);
