/* SPDX-License-Identifier: Apache-2.0
 *
 * The functions of scalar.def in the few instructions every target has. Written so that no input
 * overflows: exp's argument is bounded, because WGSL lets an infinite result be anything. In f16
 * the bounds are narrower, as its range is.
 */
#include "lower/lower.h"

struct operands {
	ir_id x, y, z;
};

ir_id lower_literal(struct ir_builder *b, float value, ir_id like)
{
	enum ir_scalar scalar = ir_scalar_of(ir_type_of(b, like));
	ir_id literal = scalar == IR_I32 ? ir_i32(b, (int32_t)value) : ir_float(b, scalar, value);

	return ir_splat(b, literal, ir_lanes_of(ir_type_of(b, like)));
}

static bool is_half(struct ir_builder *b, ir_id x)
{
	return ir_scalar_of(ir_type_of(b, x)) == IR_F16;
}

static ir_id times(struct ir_builder *b, ir_id x, float factor)
{
	return ir_mul(b, x, lower_literal(b, factor, x));
}

static ir_id plus(struct ir_builder *b, ir_id x, float term)
{
	return ir_add(b, x, lower_literal(b, term, x));
}

static ir_id at_least(struct ir_builder *b, ir_id x, float least)
{
	return ir_compute(b, IR_MAX, x, lower_literal(b, least, x), 0);
}

static ir_id at_most(struct ir_builder *b, ir_id x, float most)
{
	return ir_compute(b, IR_MIN, x, lower_literal(b, most, x), 0);
}

static ir_id inverse(struct ir_builder *b, ir_id x)
{
	return ir_compute(b, IR_FDIV, lower_literal(b, 1, x), x, 0);
}

static ir_id negated(struct ir_builder *b, ir_id x)
{
	return times(b, x, -1);
}

static ir_id exponential(struct ir_builder *b, ir_id x)
{
	return ir_compute(b, IR_EXP, x, 0, 0);
}

static ir_id absolute(struct ir_builder *b, ir_id x)
{
	if (ir_scalar_of(ir_type_of(b, x)) == IR_I32)
		return ir_compute(b, IR_MAX, x, negated(b, x), 0);
	return ir_compute(b, IR_FABS, x, 0, 0);
}

static ir_id positive(struct ir_builder *b, ir_id x) /* whether x > 0 */
{
	return ir_compute(b, IR_LT, lower_literal(b, 0, x), x, 0);
}

/* 1 / (1 + exp(-x)) */
static ir_id logistic(struct ir_builder *b, ir_id x)
{
	ir_id bounded = at_least(b, x, is_half(b, x) ? -10.0f : -80.0f);
	ir_id e = exponential(b, negated(b, bounded));

	return inverse(b, plus(b, e, 1));
}

/* erf for x >= 0: Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26; absolute
 * error at most 1.5e-7. */
static ir_id erf_positive(struct ir_builder *b, ir_id x)
{
	static const float a[] = {
	        1.061405429f, -1.453152027f, 1.421413741f, -0.284496736f, 0.254829592f};
	ir_id t = inverse(b, plus(b, times(b, x, 0.3275911f), 1));
	ir_id sum = lower_literal(b, a[0], x);
	ir_id bounded = at_most(b, x, is_half(b, x) ? 3.0f : 9.0f);
	ir_id e = exponential(b, negated(b, ir_mul(b, bounded, bounded)));

	for (uint32_t i = 1; i < sizeof a / sizeof *a; i++)
		sum = ir_compute(b, IR_FMA, sum, t, lower_literal(b, a[i], x));
	return plus(b, negated(b, ir_mul(b, ir_mul(b, sum, t), e)), 1);
}

/* x/2 * (1 + erf(x/sqrt 2)) = x/2 + |x|/2 * erf(|x|/sqrt 2), as erf is odd. */
static ir_id gelu_of(struct ir_builder *b, ir_id x)
{
	ir_id magnitude = absolute(b, x);
	ir_id e = erf_positive(b, times(b, magnitude, 0.70710678f));
	ir_id half = times(b, x, 0.5f), half_magnitude = times(b, magnitude, 0.5f);

	return ir_compute(b, IR_FMA, half_magnitude, e, half);
}

/* sin(x - turns * pi), its sign turned `whole` times, where the difference is within half a turn:
 * pi goes off in three parts, of which the first two have 8 and 9 bits, so that their products with
 * up to 16384 turns are exact; then a minimax polynomial (Remez), 5e-9. Devices' own sines may be
 * wrong by 5e-4. */
static ir_id wave(struct ir_builder *b, ir_id x, ir_id whole, ir_id turns)
{
	static const float pi[] = {3.140625f, 9.670257568359375e-4f, 6.2783295e-7f};
	static const float c[] = {2.6000245e-6f, -1.9806602e-4f, 8.3330171e-3f, -0.16666657f};
	ir_id rest = x, sum = lower_literal(b, c[0], x);

	for (uint32_t i = 0; i < sizeof pi / sizeof *pi; i++)
		rest = ir_compute(b, IR_SUB, rest, times(b, turns, pi[i]), 0);
	ir_id square = ir_mul(b, rest, rest);
	for (uint32_t i = 1; i < sizeof c / sizeof *c; i++)
		sum = ir_compute(b, IR_FMA, sum, square, lower_literal(b, c[i], x));
	ir_id cube = ir_mul(b, square, rest);
	ir_id value = ir_compute(b, IR_FMA, cube, sum, rest);
	ir_id half = times(b, whole, 0.5f);
	ir_id odd = ir_compute(b, IR_SUB, half, ir_compute(b, IR_FLOOR, half, 0, 0), 0);
	return ir_mul(b, value, plus(b, times(b, odd, -4), 1));
}

/* ---- The rows that are no single instruction. */

#define FUNCTION(name) static ir_id name(struct ir_builder *b, const struct operands *o)

FUNCTION(copy)
{
	(void)b;
	return o->x;
}
FUNCTION(magnitude)
{
	return absolute(b, o->x);
}
FUNCTION(negative)
{
	return negated(b, o->x);
}
FUNCTION(square)
{
	return ir_mul(b, o->x, o->x);
}
FUNCTION(square_root)
{
	return ir_compute(b, IR_SQRT, at_least(b, o->x, 0), 0, 0);
}
FUNCTION(inverse_root)
{
	return ir_compute(b, IR_RSQRT, at_least(b, o->x, is_half(b, o->x) ? 1e-7f : 1e-30f), 0, 0);
}
FUNCTION(reciprocal)
{
	return inverse(b, o->x);
}
FUNCTION(bounded_exp)
{
	return exponential(b, at_most(b, o->x, is_half(b, o->x) ? 11.0f : 88.0f));
}
FUNCTION(logarithm)
{
	return ir_compute(b, IR_LOG, at_least(b, o->x, is_half(b, o->x) ? 1e-7f : 1e-30f), 0, 0);
}
FUNCTION(sine)
{
	ir_id turns = times(b, o->x, 0.31830988f);

	if (is_half(b, o->x))
		return ir_compute(b, IR_SIN, o->x, 0, 0);
	ir_id whole = ir_compute(b, IR_ROUND, turns, 0, 0);
	return wave(b, o->x, whole, whole);
}
FUNCTION(cosine) /* sin(x + pi/2) */
{
	ir_id turns = plus(b, times(b, o->x, 0.31830988f), 0.5f);

	if (is_half(b, o->x))
		return ir_compute(b, IR_COS, o->x, 0, 0);
	ir_id whole = ir_compute(b, IR_ROUND, turns, 0, 0);
	return wave(b, o->x, whole, plus(b, whole, -0.5f));
}
FUNCTION(sigmoid)
{
	return logistic(b, o->x);
}
FUNCTION(hyperbolic_tangent) /* 2 sigmoid(2x) - 1 */
{
	return plus(b, times(b, logistic(b, times(b, o->x, 2)), 2), -1);
}
FUNCTION(sign)
{
	ir_id zero = lower_literal(b, 0, o->x), one = lower_literal(b, 1, o->x);
	ir_id above = ir_select(b, positive(b, o->x), one, zero);
	ir_id below = ir_compute(b, IR_LT, o->x, zero, 0);

	return ir_select(b, below, lower_literal(b, -1, o->x), above);
}
FUNCTION(error_function) /* odd */
{
	ir_id e = erf_positive(b, absolute(b, o->x));

	return ir_select(b, positive(b, o->x), e, negated(b, e));
}
FUNCTION(softplus) /* max(x, 0) + log(1 + exp(-|x|)) */
{
	ir_id bounded = at_most(b, absolute(b, o->x), is_half(b, o->x) ? 10.0f : 80.0f);
	ir_id e = exponential(b, negated(b, bounded));
	ir_id rest = ir_compute(b, IR_LOG, plus(b, e, 1), 0, 0);

	return ir_add(b, at_least(b, o->x, 0), rest);
}
FUNCTION(relu)
{
	return at_least(b, o->x, 0);
}
FUNCTION(relu6)
{
	return at_most(b, at_least(b, o->x, 0), 6);
}
FUNCTION(gelu)
{
	return gelu_of(b, o->x);
}
FUNCTION(gelu_tanh) /* x * sigmoid(2u), u = sqrt(2/pi) * (x + 0.044715 x^3) */
{
	ir_id x = is_half(b, o->x) ? at_most(b, at_least(b, o->x, -20), 20) : o->x;
	ir_id cubic = plus(b, times(b, ir_mul(b, x, x), 0.044715f), 1);

	return ir_mul(b, o->x, logistic(b, times(b, ir_mul(b, x, cubic), 1.5957691f)));
}
FUNCTION(quick_gelu)
{
	return ir_mul(b, o->x, logistic(b, times(b, o->x, 1.702f)));
}
FUNCTION(silu)
{
	return ir_mul(b, o->x, logistic(b, o->x));
}
FUNCTION(hard_sigmoid)
{
	return at_most(b, at_least(b, plus(b, times(b, o->x, 1.0f / 6), 0.5f), 0), 1);
}
FUNCTION(hard_swish)
{
	return ir_mul(b, o->x, hard_sigmoid(b, o));
}
FUNCTION(elu)
{
	ir_id below = plus(b, exponential(b, at_most(b, o->x, 0)), -1);

	return ir_select(b, positive(b, o->x), o->x, below);
}
FUNCTION(mish) /* tanh(log(1 + e)) = n / (n + 2), n = e * (e + 2): no difference of near values */
{
	ir_id e = exponential(b, at_most(b, o->x, is_half(b, o->x) ? 5.0f : 20.0f));
	ir_id n = ir_mul(b, e, plus(b, e, 2));

	return ir_mul(b, o->x, ir_compute(b, IR_FDIV, n, plus(b, n, 2), 0));
}
FUNCTION(power) /* of the magnitude; the sign stays where y is odd */
{
	ir_id base = at_least(b, absolute(b, o->x), is_half(b, o->x) ? 6e-8f : 1e-37f);
	ir_id value = ir_compute(b, IR_POW, base, o->y, 0);
	ir_id halves = ir_compute(b, IR_FLOOR, times(b, o->y, 0.5f), 0, 0);
	ir_id rest = ir_compute(b, IR_SUB, o->y, times(b, halves, 2), 0);
	ir_id odd = ir_compute(b, IR_EQ, rest, lower_literal(b, 1, rest), 0);
	ir_id below = ir_compute(b, IR_LT, o->x, lower_literal(b, 0, o->x), 0);

	return ir_select(b, ir_compute(b, IR_LAND, odd, below, 0), negated(b, value), value);
}
FUNCTION(prelu)
{
	return ir_select(b, positive(b, o->x), o->x, ir_mul(b, o->x, o->y));
}
FUNCTION(silu_mul)
{
	return ir_mul(b, silu(b, o), o->y);
}
FUNCTION(gelu_mul)
{
	return ir_mul(b, gelu_of(b, o->x), o->y);
}
FUNCTION(greater)
{
	return ir_compute(b, IR_LT, o->y, o->x, 0);
}
FUNCTION(less_equal)
{
	return ir_compute(b, IR_GE, o->y, o->x, 0);
}
FUNCTION(where)
{
	return ir_select(b, o->x, o->y, o->z);
}
FUNCTION(clamp)
{
	ir_id low = ir_compute(b, IR_MAX, o->x, o->y, 0);

	return ir_compute(b, IR_MIN, low, o->z, 0);
}

ir_id lower_scalar(struct ir_builder *b, enum scalar function, ir_id x, ir_id y, ir_id z)
{
	const struct operands o = {x, y, z};

	switch (function) {
#define IR(instruction) ir_compute(b, IR_##instruction, x, y, z)
#define CALL(name)      name(b, &o)
#define SCALAR(name, text, arity, takes, gives, instructions, cost, lowering, meaning, doc) \
	case SCALAR_##name:                                                                 \
		return lowering;
#include "op/scalar.def"
#undef IR
#undef CALL
	default:
		return x;
	}
}

ir_id lower_acts(struct lower *l, uint32_t value, ir_id x)
{
	enum scalar acts[OP_ACTS_MAX];

	for (uint32_t i = 0, count = op_acts(l->op, value, acts); i < count; i++)
		x = lower_scalar(l->b, acts[i], x, 0, 0);
	return x;
}
