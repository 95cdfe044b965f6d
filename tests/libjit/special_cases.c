/* SPDX-License-Identifier: Apache-2.0
 *
 * The cases, their inputs and their answers. Devices may take denormals as 0, and the answers allow
 * for it; what is beyond the element type is an infinity. Invariant: operators are listed so that
 * each has few kernels and small tensors.
 */
#include "special_cases.h"

#include "reference/reference.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- Functions of numbers. */

static const float edges[] = {-INFINITY, -FLT_MAX, -1e20f, -5.6e7f, -80, -20, -2.5f, -1, -0.5f,
        -1e-30f, -1e-40f, -0.0f, 0, 1e-40f, 1e-30f, 0.5f, 1, 2, 3, 20, 89, 104, 3e5f, 4.9e7f,
        5.6e7f, 1e20f, FLT_MAX, INFINITY, NAN};
#define EDGES (sizeof edges / sizeof *edges)

static enum scalar function_of(const struct op *op)
{
	enum scalar steps[OP_STEPS_MAX + 1];

	return op_has_steps(op) ? steps[op_steps(op, steps) - 1] : SCALAR_END;
}

/* Every combination of operands once, shifted so that the output is whole vectors. */
static double edge_input(uint32_t operand, uint64_t index)
{
	for (uint32_t n = 0; n < operand; n++)
		index /= EDGES;
	return (double)edges[index % EDGES];
}

static void widen(struct special_range *range, double value)
{
	if (isnan(value)) {
		range->nan = true;
		return;
	}
	range->least = fmin(range->least, value);
	range->most = fmax(range->most, value);
}

static double least_normal(enum dtype dtype)
{
	return dtype == DTYPE_F16 ? 0x1p-14 : (double)FLT_MIN;
}

/* The n-th of the three numbers that an operand may count as; false where it is no denormal. */
static bool variant(double *x, double normal, uint32_t n)
{
	if (n && (*x == 0 || !(fabs(*x) < normal)))
		return false;
	if (n)
		*x = copysign(n == 1 ? 0 : normal, *x);
	return true;
}

/* The function of one element's operands, in all ways in which they may be taken. */
static struct special_range of_function(
        const struct op *op, const struct tensor *tensors, void *const buffers[], uint64_t element)
{
	struct special_range range = {.least = INFINITY, .most = -INFINITY};
	enum scalar function = function_of(op);
	uint32_t arity = scalar_info(function)->arity;

	for (uint32_t variants = 0; variants < 27; variants++) {
		bool exists = true;
		double x[3] = {0};
		for (uint32_t n = 0, rest = variants; n < 3; n++, rest /= 3) {
			if (n < arity)
				x[n] = reference_read(tensors[n].dtype, buffers[n], element);
			exists &= variant(&x[n], least_normal(tensors[0].dtype), rest % 3);
		}
		if (!exists)
			continue;
		widen(&range, reference_scalar(function, x[0], x[1], x[2]));
		if (function == SCALAR_FMA) /* a product of its own */
			widen(&range, (double)((float)(x[0] * x[1]) + (float)x[2]));
	}
	return range;
}

/* Neighbouring numbers are far apart on the circle: sin and cos are those of some number. */
static bool is_any_angle(const struct op *op, double x)
{
	bool turns = function_of(op) == SCALAR_SIN || function_of(op) == SCALAR_COS;

	return turns && fabs(x) > 5e7 && !isinf(x);
}

/* ---- Rows. */

static const char *const rows[] = {
        "softmax rows=12 n=9",
        "softmax rows=12 n=64",
        "softmax rows=12 n=777",
        "softmax rows=?12 n=?70",
        "softmax rows=3 n=12 inner=8",
        "softmax rows=24 n=40 mask=1 mask_rows=12 mask_every=2",
        "softmax rows=12 n=33 mask=1 mask_rows=12 scale=0.125",
        "softmax rows=12 n=96 dtype=f16",
        "log_softmax rows=12 n=9",
        "log_softmax rows=12 n=300",
        "log_softmax rows=12 n=24 mask=1 mask_rows=12",
        "reduce_max rows=12 n=9",
        "reduce_max rows=12 n=700",
        "reduce_max rows=3 n=50 inner=4",
        "reduce_max rows=?12 n=?90",
        "reduce_max rows=12 n=66 dtype=f16",
        "reduce_min rows=12 n=64",
        "reduce_min rows=12 n=333 inner=2",
        "reduce_sum rows=12 n=65",
        "reduce_mean rows=12 n=65",
        "reduce_prod rows=12 n=8",
        "reduce_l1 rows=12 n=66",
        "reduce_l2 rows=12 n=66",
        "argmax rows=12 n=9",
        "argmax rows=12 n=640",
        "argmin rows=12 n=65 inner=4",
        "cumsum rows=12 n=9",
        "cumsum rows=12 n=300",
        "cumsum rows=3 n=70 inner=4 exclusive=1 reverse=1",
        "layernorm rows=12 n=48",
        "layernorm rows=12 n=400",
        "rmsnorm rows=12 n=48",
        "groupnorm batch=3 c=8 inner=5 groups=4",
        "max_pool c=12 h=4 w=6 kernel=2 stride=2",
        "max_pool c=12 h=5 w=5 kernel=3 pad=1",
        "max_pool c=12 h=2 w=2 kernel=2 pad=1 dilation=3",
        "max_pool c=4 h=12 w=12 kernel=7 stride=3 pad=3 layout=nhwc",
        "max_pool c=12 h=6 w=6 kernel=2 dtype=f16",
        "avg_pool c=12 h=5 w=5 kernel=3 pad=1",
        "attention heads=2 q=12 kv=12 dim=16 mask=pair",
        "attention heads=2 q=12 kv=70 dim=64 mask=pair",
        "attention heads=2 q=12 kv=70 dim=64 mask=pair causal=1",
        "attention heads=2 q=12 kv=70 dim=64 mask=pair dtype=f16",
        "attention heads=4 kv_heads=2 q=12 kv=33 dim=32 mask=head",
        "attention heads=4 kv_heads=2 q=12 kv=260 dim=8 mask=head order=bshd",
        "attention batch=12 heads=2 q=1 kv=65 dim=64 mask=key",
        "attention batch=12 heads=4 kv_heads=1 q=1 kv=?130 dim=32 mask=key",
        "attention heads=3 q=?12 kv=?20 dim=24 mask=full",
        "attention heads=2 q=20 kv=7 dim=16 causal=1",
};
#define ROWS  (sizeof rows / sizeof *rows)
#define KINDS 12

/* Element `at` of a row of that kind; `ordinary` is a number in [-1, 1). */
static double row_input(uint32_t kind, uint64_t at, double ordinary)
{
	switch (kind) {
	case 0:
		return -INFINITY;
	case 1:
		return at % 2 ? -INFINITY : ordinary;
	case 2:
		return at % 3 == 2 ? ordinary : -INFINITY;
	case 3:
		return at == 5 ? (double)NAN : ordinary;
	case 4:
		return at == 4 ? INFINITY : ordinary;
	case 5:
		return -(double)FLT_MAX;
	case 6:
		return ordinary - (at % 2 ? 2e9 : 1e9);
	case 7:
		return ordinary - (at % 4 ? 3e38 : 1e20);
	case 8:
		return INFINITY;
	case 9:
		return at % 5 ? -INFINITY : -(double)FLT_MAX;
	case 10:
		return at ? -1e-40 : -0.0;
	default:
		return ordinary;
	}
}

/* Sums of what is near the end of f32 pass it on the way. */
static bool adds_up(const struct op *op)
{
	switch (op->kind) {
	case OP_REDUCE_SUM:
	case OP_REDUCE_MEAN:
	case OP_REDUCE_PROD:
	case OP_REDUCE_L1:
	case OP_REDUCE_L2:
	case OP_CUMSUM:
	case OP_LAYERNORM:
	case OP_RMSNORM:
	case OP_GROUPNORM:
	case OP_AVG_POOL:
		return true;
	default:
		return false;
	}
}

/* Whether special values go to the tensor: to x and masks, in attention to its mask alone. */
static bool is_special(const struct op *op, const struct tensor *t)
{
	if (op_family(op->kind) == FAMILY_ATTENTION)
		return !strcmp(t->name, "mask");
	return !strcmp(t->name, "mask") || !strcmp(t->name, "x");
}

static double special_element(
        const struct op *op, const struct tensor *t, uint64_t element, double ordinary)
{
	bool across = op_family(op->kind) == FAMILY_REDUCTION && t->rank == 3;
	uint64_t inner = across ? t->shape[2] : 1, n = t->shape[across ? 1 : t->rank - 1];
	uint32_t kind = (uint32_t)((element / inner / n * inner + element % inner) % KINDS);

	if (adds_up(op) && (kind == 5 || kind == 7 || kind == 9))
		kind = KINDS - 1;
	if (kind == 10 && (op->kind == OP_ARGMAX || op->kind == OP_ARGMIN))
		kind = KINDS - 1; /* as 0, the first is as good as any */
	return row_input(kind, element / inner % n, fabs(ordinary) > 1 ? 0.5 : ordinary);
}

/* ---- The door. */

/* Functions in f32, then those in f16 that do not multiply errors, then rows. */
static bool write_case(uint32_t n, char text[static 128])
{
	uint32_t functions = SCALAR_FUNCTION_END - SCALAR_END - 1, half = n >= functions;
	enum scalar function = (enum scalar)(SCALAR_END + 1 + n % functions);
	const struct scalar_info *info = scalar_info(function);
	uint32_t count = EDGES;

	if (n >= 2 * functions) {
		n -= 2 * functions;
		return n < ROWS && snprintf(text, 128, "%s", rows[n]) > 0;
	}
	if (half &&
	        (info->takes == TAKES_LOGIC || function == SCALAR_POW || function == SCALAR_FMA))
		half = false;
	for (uint32_t i = 1; i < info->arity; i++)
		count *= EDGES;
	snprintf(text, 128, "%s shape=%u%s", info->name, (count + 3) / 4 * 4 + half,
	        half ? " dtype=f16" : "");
	return true;
}

bool special_op(uint32_t n, struct op *ret_op)
{
	char text[128];

	return write_case(n, text) && !op_parse(text, ret_op, NULL);
}

void special_fill(const struct op *op, uint32_t tensor, void *buffer)
{
	struct tensor tensors[OP_TENSORS_MAX];

	op_tensors(op, tensors);
	const struct tensor *t = &tensors[tensor];
	reference_fill(op, tensor, 1, buffer);
	for (uint64_t i = 0; i < t->elements; i++) {
		double ordinary = reference_read(t->dtype, buffer, i), value = ordinary;
		if (op_has_steps(op))
			value = edge_input(tensor, i);
		else if (is_special(op, t))
			value = special_element(op, t, i, ordinary);
		reference_write(t->dtype, buffer, i, value);
	}
}

/* As the element type has it. */
static double rounded(enum dtype dtype, double value)
{
	uint64_t room = 0;

	reference_write(dtype, &room, 0, value);
	return reference_read(dtype, &room, 0);
}

/* Relative to the number, or to 1 where it is small. */
static double about(double value, double tolerance)
{
	return isinf(value) ? value : value + tolerance * fmax(1, fabs(value));
}

struct special_range special_expect(const struct op *op, void *const buffers[], uint64_t element)
{
	struct special_range range = {.least = INFINITY, .most = -INFINITY};
	struct tensor tensors[OP_TENSORS_MAX];
	enum dtype dtype = tensors[op_tensors(op, tensors) - 1].dtype;
	double tolerance = reference_tolerance(op);

	if (function_of(op) == SCALAR_POW) /* an error grows with the logarithm */
		tolerance *= 20;
	if (op_has_steps(op))
		range = of_function(op, tensors, buffers, element);
	else
		widen(&range, reference_element(op, buffers, element));
	if (is_any_angle(op, reference_read(tensors[0].dtype, buffers[0], element)))
		return (struct special_range){.least = -1, .most = 1};
	if (range.least > range.most)
		return range;
	range.least = rounded(dtype, about(range.least, -tolerance));
	range.most = rounded(dtype, about(range.most, tolerance));
	return range;
}
