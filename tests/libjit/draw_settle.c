/* SPDX-License-Identifier: Apache-2.0
 *
 * What fields demand of each other, one function a signature of op.def, so that op_validate
 * refuses few of the operators drawn. Fields that say nothing by themselves are drawn here too:
 * counts, lists, factors.
 */
#include "draw.h"

#include "reference/reference.h"

#include <math.h>
#include <string.h>

typedef void settle(struct draw *d, struct op *op);

static void set_float(struct op *op, uint32_t at, float value)
{
	memcpy(&op->value[at], &value, sizeof value);
}

/* Exact in f16, so that a product by it is no coarser than its factors. */
static void draw_factor(struct draw *d, struct op *op, uint32_t at)
{
	static const float factors[] = {1, 1, 1, 0.125f, 0.5f, -0.5f, 2};

	set_float(op, at, factors[draw_below(d, sizeof factors / sizeof *factors)]);
}

static uint32_t draw_divisor(struct draw *d, uint32_t of)
{
	uint32_t divisor = 1 + draw_below(d, of);

	while (of % divisor)
		divisor--;
	return divisor;
}

/* ---- Contractions. */

static void settle_matmul(struct draw *d, struct op *op)
{
	static const uint8_t types[][2] = {{DTYPE_F32, DTYPE_F32}, {DTYPE_F32, DTYPE_F32},
	        {DTYPE_F16, DTYPE_F16}, {DTYPE_F16, DTYPE_F16}, {DTYPE_F32, DTYPE_I8},
	        {DTYPE_F16, DTYPE_I8}, {DTYPE_I8, DTYPE_I8}};
	const uint8_t *type = types[draw_below(d, sizeof types / sizeof *types)];
	uint32_t *v = op->value, batch = v[MATMUL_BATCH];

	v[MATMUL_A] = type[0];
	v[MATMUL_B] = type[1];
	v[MATMUL_BATCH_A] = draw_one_in(d, 2) ? 0 : draw_divisor(d, batch);
	v[MATMUL_BATCH_B] = draw_one_in(d, 2) ? 0 : draw_divisor(d, batch);
	if (draw_one_in(d, 8))
		v[MATMUL_PITCH] = v[MATMUL_N] + draw_below(d, 9);
	if (draw_one_in(d, 8) && !v[MATMUL_TRANS_A])
		v[MATMUL_PITCH_A] = v[MATMUL_K] + draw_below(d, 9);
	if (v[MATMUL_OUT] == DTYPE_I32)
		return;
	draw_factor(d, op, MATMUL_SCALE);
	if (v[MATMUL_A] == DTYPE_I8) /* products of bytes are large */
		set_float(op, MATMUL_SCALE, 0x1p-11f);
	v[MATMUL_ACT] = draw_acts(d, op);
}

static void settle_matmul_nbits(struct draw *d, struct op *op)
{
	uint32_t *v = op->value;

	v[MATMUL_NBITS_BLOCK] = draw_one_in(d, 2) ? 32 : 16u << draw_below(d, 5);
	if (draw_one_in(d, 8))
		v[MATMUL_NBITS_PITCH] = v[MATMUL_NBITS_N] + draw_below(d, 9);
	v[MATMUL_NBITS_ACT] = draw_acts(d, op);
}

/* ---- Convolutions and pools. */

/* One group, one a channel, or some. */
static void settle_groups(struct draw *d, struct op *op, uint32_t groups, uint32_t c, uint32_t oc)
{
	uint32_t *v = op->value;

	switch (draw_below(d, 4)) {
	case 0: /* depthwise, of one or a few outputs a channel */
		v[groups] = v[c];
		v[oc] = v[c] * (draw_one_in(d, 3) ? 2 : 1);
		break;
	case 1:
		v[groups] = draw_size(d, 6);
		v[c] = (v[c] + v[groups] - 1) / v[groups] * v[groups];
		v[oc] = (v[oc] + v[groups] - 1) / v[groups] * v[groups];
		break;
	default:
		v[groups] = 1;
	}
}

static void settle_window(struct draw *d, struct op *op)
{
	uint32_t *v = op->value;

	switch (op->kind) {
	case OP_CONV2D:
		settle_groups(d, op, CONV2D_GROUPS, CONV2D_C, CONV2D_OC);
		v[CONV2D_ACT] = draw_acts(d, op);
		break;
	case OP_CONV1D:
		settle_groups(d, op, CONV1D_GROUPS, CONV1D_C, CONV1D_OC);
		v[CONV1D_ACT] = draw_acts(d, op);
		break;
	case OP_CONV_TRANSPOSE2D:
		settle_groups(
		        d, op, CONV_TRANSPOSE2D_GROUPS, CONV_TRANSPOSE2D_C, CONV_TRANSPOSE2D_OC);
		v[CONV_TRANSPOSE2D_ACT] = draw_acts(d, op);
		break;
	default:
		break;
	}
}

/* ---- Reductions. */

static void settle_softmax(struct draw *d, struct op *op)
{
	static const float scales[] = {1, 0.125f, 0.5f, 2};
	uint32_t *v = op->value;

	set_float(op, SOFTMAX_SCALE, scales[draw_below(d, sizeof scales / sizeof *scales)]);
	if (v[SOFTMAX_MASK])
		v[SOFTMAX_INNER] = 1;
	else
		v[SOFTMAX_MASK_ROWS] = v[SOFTMAX_MASK_EVERY] = 1;
}

/* An eps far below a row's variance says nothing; 0 of a row of equals would be 0 / 0. */
static void draw_eps(struct draw *d, struct op *op, uint32_t at)
{
	if (draw_one_in(d, 3))
		set_float(op, at, draw_one_in(d, 2) ? 1e-3f : 0.25f);
}

static void settle_norm(struct draw *d, struct op *op)
{
	draw_eps(d, op, LAYERNORM_EPS);
}

static void settle_groupnorm(struct draw *d, struct op *op)
{
	uint32_t *v = op->value;

	draw_eps(d, op, GROUPNORM_EPS);
	if (op->kind == OP_GROUPNORM)
		v[GROUPNORM_GROUPS] = draw_divisor(d, v[GROUPNORM_C]);
	v[GROUPNORM_ACT] = draw_acts(d, op);
}

static void settle_nothing(struct draw *d, struct op *op)
{
	(void)d, (void)op;
}
#define settle_reduce     settle_nothing
#define settle_arg_reduce settle_nothing
#define settle_cumsum     settle_nothing

/* ---- Maps. */

/* A shape that broadcasts to out's: left out, or of fewer dimensions, some of them 1. */
static void draw_operand(struct draw *d, struct op *op, uint32_t at)
{
	const uint32_t *shape = &op->value[MAP_SHAPE];
	uint32_t rank = 1 + draw_below(d, shape[0]), offset = shape[0] - rank;

	if (draw_one_in(d, 2))
		return;
	op->value[at] = rank;
	for (uint32_t i = 0; i < rank; i++)
		op->value[at + 1 + i] = draw_one_in(d, 3) ? 1 : shape[1 + offset + i];
}

static void settle_elementwise(struct draw *d, struct op *op)
{
	static const uint32_t at[] = {MAP_X, MAP_Y, MAP_Z};
	enum scalar steps[OP_STEPS_MAX + 1];

	if (op->kind == OP_MAP && !draw_steps(d, op))
		return;
	for (uint32_t i = 0, count = op_steps(op, steps); i < count; i++) {
		uint32_t operand = (uint32_t)steps[i] - SCALAR_X;
		if (steps[i] < SCALAR_X || operand > 2 || op->value[at[operand]])
			continue;
		draw_operand(d, op, at[operand]);
	}
}

static void settle_batchnorm(struct draw *d, struct op *op)
{
	op->value[BATCHNORM_ACT] = draw_acts(d, op);
}

static void settle_gate(struct draw *d, struct op *op)
{
	if (draw_one_in(d, 2))
		op->value[GATE_ACT] = draw_acts(d, op);
}
#define settle_cast settle_nothing

static void settle_rotary(struct draw *d, struct op *op)
{
	uint32_t dim = op->value[ROTARY_DIM];

	if (draw_one_in(d, 3) || dim % 2)
		op->value[ROTARY_ROTATED] = dim / 2 ? 2 + draw_below(d, dim / 2) * 2 : 0;
}

static void settle_transpose(struct draw *d, struct op *op)
{
	uint32_t rank = op->value[TRANSPOSE_SHAPE], *perm = &op->value[TRANSPOSE_PERM];

	perm[0] = rank;
	for (uint32_t i = 0; i < rank; i++) { /* Fisher and Yates' shuffle */
		uint32_t from = draw_below(d, i + 1);
		perm[1 + i] = perm[1 + from];
		perm[1 + from] = i;
	}
}

static void settle_gather(struct draw *d, struct op *op)
{
	op->value[GATHER_ROWS] = draw_size(d, 64);
	op->value[GATHER_INNER] = draw_size(d, 64);
	if (draw_one_in(d, 3)) /* a part */
		op->value[GATHER_FIRST] = draw_below(d, 40);
	if (op->value[GATHER_FIRST] || draw_one_in(d, 6))
		op->value[GATHER_OF] = op->value[GATHER_FIRST] + op->value[GATHER_ROWS] +
		                       draw_below(d, 40);
	if (op->value[GATHER_OF] && op->value[GATHER_DTYPE] == DTYPE_F16)
		op->value[GATHER_INNER] += op->value[GATHER_INNER] % 2;
}

static void settle_concat(struct draw *d, struct op *op)
{
	uint32_t *sizes = &op->value[CONCAT_SIZES];

	sizes[0] = 2 + draw_below(d, 3);
	for (uint32_t i = 0; i < sizes[0]; i++)
		sizes[1 + i] = draw_size(d, 32);
}

/* A list with a number for each dimension of the shape, or none. */
static bool draw_list(struct draw *d, struct op *op, uint32_t at, uint32_t rank, bool must)
{
	op->value[at] = must || !draw_one_in(d, 3) ? rank : 0;
	return op->value[at] > 0;
}

static void settle_slice(struct draw *d, struct op *op)
{
	uint32_t *v = op->value, rank = v[SLICE_SHAPE];
	bool begins = draw_list(d, op, SLICE_BEGIN, rank, false);
	bool steps = draw_list(d, op, SLICE_STEP, rank, false);

	draw_list(d, op, SLICE_SIZE, rank, true);
	for (uint32_t i = 1; i <= rank; i++) {
		uint32_t begin = begins ? draw_below(d, v[SLICE_SHAPE + i]) : 0;
		uint32_t step = steps ? 1 + draw_below(d, 3) : 1;
		v[SLICE_BEGIN + i] = begin;
		v[SLICE_STEP + i] = steps ? step : 0;
		v[SLICE_SIZE + i] = 1 + draw_below(d, (v[SLICE_SHAPE + i] - 1 - begin) / step + 1);
	}
}

static void settle_pad(struct draw *d, struct op *op)
{
	uint32_t *v = op->value, rank = v[PAD_SHAPE];
	bool before = draw_list(d, op, PAD_BEFORE, rank, false);
	bool after = draw_list(d, op, PAD_AFTER, rank, false);

	double number = draw_below(d, 3);

	memcpy(&op->value[PAD_NUMBER], &number, sizeof number);
	for (uint32_t i = 1; i <= rank; i++) {
		uint32_t most = v[PAD_MODE] == 2 && v[PAD_SHAPE + i] < 5 ? v[PAD_SHAPE + i] : 5;
		v[PAD_BEFORE + i] = before ? draw_below(d, most) : 0;
		v[PAD_AFTER + i] = after ? draw_below(d, most) : 0;
	}
}

static void settle_tile(struct draw *d, struct op *op)
{
	uint32_t rank = op->value[TILE_SHAPE];

	op->value[TILE_REPEATS] = rank;
	for (uint32_t i = 1; i <= rank; i++)
		op->value[TILE_REPEATS + i] = draw_one_in(d, 2) ? 1 : 1 + draw_below(d, 4);
}
#define settle_resize   settle_nothing
#define settle_quantise settle_nothing

/* ---- Attention. */

static void settle_attention(struct draw *d, struct op *op)
{
	uint32_t *v = op->value;

	if (draw_one_in(d, 3)) /* decoding */
		v[ATTENTION_Q] = 1;
	if (draw_one_in(d, 2))
		v[ATTENTION_MASK] = 0;
	else if (!draw_one_in(d, 8)) /* of few keys a mask may shut out all */
		v[ATTENTION_KV] += 12 + v[ATTENTION_CAUSAL] * v[ATTENTION_Q];
	v[ATTENTION_KV_HEADS] = draw_one_in(d, 2) ? 0 : draw_divisor(d, v[ATTENTION_HEADS]);
	if (draw_one_in(d, 3))
		v[ATTENTION_CAPACITY] = v[ATTENTION_KV] + draw_below(d, 20);
	if (draw_one_in(d, 3))
		set_float(op, ATTENTION_SCALE, 0.125f);
}

void draw_settle(struct draw *d, struct op *op)
{
	static settle *const settles[OP_COUNT] = {
#define OP(name, text, family, signature, doc) [OP_##name] = settle_##signature,
#define FIELD(...)
#define END(name)
#include "op/op.def"
	};

	settles[op->kind](d, op);
}

/* ---- How large numbers get. */

/* Of a matmul before its activations, four standard deviations of the sum; bytes count for what
 * reference_input makes of them. */
static double matmul_most(const struct op *op)
{
	const uint32_t *v = op->value;
	double terms = sqrt((double)v[MATMUL_K]), scale = fabs((double)op_float(op, MATMUL_SCALE));

	if (v[MATMUL_A] == DTYPE_I8)
		return 4 * 74 * 74 * terms * scale + 2;
	return 4 * (v[MATMUL_B] == DTYPE_I8 ? 4.0 : 1.0 / 3) * terms * scale + 2;
}

static bool sums_in_half(const struct op *op)
{
	return (op->kind == OP_MATMUL && op->value[MATMUL_ACC] == DTYPE_F16) ||
	       (op->kind == OP_CONV2D && op->value[CONV2D_ACC] == DTYPE_F16) ||
	       (op->kind == OP_CONV1D && op->value[CONV1D_ACC] == DTYPE_F16) ||
	       (op->kind == OP_CONV_TRANSPOSE2D && op->value[CONV_TRANSPOSE2D_ACC] == DTYPE_F16);
}

struct draw_numbers draw_numbers_of(const struct op *op)
{
	double error = sums_in_half(op) ? 2e-3 : 3e-7;

	switch (op->kind) {
	case OP_MATMUL:
		return (struct draw_numbers){matmul_most(op), error};
	case OP_MATMUL_NBITS:
		return (struct draw_numbers){2 * sqrt(reference_steps(op)) + 2, error};
	case OP_CONV2D:
	case OP_CONV1D:
	case OP_CONV_TRANSPOSE2D:
		return (struct draw_numbers){4 * reference_scale(op) + 2, error};
	case OP_GROUPNORM:
	case OP_INSTANCENORM:
		return (struct draw_numbers){5, error};
	case OP_GATE: /* the input itself */
		return (struct draw_numbers){1, 0};
	default:
		return (struct draw_numbers){2, error};
	}
}
