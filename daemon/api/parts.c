/* SPDX-License-Identifier: Apache-2.0
 *
 * Takes an operator apart by what the device can bind, and puts what is known of its parts
 * together again. Parts are operators like any other: tuned, stored and shared as such.
 */
#include "daemon/api/parts.h"

#include "base/cleanup.h"
#include "protocol/artifact_json.h"

#include <errno.h>
#include <string.h>

static int read_part(
        const struct request *request, struct parts *parts, uint32_t i, struct problem *ret_problem)
{
	char text[OP_TEXT_BYTES];
	uint32_t kind = 0;

	op_print(&parts->part[i].op, text);
	while (kind < parts->kind_count && strcmp(parts->want[kind].op_text, text))
		kind++;
	parts->kind[i] = kind;
	if (kind < parts->kind_count)
		return 0;
	json_t *op = json_string(text);
	int answer = want_read_op(request, op, &parts->want[parts->kind_count++], ret_problem);
	json_decref(op);
	return answer;
}

int parts_read(const struct request *request, const struct want *want, struct parts **ret_parts,
        struct problem *ret_problem)
{
	AUTO(free_pointer) struct parts *parts = calloc(1, sizeof *parts);
	struct error err;
	int answer = 0;

	if (!parts)
		return problem_set(ret_problem, PROBLEM_INTERNAL, "", "out of memory");
	parts->whole = *want;
	if (op_split(&want->id.op, want->id.device->limits.binding_bytes, parts->part,
	            &parts->count, &err))
		return problem_set(ret_problem, PROBLEM_EXCEEDS_LIMITS, err.field, "%s", err.text);
	for (uint32_t i = 0; !answer && parts->count > 1 && i < parts->count; i++)
		answer = read_part(request, parts, i, ret_problem);
	if (!answer)
		*ret_parts = parts->count > 1 ? TAKE(parts) : NULL;
	return answer;
}

int parts_json(struct api *api, const struct parts *parts, json_t **ret_object,
        struct problem *ret_problem)
{
	struct artifact whole = {.op = parts->whole.id.op,
	        .target = parts->whole.target,
	        .device = parts->whole.id.device->id};
	struct artifact kernels[PARTS_KINDS];
	const struct artifact_parts all = {.whole = &whole,
	        .kernels = kernels,
	        .kernel_count = parts->kind_count,
	        .parts = parts->part,
	        .kinds = parts->kind,
	        .part_count = parts->count};

	for (uint32_t i = 0; i < parts->kind_count; i++) {
		const struct want *want = &parts->want[i];
		struct tune_kernel kernel;
		int answer = kernel_get(api, want, &kernel, ret_problem);
		if (answer)
			return answer;
		kernels[i] = kernel_artifact(&kernel, want->target);
	}
	int r = artifact_parts_json(api->nnjit, &all, ret_object);
	return r ? problem_set(ret_problem, PROBLEM_INTERNAL, "", "%s", strerror(-r)) : 0;
}
