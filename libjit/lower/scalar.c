/* SPDX-License-Identifier: Apache-2.0
 *
 * The functions of scalar.def in the few instructions every target has, right at infinities and at
 * the edges of what they are defined for (docs/OPERATORS.md, "Numbers"). Infinities on the way are
 * welcome: every device computes with them, although WGSL does not promise it. Where a device's own
 * function is wrong at an edge, the lowering chooses there; min() and max() of a target are
 * avoided, because they drop NaN.
 */
#include "lower/lower.h"

#include <math.h>

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

static bool is_integer(struct ir_builder *b, ir_id x)
{
	return ir_scalar_of(ir_type_of(b, x)) == IR_I32;
}

/* x where it is no less than `least`, which NaN is not. */
static ir_id at_least(struct ir_builder *b, ir_id x, ir_id least)
{
	if (is_integer(b, x))
		return ir_compute(b, IR_MAX, x, least, 0);
	return ir_select(b, ir_compute(b, IR_LT, x, least, 0), least, x);
}

static ir_id at_most(struct ir_builder *b, ir_id x, ir_id most)
{
	if (is_integer(b, x))
		return ir_compute(b, IR_MIN, x, most, 0);
	return ir_select(b, ir_compute(b, IR_LT, most, x, 0), most, x);
}

static ir_id within(struct ir_builder *b, ir_id x, float least, float most)
{
	return at_most(b, at_least(b, x, lower_literal(b, least, x)), lower_literal(b, most, x));
}

/* As a factor of what is 0 far below 0, where -inf would make a NaN of it. */
static ir_id factor(struct ir_builder *b, ir_id x)
{
	return at_least(b, x, lower_literal(b, -200, x));
}

/* `value`, but NaN where x is. Some devices' exp makes an infinity of it. */
static ir_id unless_nan(struct ir_builder *b, ir_id x, ir_id value)
{
	return ir_select(b, ir_compute(b, IR_EQ, x, x, 0), value, x);
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
	if (is_integer(b, x))
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
	ir_id e = exponential(b, negated(b, x));

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
	ir_id e = exponential(b, negated(b, ir_mul(b, x, x)));

	for (uint32_t i = 1; i < sizeof a / sizeof *a; i++)
		sum = ir_compute(b, IR_FMA, sum, t, lower_literal(b, a[i], x));
	return plus(b, negated(b, ir_mul(b, ir_mul(b, sum, t), e)), 1);
}

/* x/2 * (1 + erf(x/sqrt 2)) = x/2 + |x|/2 * erf(|x|/sqrt 2), as erf is odd. Below -20 it is 0, and
 * an infinity would be subtracted from itself. */
static ir_id gelu_of(struct ir_builder *b, ir_id any)
{
	ir_id x = at_least(b, any, lower_literal(b, -20, any)), magnitude = absolute(b, x);
	ir_id e = erf_positive(b, times(b, magnitude, 0.70710678f));
	ir_id half = times(b, x, 0.5f), half_magnitude = times(b, magnitude, 0.5f);

	return ir_compute(b, IR_FMA, half_magnitude, e, half);
}

/* ---- Sine and cosine. Devices' own may be wrong by 5e-4 near 0, and by 1 from 1e6 on. */

static const float pi_parts[] = {3.140625f, 9.675025939941406e-4f, 1.509958e-7f};

/* What x is beyond `many` + `few` times pi, in the order in which every difference is exact until
 * the last two: pi goes off in three parts, of which the first two have 11 bits, and `many` is 4096
 * times a number of 13 bits, `few` has 13 bits (Cody and Waite 1980). */
static ir_id turned_back(struct ir_builder *b, ir_id x, ir_id many, ir_id few)
{
	for (uint32_t i = 0; i < 3; i++) {
		x = ir_compute(b, IR_SUB, x, times(b, many, pi_parts[i]), 0);
		x = ir_compute(b, IR_SUB, x, times(b, few, pi_parts[i]), 0);
	}
	return x;
}

/* sin(x + offset * pi): turns of pi go off, of which the odd ones change the sign; a minimax
 * polynomial (Remez), 5e-9, is left. Right until 4096 * 4096 pi, about 5e7: there neighbouring
 * numbers are a radian apart, and the sine is that of some number. */
static ir_id wave(struct ir_builder *b, ir_id x, float offset)
{
	static const float c[] = {2.6000245e-6f, -1.9806602e-4f, 8.3330171e-3f, -0.16666657f};
	ir_id thousands = ir_compute(b, IR_ROUND, times(b, x, 7.7712371e-5f), 0, 0);
	ir_id many = times(b, thousands, 4096), near = x;

	for (uint32_t i = 0; i < 3; i++) /* exact enough to count the few */
		near = ir_compute(b, IR_SUB, near, times(b, many, pi_parts[i]), 0);
	ir_id turns = times(b, near, 0.31830988f);
	ir_id whole = ir_compute(b, IR_ROUND, offset > 0 ? plus(b, turns, offset) : turns, 0, 0);
	ir_id few = offset > 0 ? plus(b, whole, -offset) : whole;
	ir_id rest = within(b, turned_back(b, x, many, few), -1.5707964f, 1.5707964f);
	ir_id sum = lower_literal(b, c[0], x), square = ir_mul(b, rest, rest);

	for (uint32_t i = 1; i < sizeof c / sizeof *c; i++)
		sum = ir_compute(b, IR_FMA, sum, square, lower_literal(b, c[i], x));
	ir_id cube = ir_mul(b, square, rest);
	ir_id value = ir_compute(b, IR_FMA, cube, sum, rest);
	ir_id half = times(b, whole, 0.5f);
	ir_id odd = ir_compute(b, IR_SUB, half, ir_compute(b, IR_FLOOR, half, 0, 0), 0);
	return ir_mul(b, value, plus(b, times(b, odd, -4), 1));
}

/* In f32 always: half the bits of an f16 are gone after one turn. */
static ir_id wave_of(struct ir_builder *b, ir_id x, float offset)
{
	ir_id value = wave(b, ir_convert(b, x, IR_F32), offset);

	return ir_convert(b, value, ir_scalar_of(ir_type_of(b, x)));
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
FUNCTION(reciprocal)
{
	return inverse(b, o->x);
}
FUNCTION(exponential_of)
{
	return unless_nan(b, o->x, exponential(b, o->x));
}
FUNCTION(logarithm) /* some devices' own is finite at 0 and below */
{
	ir_id zero = lower_literal(b, 0, o->x), value = ir_compute(b, IR_LOG, o->x, 0, 0);
	ir_id is_zero = ir_compute(b, IR_EQ, o->x, zero, 0);
	ir_id edge = ir_select(
	        b, is_zero, lower_literal(b, -INFINITY, o->x), lower_literal(b, NAN, o->x));

	return ir_select(b, positive(b, o->x), value, edge);
}
FUNCTION(sine)
{
	return wave_of(b, o->x, 0);
}
FUNCTION(cosine) /* sin(x + pi/2) */
{
	return wave_of(b, o->x, 0.5f);
}
FUNCTION(sigmoid)
{
	return unless_nan(b, o->x, logistic(b, o->x));
}
FUNCTION(hyperbolic_tangent) /* 2 sigmoid(2x) - 1 */
{
	ir_id value = plus(b, times(b, logistic(b, times(b, o->x, 2)), 2), -1);

	return unless_nan(b, o->x, value);
}
FUNCTION(sign)
{
	ir_id above = ir_select(b, positive(b, o->x), lower_literal(b, 1, o->x), o->x);
	ir_id below = ir_compute(b, IR_LT, o->x, lower_literal(b, 0, o->x), 0);

	return ir_select(b, below, lower_literal(b, -1, o->x), above);
}
FUNCTION(error_function) /* odd */
{
	ir_id e = erf_positive(b, absolute(b, o->x));

	return ir_select(b, positive(b, o->x), e, negated(b, e));
}
FUNCTION(softplus) /* max(x, 0) + log(1 + exp(-|x|)) */
{
	ir_id e = exponential(b, negated(b, absolute(b, o->x)));
	ir_id rest = ir_compute(b, IR_LOG, plus(b, e, 1), 0, 0);

	return ir_add(b, at_least(b, o->x, lower_literal(b, 0, o->x)), rest);
}
FUNCTION(relu)
{
	return at_least(b, o->x, lower_literal(b, 0, o->x));
}
FUNCTION(relu6)
{
	return within(b, o->x, 0, 6);
}
FUNCTION(gelu)
{
	return gelu_of(b, o->x);
}
FUNCTION(gelu_tanh) /* x * sigmoid(2u), u = sqrt(2/pi) * (x + 0.044715 x^3) */
{
	ir_id x = o->x, cubic = plus(b, times(b, ir_mul(b, x, x), 0.044715f), 1);
	ir_id gate = logistic(b, times(b, ir_mul(b, x, cubic), 1.5957691f));

	return ir_mul(b, factor(b, x), gate);
}
FUNCTION(quick_gelu)
{
	ir_id gate = logistic(b, times(b, o->x, 1.702f));

	return ir_mul(b, factor(b, o->x), gate);
}
FUNCTION(silu)
{
	ir_id gate = logistic(b, o->x);

	return ir_mul(b, factor(b, o->x), gate);
}
FUNCTION(hard_sigmoid)
{
	return within(b, plus(b, times(b, o->x, 1.0f / 6), 0.5f), 0, 1);
}
FUNCTION(hard_swish)
{
	ir_id gate = hard_sigmoid(b, o);

	return ir_mul(b, factor(b, o->x), gate);
}
FUNCTION(elu)
{
	ir_id below = plus(b, exponential(b, o->x), -1);
	ir_id is_below = ir_compute(b, IR_LT, o->x, lower_literal(b, 0, o->x), 0);

	return ir_select(b, is_below, below, o->x);
}
FUNCTION(mish) /* tanh(log(1 + e)) = n / (n + 2), n = e * (e + 2): no difference of near values */
{
	ir_id most = lower_literal(b, is_half(b, o->x) ? 5 : 20, o->x);
	ir_id e = exponential(b, at_most(b, o->x, most)), n = ir_mul(b, e, plus(b, e, 2));
	ir_id gate = ir_compute(b, IR_FDIV, n, plus(b, n, 2), 0);

	return ir_mul(b, factor(b, o->x), gate);
}
/* |x|^y where devices' own pow may be anything: |x| is 0 or infinite, or x or y is NaN. */
static ir_id power_at_edge(struct ir_builder *b, ir_id magnitude, ir_id y)
{
	ir_id falls = ir_compute(b, IR_LT, y, lower_literal(b, 0, y), 0);
	ir_id other = ir_select(b, falls, inverse(b, magnitude), y);

	return ir_select(b, positive(b, y), magnitude, other);
}

static ir_id power_of_magnitude(struct ir_builder *b, ir_id x, ir_id y)
{
	ir_id magnitude = absolute(b, x), one = lower_literal(b, 1, x);
	ir_id inside = ir_compute(b, IR_LT, magnitude, lower_literal(b, INFINITY, x), 0);
	ir_id is_inside = ir_compute(b, IR_LAND, positive(b, magnitude), inside, 0);
	ir_id is_number = ir_compute(b, IR_EQ, y, y, 0);
	ir_id is_plain = ir_compute(b, IR_LAND, is_inside, is_number, 0);
	ir_id edge = power_at_edge(b, magnitude, y);
	ir_id value = ir_compute(b, IR_POW, magnitude, y, 0);
	ir_id of_one = ir_compute(b, IR_EQ, magnitude, one, 0);
	ir_id of_none = ir_compute(b, IR_EQ, y, lower_literal(b, 0, y), 0);

	return ir_select(b, ir_compute(b, IR_LOR, of_one, of_none, 0), one,
	        ir_select(b, is_plain, value, edge));
}

FUNCTION(power) /* of the magnitude; the sign stays where y is odd */
{
	ir_id value = power_of_magnitude(b, o->x, o->y);
	ir_id halves = ir_compute(b, IR_FLOOR, times(b, o->y, 0.5f), 0, 0);
	ir_id rest = ir_compute(b, IR_SUB, o->y, times(b, halves, 2), 0);
	ir_id odd = ir_compute(b, IR_EQ, rest, lower_literal(b, 1, rest), 0);
	ir_id below = ir_compute(b, IR_LT, o->x, lower_literal(b, 0, o->x), 0);

	return ir_select(b, ir_compute(b, IR_LAND, odd, below, 0), negated(b, value), value);
}
FUNCTION(prelu)
{
	ir_id below = ir_compute(b, IR_LT, o->x, lower_literal(b, 0, o->x), 0);

	return ir_select(b, below, ir_mul(b, o->x, o->y), o->x);
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
/* x where `beyond` or x is NaN, else y, which may be NaN too. */
static ir_id extreme(struct ir_builder *b, const struct operands *o, ir_id beyond)
{
	return unless_nan(b, o->x, ir_select(b, beyond, o->x, o->y));
}

FUNCTION(least)
{
	if (is_integer(b, o->x))
		return ir_compute(b, IR_MIN, o->x, o->y, 0);
	return extreme(b, o, ir_compute(b, IR_LT, o->x, o->y, 0));
}
FUNCTION(greatest)
{
	if (is_integer(b, o->x))
		return ir_compute(b, IR_MAX, o->x, o->y, 0);
	return extreme(b, o, ir_compute(b, IR_LT, o->y, o->x, 0));
}
FUNCTION(clamp)
{
	return at_most(b, at_least(b, o->x, o->y), o->z);
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
