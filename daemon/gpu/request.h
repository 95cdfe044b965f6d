/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading what a request asks for. Each function is 0 and fills what it returns, or
 * ANSWER_BAD_REQUEST with a sentence that names the field.
 */
#pragma once

#include "daemon/gpu/api.h"
#include "nnjit.h"

#include <jansson.h>

#define REQUEST_CANDIDATES_MAX 256

int request_count(const json_t *request, const char *field, uint64_t most, uint64_t *ret_count,
        struct error *err);
int request_device(const json_t *request, uint64_t *ret_id, struct error *err);
int request_profile(const json_t *request, enum profile *ret_profile, struct error *err);
int request_op(const json_t *request, struct op *ret_op, struct error *err);

/* One candidate. */
struct request_candidate {
	uint32_t number;
	struct schedule schedule;
	bool twin;
};
int request_candidate(
        const json_t *request, struct request_candidate *ret_candidate, struct error *err);

/* At least one candidate's number, none twice. */
struct request_candidates {
	uint32_t count, numbers[REQUEST_CANDIDATES_MAX];
};
int request_candidates(
        const json_t *request, struct request_candidates *ret_candidates, struct error *err);
