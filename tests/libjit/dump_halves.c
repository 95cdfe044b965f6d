/* SPDX-License-Identifier: Apache-2.0
 *
 * Prints the cases of half_cases.c as JSON lines for Dawn to judge: what each element's bits must
 * be and how far f16 may be off, then as artifacts the cheapest kernel that reads f16 as words and
 * the cheapest that reads it natively.
 *   {"op":TEXT,"case":{"dims":[],"inputs":{NAME:BASE64,...},"bits":BASE64 of u32,"moves":BOOL,
 *    "ulps":N}}
 */
#include "base/cleanup.h"
#include "base/error.h"
#include "half_cases.h"
#include "print_case.h"
#include "protocol/artifact/artifact.h"
#include "space/space.h"

#include <stdlib.h>

static void print_half_case(const struct half_case *row, const struct op *op)
{
	struct tensor tensors[OP_TENSORS_MAX];
	uint32_t count = op_tensors(op, tensors);
	uint64_t outputs = tensors[count - 1].elements;
	void *buffers[OP_TENSORS_MAX];
	uint32_t *expected = calloc(outputs, sizeof *expected);
	json_t *inputs = json_object();
	char text[OP_TEXT_BYTES];

	for (uint32_t i = 0; i < count; i++) {
		uint64_t bytes = tensor_bytes(&tensors[i]);
		buffers[i] = calloc(1, bytes);
		if (i + 1 == count)
			continue;
		half_fill(op, tensors, i, buffers[i]);
		json_object_set_new(inputs, tensors[i].name, base64(buffers[i], bytes));
	}
	half_expect(row, op, buffers, expected);
	op_print(op, text);
	print_line(json_pack("{s:s,s:{s:[],s:o,s:o,s:b,s:i}}", "op", text, "case", "dims", "inputs",
	        inputs, "bits", base64(expected, outputs * sizeof *expected), "moves", row->moves,
	        "ulps", (int)row->ulps));
	for (uint32_t i = 0; i < count; i++)
		free(buffers[i]);
	free(expected);
}

static int print_kernel(struct nnjit *nnjit, const struct op *op, const struct schedule *schedule)
{
	const struct artifact artifact = {.op = *op,
	        .schedule = *schedule,
	        .target = TARGET_WGSL,
	        .status = ARTIFACT_PREDICTED};
	AUTO(buffer_free) struct buffer text = {0};

	if (artifact_write(nnjit, &artifact, ARTIFACT_ALL_DIGITS, &text))
		return 1;
	puts(text.data);
	return 0;
}

static int print_row(struct nnjit *nnjit, const struct half_case *row)
{
	struct limits limits = case_limits();
	bool printed[2] = {false, false}; /* by whether f16 is native */
	struct space space;
	struct op op;
	int status = 0;

	if (op_parse(row->op, &op, NULL) ||
	        space_enumerate(&op, &limits, &case_facts[0], &space, NULL))
		return 1;
	print_half_case(row, &op);
	for (uint32_t i = 0; !status && i < space.count; i++) {
		const struct schedule *schedule = &space.candidates[i].schedule;
		bool *once = &printed[schedule->axis[AXIS_F16]];
		if (!*once)
			status = print_kernel(nnjit, &op, schedule);
		*once = true;
	}
	return status;
}

int main(void)
{
	struct nnjit *nnjit;
	int status = 0;

	if (nnjit_create(&nnjit))
		return 1;
	for (uint32_t i = 0; !status && i < half_case_count; i++) {
		status = print_row(nnjit, &half_cases[i]);
		if (status)
			fprintf(stderr, "dump_halves: %s cannot be printed\n", half_cases[i].op);
	}
	nnjit_destroy(nnjit);
	return status;
}
