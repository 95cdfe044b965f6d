/* SPDX-License-Identifier: Apache-2.0
 *
 * What REST answers: a method's result or a problem as the bytes of a body, in the form the client
 * asked for by Accept. Knows no socket and no HTTP library.
 */
#pragma once

#include "daemon/api/api.h"
#include "daemon/net/head.h"

/* What every answer carries: no other site frames it, embeds it, or takes it for another type.
 * Pages have a policy of their own. */
#define ANSWER_EACH_GUARD(G)                             \
	G("X-Content-Type-Options", "nosniff")           \
	G("Cross-Origin-Resource-Policy", "same-origin") \
	G("X-Frame-Options", "DENY")                     \
	G("Referrer-Policy", "no-referrer")
#define ANSWER_POLICY "default-src 'none'; frame-ancestors 'none'"
#define ANSWER_PAGE_POLICY                                                                      \
	"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src " \
	"'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
#define ANSWER_GUARD_LINE(name, value) name ": " value "\r\n"
/* The same as lines of a head. */
#define ANSWER_GUARDS                        \
	ANSWER_EACH_GUARD(ANSWER_GUARD_LINE) \
	ANSWER_GUARD_LINE("Content-Security-Policy", ANSWER_POLICY)

enum answer_form {
	ANSWER_JSON,
	ANSWER_CODE,  /* the bare text of a WGSL kernel */
	ANSWER_WORDS, /* the bare words of a SPIR-V kernel */
};
/* The form of the highest quality in an Accept field that we speak; ANSWER_JSON if none. */
enum answer_form answer_form(struct head_text accept);

struct answer {
	uint32_t status;  /* HTTP */
	const char *type; /* static */
	char *body;       /* malloc'ed; NULL: no memory, and status is 500 */
	size_t length;
	bool lasting; /* the same until api_version moves */
};
void answer_free(struct answer *answer);

/* Calls the method. Always fills *ret_answer. */
void answer_method(
        struct api *api, const struct call *call, enum answer_form form, struct answer *ret_answer);
void answer_problem(const struct problem *problem, struct answer *ret_answer);
