/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows of infinities, NaN and masks: operators over lines, windows and keys, with inputs whose rows
 * are special each in its own way, and what may come out of them by the reference. Header-only, for
 * tests on the interpreter and on devices.
 */
#pragma once

#include "kernel_cases.h"

#include <float.h>

static const char *const special_ops[] = {
        "softmax rows=12 n=9",
        "softmax rows=12 n=64",
        "softmax rows=12 n=777",
        "softmax rows=?12 n=?70",
        "softmax rows=3 n=12 inner=8",
        "softmax rows=24 n=40 mask=1 mask_rows=12 mask_every=2",
        "softmax rows=12 n=33 mask=1 mask_rows=12 scale=0.125",
        "log_softmax rows=12 n=9",
        "log_softmax rows=12 n=300",
        "log_softmax rows=12 n=24 mask=1 mask_rows=12",
        "reduce_max rows=12 n=9",
        "reduce_max rows=12 n=700",
        "reduce_max rows=3 n=50 inner=4",
        "reduce_max rows=?12 n=?90",
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
        "avg_pool c=12 h=5 w=5 kernel=3 pad=1",
        "attention heads=2 q=12 kv=12 dim=16 mask=pair",
        "attention heads=2 q=12 kv=70 dim=64 mask=pair",
        "attention heads=2 q=12 kv=70 dim=64 mask=pair causal=1",
        "attention heads=4 kv_heads=2 q=12 kv=33 dim=32 mask=head",
        "attention heads=4 kv_heads=2 q=12 kv=260 dim=8 mask=head order=bshd",
        "attention batch=12 heads=2 q=1 kv=65 dim=64 mask=key",
        "attention batch=12 heads=4 kv_heads=1 q=1 kv=?130 dim=32 mask=key",
        "attention heads=3 q=?12 kv=?20 dim=24 mask=full",
        "attention heads=2 q=20 kv=7 dim=16 causal=1",
};
#define SPECIAL_OPS (sizeof special_ops / sizeof *special_ops)

/* Element `at` of a line of kind `kind`; `ordinary` is a number in [-1, 1). */
static inline double special_of(uint32_t kind, uint64_t at, double ordinary)
{
	switch (kind) {
	case 0:
		return -INFINITY;
	case 1:
		return at % 2 ? -INFINITY : ordinary;
	case 2:
		return at % 3 == 2 ? ordinary : -INFINITY; /* a first that is not */
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

/* Whether the element is one that special values go to, and in which line of that it is. */
static inline bool special_line(const struct op *op, const struct tensor *t, uint64_t element,
        uint64_t *ret_line, uint64_t *ret_at)
{
	bool masks = op_family(op->kind) == FAMILY_ATTENTION || !strcmp(t->name, "mask");
	uint64_t inner = 1, n = t->shape[t->rank - 1];

	if (masks != !strcmp(t->name, "mask") || (!masks && strcmp(t->name, "x")))
		return false;
	if (op_family(op->kind) == FAMILY_REDUCTION && !masks && t->rank == 3) {
		inner = t->shape[2];
		n = t->shape[1];
	}
	*ret_line = element / inner / n * inner + element % inner;
	*ret_at = element / inner % n;
	return true;
}

/* Sums of what is near the end of f32 pass it on the way. */
static inline bool special_sums(const struct op *op)
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

/* As reference_fill, but for the lines of x, or of the mask where attention has one. */
static inline void special_fill(const struct op *op, uint32_t tensor, void *buffer)
{
	struct tensor tensors[OP_TENSORS_MAX];
	uint64_t line, at;

	op_tensors(op, tensors);
	reference_fill(op, tensor, 1, buffer);
	for (uint64_t i = 0; i < tensors[tensor].elements; i++) {
		if (!special_line(op, &tensors[tensor], i, &line, &at))
			return;
		double ordinary = reference_input(op, tensor, 1, i);
		if (ordinary < -1)
			ordinary = 0.5;
		uint32_t kind = (uint32_t)(line % 12);
		if (special_sums(op) && (kind == 5 || kind == 7 || kind == 9))
			kind = 11;
		reference_write(tensors[tensor].dtype, buffer, i, special_of(kind, at, ordinary));
	}
}

static inline struct case_buffers special_make(
        const struct op *op, const uint32_t dims[OP_DYNAMIC_MAX])
{
	struct case_buffers c = {.op = op_at(op, dims)};

	c.count = op_tensors(&c.op, c.tensors);
	for (uint32_t i = 0; i < c.count; i++) {
		c.data[i] = calloc(tensor_bytes(&c.tensors[i]), 1);
		if (!c.tensors[i].output)
			special_fill(&c.op, i, c.data[i]);
	}
	c.outputs = c.tensors[c.count - 1].elements;
	c.expected = calloc(c.outputs, sizeof *c.expected);
	c.tolerance = reference_tolerance(&c.op);
	for (uint64_t e = 0; e < c.outputs; e++)
		c.expected[e] = reference_element(&c.op, c.data, e);
	return c;
}

/* What is beyond the element type's range is an infinity there. */
static inline bool special_is_right(const struct case_buffers *c, uint64_t e)
{
	enum dtype dtype = c->tensors[c->count - 1].dtype;
	double got = reference_read(dtype, c->data[c->count - 1], e), want;
	uint64_t room = 0;

	reference_write(dtype, &room, 0, c->expected[e]);
	want = reference_read(dtype, &room, 0);
	if (isnan(want) || isnan(got))
		return isnan(want) && isnan(got);
	if (isinf(want) || isinf(got))
		return want == got;
	return fabs(got - want) <= c->tolerance * fmax(1, fabs(want));
}
