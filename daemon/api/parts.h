/* SPDX-License-Identifier: Apache-2.0
 *
 * Within daemon/api: operators whose tensors are larger than the device's bindings may be, as the
 * smaller ones that they are made of. Parts but for the last are alike, so two kernels do at most.
 */
#pragma once

#include "daemon/api/handler.h"

#define PARTS_KINDS 2

struct parts {
	struct want whole;
	uint32_t count, kind_count;
	struct op_part part[OP_PARTS_MAX];
	uint32_t kind[OP_PARTS_MAX]; /* of each part: index in want */
	struct want want[PARTS_KINDS];
};

/* *ret_parts is NULL where the operator fits as it is; the caller frees it. */
int parts_read(const struct request *request, const struct want *want, struct parts **ret_parts,
        struct problem *ret_problem);
/* What is known of it now. */
int parts_json(struct api *api, const struct parts *parts, json_t **ret_object,
        struct problem *ret_problem);
