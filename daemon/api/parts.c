/* SPDX-License-Identifier: Apache-2.0
 *
 * Takes an operator apart by what the device can bind, and puts what is known of its parts
 * together again. Parts are operators like any other: tuned, stored and shared as such.
 */
#include "daemon/api/parts.h"

#include "base/cleanup.h"
#include "protocol/artifact/artifact.h"

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

static int kernel_of(
        struct api *api, const struct want *want, json_t *kernels, struct problem *ret_problem)
{
	struct tune_kernel kernel;
	json_t *object;
	int answer = kernel_get(api, want, &kernel, ret_problem);

	if (!answer)
		answer = kernel_json(api, &kernel, want->target, &object, ret_problem);
	if (!answer)
		json_array_append_new(kernels, object);
	return answer;
}

int parts_json(struct api *api, const struct parts *parts, json_t **ret_object,
        struct problem *ret_problem)
{
	struct artifact whole = {.op = parts->whole.id.op,
	        .target = parts->whole.target,
	        .device = parts->whole.id.device->id};
	json_t *kernels = json_array();
	int answer = 0;

	for (uint32_t i = 0; !answer && i < parts->kind_count; i++)
		answer = kernel_of(api, &parts->want[i], kernels, ret_problem);
	if (answer) {
		json_decref(kernels);
		return answer;
	}
	int r = artifact_parts_json(
	        &whole, parts->part, parts->kind, parts->count, kernels, ret_object);
	return r ? problem_set(ret_problem, PROBLEM_INTERNAL, "", "%s", strerror(-r)) : 0;
}
