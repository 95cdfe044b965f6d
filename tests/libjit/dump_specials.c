/* SPDX-License-Identifier: Apache-2.0
 *
 * Prints the cases of special_cases.c as JSON lines for Dawn to judge: between which numbers each
 * element must lie and whether it may be NaN, then a kernel of each case's space as an artifact,
 * another one from case to case.
 *   {"op":TEXT,"case":{"dims":[N,...],"inputs":{NAME:BASE64,...},"ranges":BASE64 of doubles, three
 *    an element: least, most, 1 for NaN}}
 */
#include "base/cleanup.h"
#include "base/error.h"
#include "print_case.h"
#include "protocol/artifact/artifact.h"
#include "space/space.h"
#include "special_cases.h"

#include <stdlib.h>

/* Of a static operator: what goes in, by name. */
static json_t *fill_inputs(const struct case_buffers *buffers)
{
	json_t *inputs = json_object();

	for (uint32_t i = 0; i + 1 < buffers->count; i++) {
		special_fill(&buffers->op, i, buffers->data[i]);
		json_object_set_new(inputs, buffers->tensors[i].name,
		        base64(buffers->data[i], tensor_bytes(&buffers->tensors[i])));
	}
	return inputs;
}

static json_t *print_ranges(const struct case_buffers *buffers)
{
	uint64_t outputs = buffers->tensors[buffers->count - 1].elements;
	double *ranges = calloc(3 * outputs, sizeof *ranges);

	for (uint64_t e = 0; e < outputs; e++) {
		struct special_range range = special_expect(&buffers->op, buffers->data, e);
		ranges[3 * e] = range.least;
		ranges[3 * e + 1] = range.most;
		ranges[3 * e + 2] = range.nan;
	}
	json_t *text = base64(ranges, 3 * outputs * sizeof *ranges);
	free(ranges);
	return text;
}

static void print_special_case(const struct op *op)
{
	uint32_t dims[OP_DYNAMIC_MAX] = {0};
	json_t *numbers = json_array();
	char text[OP_TEXT_BYTES];

	case_dims(op, 0, dims);
	struct case_buffers buffers = {.op = op_at(op, dims)};
	buffers.count = op_tensors(&buffers.op, buffers.tensors);
	for (uint32_t i = 0; i < buffers.count; i++)
		buffers.data[i] = calloc(1, tensor_bytes(&buffers.tensors[i]));
	for (uint32_t i = 0; i < op->dynamic_count; i++)
		json_array_append_new(numbers, json_integer(dims[i]));
	json_t *inputs = fill_inputs(&buffers);
	op_print(op, text);
	print_line(json_pack("{s:s,s:{s:o,s:o,s:o}}", "op", text, "case", "dims", numbers, "inputs",
	        inputs, "ranges", print_ranges(&buffers)));
	case_free(&buffers);
}

static int print_kernel(struct nnjit *nnjit, const struct op *op, uint32_t number)
{
	struct limits limits = limits_web_default;
	AUTO(buffer_free) struct buffer text = {0};
	struct space space;

	if (space_enumerate(op, &limits, &case_facts[1], &space, NULL))
		return 1;
	const struct artifact artifact = {.op = *op,
	        .schedule = space.candidates[number % space.count].schedule,
	        .target = TARGET_WGSL,
	        .status = ARTIFACT_PREDICTED};
	if (artifact_write(nnjit, &artifact, ARTIFACT_ALL_DIGITS, &text))
		return 1;
	puts(text.data);
	return 0;
}

int main(void)
{
	struct nnjit *nnjit;
	struct op op;
	int status = 0;

	if (nnjit_create(&nnjit))
		return 1;
	for (uint32_t i = 0; !status && special_op(i, &op); i++) {
		print_special_case(&op);
		status = print_kernel(nnjit, &op, i);
	}
	nnjit_destroy(nnjit);
	return status;
}
