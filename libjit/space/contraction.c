/* SPDX-License-Identifier: Apache-2.0
 *
 * Derives a contraction's geometry. Pure arithmetic; no choice is made here.
 */
#include "space/contraction.h"

static uint32_t ceil_div(uint32_t a, uint32_t b)
{
	return a / b + (a % b != 0);
}

/* The widest load (4, 2 or 1 lanes) that divides both counts and does not pass `most`. */
static uint32_t widest(uint32_t most, uint32_t a, uint32_t b)
{
	uint32_t width = most >= 4 ? 4 : most >= 2 ? 2 : 1;

	while (width > 1 && (a % width || b % width))
		width /= 2;
	return width;
}

static void derive_operand(struct contraction_operand *x, const struct contraction *c)
{
	x->width = x->along_k ? widest(c->vec, c->k, c->unroll)
	                      : widest(c->vec, x->outer, x->group);
	if (!x->staged)
		return;
	if (x->along_k) { /* [outer][k], one element of padding against bank conflicts */
		x->pitch = c->k_step / x->width + 1;
		x->shared_length = x->block * x->pitch;
	} else { /* [k][outer] */
		x->pitch = x->block / x->width;
		x->shared_length = c->k_step * x->pitch;
	}
}

/* What a driver has to compile for each accumulator: its multiply-adds, and for each store the
 * epilogue, which counts half because little stays alive across it. Loads are left out. */
static uint32_t count_instructions(const struct contraction *c, enum activation activation)
{
	static const uint32_t activations[ACTIVATION_COUNT] = {[ACTIVATION_RELU] = 1,
	        [ACTIVATION_GELU] = 20,
	        [ACTIVATION_GELU_TANH] = 12,
	        [ACTIVATION_SILU] = 8};
	uint32_t stores = c->vec / c->out_width;

	return c->tile_m * (c->tile_n / c->vec) *
	       (c->unroll + stores * (6 + activations[activation]) / 2);
}

static uint32_t at_least_1(uint32_t value)
{
	return value ? value : 1;
}

struct contraction contraction_derive(const struct op *op, const struct schedule *schedule)
{
	const uint32_t *v = op->value;
	const uint16_t *s = schedule->axis;
	struct contraction c = {
	        .m = v[MATMUL_M],
	        .n = v[MATMUL_N],
	        .k = v[MATMUL_K],
	        .batch = v[MATMUL_BATCH],
	        .wg_x = at_least_1(s[AXIS_WG_X]),
	        .wg_y = at_least_1(s[AXIS_WG_Y]),
	        .split = at_least_1(s[AXIS_SPLIT_K]),
	        .tile_m = at_least_1(s[AXIS_TILE_M]),
	        .tile_n = at_least_1(s[AXIS_TILE_N]),
	        .vec = at_least_1(s[AXIS_VEC]),
	        .k_step = at_least_1(s[AXIS_K_STEP]),
	        .unroll = at_least_1(s[AXIS_UNROLL]),
	        .subgroup = s[AXIS_SUBGROUP],
	};
	uint32_t block_m = c.wg_y * c.tile_m, block_n = c.wg_x * c.tile_n;

	c.a = (struct contraction_operand){.along_k = !v[MATMUL_TRANS_A],
	        .staged = s[AXIS_STAGE_A],
	        .outer = c.m,
	        .tile = c.tile_m,
	        .group = c.tile_m,
	        .block = block_m};
	c.b = (struct contraction_operand){.along_k = v[MATMUL_TRANS_B],
	        .staged = s[AXIS_STAGE_B],
	        .outer = c.n,
	        .tile = c.tile_n,
	        .group = c.vec,
	        .block = block_n};
	derive_operand(&c.a, &c);
	derive_operand(&c.b, &c);
	c.out_width = widest(c.vec, c.n, c.vec);
	c.k_fastest = c.split > 1 && c.b.along_k;
	if (c.split > 1 && !c.subgroup)
		c.reduce_length = c.split * c.wg_x * c.wg_y * c.tile_m * (c.tile_n / c.vec);
	c.workgroup_bytes = 4 * (c.a.shared_length * c.a.width + c.b.shared_length * c.b.width +
	                                c.reduce_length * c.vec);

	c.instructions = count_instructions(&c, (enum activation)v[MATMUL_ACT]);

	uint32_t n_m_k[3] = {c.wg_x, c.wg_y, c.split};
	for (uint32_t i = 0; i < 3; i++)
		c.workgroup_size[i] = n_m_k[c.k_fastest || c.subgroup ? (i + 2) % 3 : i];
	c.workgroups[0] = ceil_div(c.n, block_n);
	c.workgroups[1] = ceil_div(c.m, block_m);
	c.workgroups[2] = c.batch;
	return c;
}
