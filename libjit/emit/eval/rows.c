/* SPDX-License-Identifier: Apache-2.0
 *
 * The interpreter's computing rows: ir.def's expressions in loops over many lanes, which the C
 * compiler makes into vector code. f16 is computed in f32 and rounded once more; for one of
 * + - * / and the square root that is exact (f32 has more than twice f16's bits).
 */
#include "emit/eval/rows.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

/* ir.def's expression over `count` lanes, for each kind of scalar. Integers
 * of 32 signed bits are computed in 64 so that nothing overflows; shift counts are cut to 5 bits
 * as WGSL does. Cells may alias: a row is written as one kind and read as another. */

typedef float f32_cell __attribute__((may_alias));
typedef uint32_t u32_cell __attribute__((may_alias));
typedef int32_t i32_cell __attribute__((may_alias));

#define LANES(name, cell, lane, wide, result, expression)                                       \
	case IR_##name: {                                                                       \
		const cell *restrict x = rows[0], *restrict y = rows[1], *restrict z = rows[2]; \
		result *restrict out = to;                                                      \
		const bool shifts = IR_##name == IR_SHL || IR_##name == IR_SHR;                 \
		for (size_t i = 0; i < count; i++) {                                            \
			wide a = (lane)x[i];                                                    \
			wide b = (lane)(shifts ? (lane)((uint32_t)y[i] & 31) : y[i]);           \
			wide c = (lane)z[i];                                                    \
			(void)a, (void)b, (void)c;                                              \
			out[i] = (result)(expression);                                          \
		}                                                                               \
		break;                                                                          \
	}

static void rows_f32(enum ir_op op, void *to, const void *const rows[3], size_t count)
{
	switch (op) {
#define IR_ARITH(name, arity, text, spv_float, spv_int, spv_uint, expression) \
	LANES(name, f32_cell, float, float, f32_cell, expression)
#define IR_FLOAT(name, arity, text, spv_float, expression) \
	LANES(name, f32_cell, float, float, f32_cell, expression)
#define IR_COMPARE(name, text, spv_float, spv_int, spv_uint, expression) \
	LANES(name, f32_cell, float, float, u32_cell, expression)
#include "ir/ir.def"
	default:
		break;
	}
}

static void rows_u32(enum ir_op op, void *to, const void *const rows[3], size_t count)
{
	switch (op) {
#define IR_ARITH(name, arity, text, spv_float, spv_int, spv_uint, expression) \
	LANES(name, u32_cell, uint32_t, uint32_t, u32_cell, expression)
#define IR_INT(name, arity, text, spv_int, spv_uint, expression) \
	LANES(name, u32_cell, uint32_t, uint32_t, u32_cell, expression)
#define IR_COMPARE(name, text, spv_float, spv_int, spv_uint, expression) \
	LANES(name, u32_cell, uint32_t, uint32_t, u32_cell, expression)
#define IR_LOGIC(name, arity, text, spv_bool, expression) \
	LANES(name, u32_cell, uint32_t, uint32_t, u32_cell, expression)
#include "ir/ir.def"
	default:
		break;
	}
}

__attribute__((no_sanitize("shift"))) static void rows_i32(
        enum ir_op op, void *to, const void *const rows[3], size_t count)
{
	switch (op) {
#define IR_ARITH(name, arity, text, spv_float, spv_int, spv_uint, expression) \
	LANES(name, i32_cell, int32_t, int64_t, i32_cell, expression)
#define IR_INT(name, arity, text, spv_int, spv_uint, expression) \
	LANES(name, i32_cell, int32_t, int64_t, i32_cell, expression)
#define IR_COMPARE(name, text, spv_float, spv_int, spv_uint, expression) \
	LANES(name, i32_cell, int32_t, int64_t, u32_cell, expression)
#include "ir/ir.def"
	default:
		break;
	}
}

static uint32_t round_half(uint32_t word)
{
	uint32_t sign = word & 0x80000000u, magnitude = word ^ sign;
	float small;
	uint32_t small_bits, normal = magnitude + 0xfff + (magnitude >> 13 & 1);

	memcpy(&small, &magnitude, sizeof small);
	small = small + 0.5f - 0.5f; /* a float from 0.5 to 1 is a multiple of 2^-24 */
	memcpy(&small_bits, &small, sizeof small_bits);
	normal = magnitude >= 0x477ff000 ? 0x7f800000 : normal & ~0x1fffu;
	normal = magnitude > 0x7f800000 ? magnitude : normal;
	return sign | (magnitude < 0x38800000 ? small_bits : normal);
}

void eval_round_half(uint32_t *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		words[i] = round_half(words[i]);
}

static void rows_f16(enum ir_op op, uint32_t *to, const void *const rows[3], size_t count)
{
	rows_f32(op, to, rows, count);
	switch (op) {
#define IR_COMPARE(name, ...) case IR_##name:
#include "ir/ir.def"
		break;
	default:
		eval_round_half(to, count);
	}
}

void eval_rows(
        enum ir_op op, enum ir_scalar scalar, uint32_t *to, const void *const rows[3], size_t count)
{
	if (scalar == IR_F32)
		rows_f32(op, to, rows, count);
	else if (scalar == IR_F16)
		rows_f16(op, to, rows, count);
	else if (scalar == IR_I32)
		rows_i32(op, to, rows, count);
	else
		rows_u32(op, to, rows, count);
}
