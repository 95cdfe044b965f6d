/* SPDX-License-Identifier: Apache-2.0
 *
 * Prints what an operator must compute as JSON lines, for tests in JavaScript: the inputs as bytes
 * and what each element of the output must be. Header-only, for tests.
 *   {"op":TEXT,"case":{"dims":[N,...],"inputs":{NAME:BASE64,...},"expected":BASE64 of doubles,
 *    "scale":X,"tolerance":X}}
 */
#pragma once

#include "base/base64.h"
#include "base/buffer.h"
#include "kernel_cases.h"

#include <jansson.h>
#include <stdio.h>

static inline void print_line(json_t *object)
{
	if (!object || json_dumpf(object, stdout, JSON_COMPACT | JSON_REAL_PRECISION(17)))
		exit(1);
	putchar('\n');
	json_decref(object);
}

static inline json_t *base64(const void *bytes, size_t count)
{
	struct buffer text = {0};

	buffer_puts(&text, "");
	base64_encode(&text, bytes, count);
	json_t *string = text.failed ? NULL : json_stringn(text.data, text.length);
	buffer_free(&text);
	return string;
}

static inline void print_case(const struct op *op, const uint32_t dims[OP_DYNAMIC_MAX])
{
	struct case_buffers c = case_make(op, dims, 1);
	json_t *numbers = json_array(), *inputs = json_object();
	char text[OP_TEXT_BYTES];

	op_print(op, text);
	for (uint32_t i = 0; i < op->dynamic_count; i++)
		json_array_append_new(numbers, json_integer(dims[i]));
	for (uint32_t i = 0; i + 1 < c.count; i++)
		json_object_set_new(
		        inputs, c.tensors[i].name, base64(c.data[i], tensor_bytes(&c.tensors[i])));
	print_line(json_pack("{s:s,s:{s:o,s:o,s:o,s:f,s:f}}", "op", text, "case", "dims", numbers,
	        "inputs", inputs, "expected", base64(c.expected, c.outputs * sizeof *c.expected),
	        "scale", c.scale, "tolerance", c.tolerance));
	case_free(&c);
}

static inline void print_cases(const struct op *op)
{
	uint32_t dims[OP_DYNAMIC_MAX];

	for (uint32_t i = 0; case_dims(op, i, dims); i++)
		print_case(op, dims);
}
