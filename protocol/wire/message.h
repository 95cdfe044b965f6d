/* SPDX-License-Identifier: Apache-2.0
 *
 * The worker's messages as C: for each object of wire.def a struct wire_NAME, a reader and a
 * writer. No member's name is spelt anywhere else. Readers trust nobody: 0; or -EBADMSG with err
 * naming the member and saying what it must be. Writers answer a new reference, NULL when memory
 * ran out.
 */
#pragma once

#include "base/error.h"
#include "device/limits.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define WIRE_CANDIDATES_MAX 256
#define WIRE_SAMPLES_MAX    1000

enum wire_request {
#define REQUEST(id, ...) WIRE_##id,
#include "protocol/wire/wire.def"
	WIRE_REQUEST_COUNT
};
enum wire_failure {
#define FAILURE(id, ...) WIRE_##id,
#include "protocol/wire/wire.def"
	WIRE_FAILURE_COUNT
};
enum wire_profile {
#define PROFILE(id, ...) WIRE_##id,
#include "protocol/wire/wire.def"
	WIRE_PROFILE_COUNT
};
enum wire_clock {
#define CLOCK(id, ...) WIRE_##id,
#include "protocol/wire/wire.def"
	WIRE_CLOCK_COUNT
};

/* WIRE_PROFILE_COUNT if there is none of this name. */
enum wire_profile wire_profile_by_name(const char *name);

/* Of a dynamic operator, 0 where it has none. */
struct wire_dims {
	uint32_t at[4];
};
struct wire_candidates {
	uint32_t count;
	uint32_t at[WIRE_CANDIDATES_MAX]; /* distinct, each below WIRE_CANDIDATES_MAX */
};
/* `rounds` times of `count` candidates: ns[round * count + i] is of candidates[i]. */
struct wire_samples {
	uint32_t count, rounds;
	const uint32_t *candidates;
	const double *ns;
};
void wire_samples_free(struct wire_samples *samples); /* what a reader made */

/* Whether anything was measured. */
static inline bool wire_facts_known(const struct facts *facts)
{
	return facts->version || facts->fma_gflops > 0;
}

/* The type of each kind. Text and arrays of a message that was read are borrowed from its JSON. */
#define WIRE_TYPE_U32        uint32_t
#define WIRE_TYPE_U64        uint64_t
#define WIRE_TYPE_REAL       double
#define WIRE_TYPE_BOOL       bool
#define WIRE_TYPE_TEXT       const char *
#define WIRE_TYPE_HEX        uint64_t
#define WIRE_TYPE_PROFILE    enum wire_profile
#define WIRE_TYPE_CLOCK      enum wire_clock
#define WIRE_TYPE_CANDIDATES struct wire_candidates
#define WIRE_TYPE_DIMS       struct wire_dims
#define WIRE_TYPE_SAMPLES    struct wire_samples
#define WIRE_TYPE_DEVICES    const json_t *
#define WIRE_TYPE_DRIVER     struct wire_driver
#define WIRE_TYPE_LIMITS     struct limits
#define WIRE_TYPE_FACTS      struct facts /* all 0: unknown */

#define OBJECT(name)                  struct wire_##name {
#define REQUEST(id, name, reply)      struct wire_##name {
#define FIELD(name, kind, most, must) WIRE_TYPE_##kind name;
#define END(name) \
	}         \
	;
#include "protocol/wire/wire.def"

#define END(name)                                                                               \
	int wire_read_##name(const json_t *object, struct wire_##name *ret, struct error *err); \
	json_t *wire_write_##name(const struct wire_##name *message);
#include "protocol/wire/wire.def"

/* A request's name: "build". */
const char *wire_request_name(enum wire_request request);
int wire_read_request(const json_t *message, enum wire_request *ret_request, struct error *err);

/* A request's answer, as a line. */
struct wire_answer {
	const json_t *ok;          /* NULL: it failed */
	enum wire_failure failure; /* where it did */
	const char *text;          /* a sentence */
};
int wire_read_answer(const json_t *message, struct wire_answer *ret_answer); /* -EBADMSG */
/* Takes over `ok`; NULL (memory ran out) becomes the failure that says so. */
json_t *wire_write_ok(json_t *ok);
json_t *wire_write_failure(enum wire_failure failure, const char *text);
