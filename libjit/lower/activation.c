/* SPDX-License-Identifier: Apache-2.0
 *
 * Activations in the few instructions every target has. Written so that no input overflows:
 * exp's argument is bounded, because WGSL lets an infinite result be anything.
 */
#include "lower/lower.h"

static ir_id lit(struct ir_builder *b, float value, ir_id like)
{
	return ir_splat(b, ir_f32(b, value), ir_lanes_of(ir_type_of(b, like)));
}

static ir_id times(struct ir_builder *b, ir_id x, float factor)
{
	return ir_mul(b, x, lit(b, factor, x));
}

static ir_id plus(struct ir_builder *b, ir_id x, float term)
{
	return ir_add(b, x, lit(b, term, x));
}

static ir_id reciprocal(struct ir_builder *b, ir_id x)
{
	return ir_compute(b, IR_FDIV, lit(b, 1.0f, x), x, 0);
}

/* 1 / (1 + exp(-x)) */
static ir_id sigmoid(struct ir_builder *b, ir_id x)
{
	ir_id bounded = ir_compute(b, IR_MAX, x, lit(b, -80.0f, x), 0);
	ir_id e = ir_compute(b, IR_EXP, times(b, bounded, -1.0f), 0, 0);

	return reciprocal(b, plus(b, e, 1.0f));
}

/* erf for x >= 0: Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26; absolute
 * error at most 1.5e-7. */
static ir_id erf_positive(struct ir_builder *b, ir_id x)
{
	static const float a[] = {
	        1.061405429f, -1.453152027f, 1.421413741f, -0.284496736f, 0.254829592f};
	ir_id t = reciprocal(b, plus(b, times(b, x, 0.3275911f), 1.0f));
	ir_id sum = lit(b, a[0], x);
	ir_id bounded = ir_compute(b, IR_MIN, x, lit(b, 9.0f, x), 0);
	ir_id e = ir_compute(b, IR_EXP, times(b, ir_mul(b, bounded, bounded), -1.0f), 0, 0);

	for (uint32_t i = 1; i < sizeof a / sizeof *a; i++)
		sum = ir_compute(b, IR_FMA, sum, t, lit(b, a[i], x));
	return plus(b, times(b, ir_mul(b, ir_mul(b, sum, t), e), -1.0f), 1.0f);
}

/* x/2 * (1 + erf(x/sqrt 2)) = x/2 + |x|/2 * erf(|x|/sqrt 2), as erf is odd. */
static ir_id gelu(struct ir_builder *b, ir_id x)
{
	ir_id magnitude = ir_compute(b, IR_FABS, x, 0, 0);
	ir_id e = erf_positive(b, times(b, magnitude, 0.70710678f));
	ir_id half = times(b, x, 0.5f), half_magnitude = times(b, magnitude, 0.5f);

	return ir_compute(b, IR_FMA, half_magnitude, e, half);
}

/* x/2 * (1 + tanh u) = x * sigmoid(2u), u = sqrt(2/pi) * (x + 0.044715 x^3). */
static ir_id gelu_tanh(struct ir_builder *b, ir_id x)
{
	ir_id cubic = plus(b, times(b, ir_mul(b, x, x), 0.044715f), 1.0f);

	return ir_mul(b, x, sigmoid(b, times(b, ir_mul(b, x, cubic), 1.5957691f)));
}

ir_id lower_activation(struct ir_builder *b, enum activation activation, ir_id x)
{
	switch (activation) {
	case ACTIVATION_RELU:
		return ir_compute(b, IR_MAX, x, lit(b, 0.0f, x), 0);
	case ACTIVATION_GELU:
		return gelu(b, x);
	case ACTIVATION_GELU_TANH:
		return gelu_tanh(b, x);
	case ACTIVATION_SILU:
		return ir_mul(b, x, sigmoid(b, x));
	case ACTIVATION_NONE:
	case ACTIVATION_COUNT:
		break;
	}
	return x;
}
