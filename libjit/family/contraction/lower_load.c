/* SPDX-License-Identifier: Apache-2.0
 *
 * A contraction's operands: from memory, of whatever element type and order, to vectors of numbers
 * in registers. Packed types are taken apart without a
 * conversion instruction: an integer i below 2^23 put into the fraction of 2^23 is the float 2^23 +
 * i, and the subtraction of 2^23 takes the zero point along. 4-bit weights are not even shifted
 * down, but for the word's upper half: element k comes out 16^(k % 4) times too large, and its
 * partner in a (or, staged, its scale) is made as much smaller.
 */
#include "family/contraction/lower.h"

#define FRACTION_BITS 0x4b000000u /* 2^23 */
#define FRACTION_ONE  8388608.0f

/* ---- Binding. */

static uint32_t bind_words(struct lower *l, uint32_t words)
{
	uint32_t n = l->tensor_count++;
	uint64_t length = tensor_bytes(&l->tensors[n]) / (4 * words);

	l->lanes[n] = 1;
	return ir_binding(l->b, l->tensors[n].name, IR_TYPE(IR_U32, words), false,
	        length ? (uint32_t)length : 1);
}

static void bind_operand(struct gemm *g, struct operand *x, const struct contraction_operand *s)
{
	x->shape = s;
	if (s->load == CONTRACTION_NUMBERS)
		x->binding = lower_bind(g->l, s->width);
	else
		x->binding = bind_words(g->l, s->load == CONTRACTION_WORDS ? s->width : s->words);
}

void gemm_bind_operands(struct gemm *g)
{
	bind_operand(g, &g->left, &g->c.a);
	bind_operand(g, &g->right, &g->c.b);
}

void gemm_bind_weights(struct gemm *g)
{
	struct weights *w = &g->weights;

	w->blocks = g->c.b.row / g->c.scale_step;
	w->scales = lower_bind(g->l, 1);
	w->zeros = g->op->value[MATMUL_NBITS_ZEROS] ? lower_bind(g->l, 1) : GEMM_NONE;
}

/* ---- Places. */

uint32_t gemm_span(const struct contraction_operand *x)
{
	return x->along_k ? 1 : x->width;
}

ir_id gemm_clamp(struct gemm *g, const struct operand *x, ir_id position, uint32_t elements)
{
	if (x->shape->exact)
		return position;
	ir_id last = ir_compute(g->b, IR_SUB, x->outer, ir_u32(g->b, elements), 0);
	return ir_compute(g->b, IR_MIN, position, last, 0);
}

ir_id gemm_origin(struct gemm *g, const struct operand *x, ir_id position)
{
	const struct contraction_operand *s = x->shape;
	ir_id at = s->along_k ? ir_mul(g->b, position, x->stride)
	                      : lower_over(g->l, position, s->width);

	return ir_add(g->b, at, x->matrix);
}

static ir_id other_lane(struct gemm *g, uint32_t way)
{
	return way ? ir_compute(g->b, IR_XOR, g->local_x, ir_u32(g->b, way), 0) : g->local_x;
}

ir_id gemm_tile_position(struct gemm *g, const struct operand *x, uint32_t i)
{
	const struct contraction_operand *s = x->shape;

	if (g->c.quad && x == &g->left)
		return lower_plus(
		        g->l, other_lane(g, i % CONTRACTION_QUAD), i - i % CONTRACTION_QUAD);
	if (x == &g->left)
		return lower_plus(g->l, lower_times(g->l, g->local_y, s->tile), i);
	uint32_t group = i / s->group;
	return lower_plus(g->l, lower_times(g->l, g->local_x, s->group),
	        group * g->c.wg_x * s->group + i % s->group);
}

/* ---- Taking words apart. */

/* Bits of `lanes` fields from field `from` on, each at the bottom of its lane. */
static ir_id fields(struct gemm *g, ir_id word, uint32_t bits, uint32_t from, uint32_t lanes)
{
	ir_id shifts[4];

	for (uint32_t i = 0; i < lanes; i++)
		shifts[i] = ir_u32(g->b, (from + i) * bits);
	ir_id by = ir_compose(g->b, shifts, lanes);
	ir_id shifted = ir_compute(g->b, IR_SHR, ir_splat(g->b, word, lanes), by, 0);
	ir_id mask = ir_splat(g->b, ir_u32(g->b, (1u << bits) - 1), lanes);
	return ir_compute(g->b, IR_AND, shifted, mask, 0);
}

/* Whole numbers below 2^23, less `zero` (2^23 included), as floats. */
static ir_id small_floats(struct gemm *g, ir_id values, ir_id zero)
{
	uint32_t lanes = ir_lanes_of(ir_type_of(g->b, values));
	ir_id exponent = ir_splat(g->b, ir_u32(g->b, FRACTION_BITS), lanes);
	ir_id bits = ir_compute(g->b, IR_OR, values, exponent, 0);
	ir_id number = ir_bitcast(g->b, bits, IR_TYPE(IR_F32, lanes));
	ir_id less = ir_compute(g->b, IR_SUB, number, zero, 0);

	return ir_convert(g->b, less, g->number);
}

static ir_id signed_bytes(struct gemm *g, ir_id word, uint32_t from, uint32_t lanes)
{
	ir_id shifts[4];

	for (uint32_t i = 0; i < lanes; i++)
		shifts[i] = ir_u32(g->b, 24 - 8 * (from + i));
	ir_id by = ir_compose(g->b, shifts, lanes);
	ir_id high = ir_compute(g->b, IR_SHL, ir_splat(g->b, word, lanes), by, 0);
	ir_id number = ir_bitcast(g->b, high, IR_TYPE(IR_I32, lanes));
	return ir_compute(g->b, IR_SHR, number, ir_splat(g->b, ir_i32(g->b, 24), lanes), 0);
}

static ir_id bytes(struct gemm *g, ir_id word, uint32_t from, uint32_t lanes)
{
	if (g->c.sum != CONTRACTION_FLOAT)
		return signed_bytes(g, word, from, lanes);
	ir_id shifted = ir_compute(g->b, IR_XOR, word, ir_u32(g->b, 0x80808080), 0);
	ir_id values = fields(g, shifted, 8, from, lanes);
	return small_floats(g, values, ir_splat(g->b, ir_f32(g->b, FRACTION_ONE + 128), lanes));
}

/* Four neighbouring nibbles, less `zero`, 1, 16, 256 and 4096 times too large. */
static ir_id nibbles(struct gemm *g, ir_id word, uint32_t from, ir_id zero)
{
	ir_id masks[4];

	for (uint32_t i = 0; i < 4; i++)
		masks[i] = ir_u32(g->b, 15u << 4 * i);
	ir_id half = ir_compute(g->b, IR_SHR, word, ir_u32(g->b, 4 * from), 0);
	ir_id mask = ir_compose(g->b, masks, 4);
	ir_id values = ir_compute(g->b, IR_AND, ir_splat(g->b, half, 4), mask, 0);
	return small_floats(g, values, zero);
}

/* 16^-(k % 4) for the k of `lanes` neighbours. */
static ir_id shrinking(struct gemm *g, uint32_t k, uint32_t lanes)
{
	static const float factors[] = {1, 0x1p-4f, 0x1p-8f, 0x1p-12f};
	ir_id values[4];

	for (uint32_t i = 0; i < lanes; i++)
		values[i] = ir_f32(g->b, factors[(k + i) % 4]);
	return ir_compose(g->b, values, lanes);
}

/* Elements from, from + 1, ... of the words of a load; 4-bit ones less `zero`. */
static ir_id unpack(
        struct gemm *g, const struct contraction_operand *s, ir_id words, uint32_t from, ir_id zero)
{
	uint32_t each = 32 / s->bits;
	ir_id word = ir_extract(g->b, words, from / each), halves[4];

	if (s->bits == 4)
		return nibbles(g, word, from % each, zero);
	if (s->bits == 8)
		return bytes(g, word, from % each, s->lanes);
	for (uint32_t i = 0; i < s->lanes; i++) {
		word = ir_extract(g->b, words, (from + i) / 2);
		halves[i] = ir_extract(g->b, ir_unpack_half(g->b, word), (from + i) % 2);
	}
	return ir_convert(g->b, ir_compose(g->b, halves, s->lanes), g->number);
}

/* ---- Loading. */

void gemm_load(struct gemm *g, const struct operand *x, ir_id at, ir_id zero, ir_id vectors[])
{
	const struct contraction_operand *s = x->shape;

	if (s->load == CONTRACTION_PACKED) {
		ir_id words = ir_load(g->b, x->binding, at);
		for (uint32_t i = 0; i < s->width; i += s->lanes)
			vectors[i / s->lanes] = unpack(g, s, words, i, zero);
		return;
	}
	ir_id value = s->load == CONTRACTION_WORDS ? ir_load(g->b, x->binding, at)
	                                           : lower_load(g->l, x->binding, at);
	vectors[0] = s->load == CONTRACTION_WORDS ? value : ir_convert(g->b, value, g->number);
}

static void read_tile(struct gemm *g, struct operand *x, uint32_t i, ir_id step, ir_id vectors[])
{
	ir_id from = x->shape->staged ? x->place[i] : x->origin[i];
	ir_id at = ir_add(g->b, from, step);

	if (x->shape->staged)
		vectors[0] = ir_shared_load(g->b, x->shared, at);
	else
		gemm_load(g, x, at, g->weights.zero[i], vectors);
}

/* Elements that one read yields, from either memory. */
static uint32_t read_width(const struct contraction_operand *s)
{
	return s->staged ? s->lanes : s->width;
}

/* What 4-bit weights at kk, kk + 1, ... are multiplied with. */
static void shrink(struct gemm *g, ir_id vectors[], uint32_t width, uint32_t kk)
{
	uint32_t lanes = ir_lanes_of(ir_type_of(g->b, vectors[0]));

	for (uint32_t i = 0; i < width; i += lanes) {
		ir_id factor = shrinking(g, kk + i, lanes);
		vectors[i / lanes] = ir_mul(g->b, vectors[i / lanes], factor);
	}
}

/* What an element's place at k = 0 and its load at k + kk are apart. */
static ir_id step_along_k(struct gemm *g, const struct operand *x, ir_id k, uint32_t kk)
{
	uint32_t width = read_width(x->shape);
	ir_id from = lower_over(g->l, ir_add(g->b, x->k, k), width);

	return lower_plus(g->l, from, kk / width);
}

static void read_row(
        struct gemm *g, struct operand *x, uint32_t i, ir_id step, uint32_t kk, ir_id vectors[])
{
	read_tile(g, x, i, step, vectors);
	if (x == &g->left && gemm_dequantises(g))
		shrink(g, vectors, read_width(x->shape), kk);
}

static void fetch_along_k(struct gemm *g, struct operand *x, ir_id k, uint32_t kk)
{
	const struct contraction_operand *s = x->shape;
	uint32_t width = read_width(s);

	if (kk % width == 0) {
		ir_id step = step_along_k(g, x, k, kk);
		for (uint32_t i = 0; i < s->tile; i++)
			read_row(g, x, i, step, kk, x->held[i]);
	}
	for (uint32_t i = 0; i < s->tile; i++)
		x->refs[i] = (struct ref){x->held[i][kk % width / s->lanes], kk % s->lanes};
}

struct ref gemm_fetch_row(struct gemm *g, struct operand *x, uint32_t i, ir_id k, uint32_t kk)
{
	static const uint8_t ways[] = {0, IR_QUAD_SWAP_X, IR_QUAD_SWAP_Y, IR_QUAD_SWAP_DIAGONAL};
	uint32_t way = i % CONTRACTION_QUAD, lanes = x->shape->lanes, at = kk / lanes;
	uint32_t vectors = kk % x->shape->width ? 0 : x->shape->width / lanes;

	if (vectors && !way)
		read_row(g, x, i, step_along_k(g, x, k, kk), kk, x->held[i] + at);
	for (uint32_t v = at; way && v < at + vectors; v++)
		x->held[i][v] = ir_subgroup(g->b, (enum ir_op)ways[way], x->held[i - way][v]);
	return (struct ref){x->held[i][at], kk % lanes};
}

void gemm_fetch(struct gemm *g, struct operand *x, ir_id k, uint32_t kk)
{
	const struct contraction_operand *s = x->shape;
	uint32_t width = read_width(s);

	if (s->along_k) {
		fetch_along_k(g, x, k, kk);
		return;
	}
	ir_id row = lower_plus(g->l, ir_add(g->b, x->k, k), kk);
	ir_id step = s->staged ? lower_times(g->l, row, s->pitch) : ir_mul(g->b, row, x->stride);
	for (uint32_t i = 0; i < s->tile; i++) {
		if (i % width == 0)
			read_tile(g, x, i, step, x->held[i]);
		x->refs[i].vector = x->held[i - i % width][i % width / s->lanes];
		x->refs[i].lane = i % s->lanes;
	}
}

/* ---- 4-bit weights. */

static ir_id scale_at(struct gemm *g, ir_id column, ir_id block)
{
	ir_id at = ir_add(g->b, lower_times(g->l, column, g->weights.blocks), block);

	return lower_load(g->l, g->weights.scales, at);
}

/* The column's zero point, as nibbles are to be lessened by. Rows of zero points begin in a byte of
 * their own. */
static ir_id zero_at(struct gemm *g, ir_id column, ir_id block)
{
	const struct weights *w = &g->weights;
	ir_id zero = ir_f32(g->b, 8), one = ir_f32(g->b, FRACTION_ONE), lanes[4];

	if (w->zeros != GEMM_NONE) {
		ir_id row = lower_times(g->l, column, w->blocks + w->blocks % 2);
		zero = lower_load(g->l, w->zeros, ir_add(g->b, row, block));
		zero = ir_convert(g->b, zero, IR_F32);
	}
	for (uint32_t i = 0; i < 4; i++) {
		ir_id times = ir_f32(g->b, (float)(1u << 4 * i));
		lanes[i] = ir_compute(g->b, IR_FMA, zero, times, one);
	}
	return ir_compose(g->b, lanes, 4);
}

void gemm_begin_block(struct gemm *g, ir_id k)
{
	struct weights *w = &g->weights;
	ir_id block = lower_over(g->l, ir_add(g->b, g->right.k, k), g->c.scale_step);

	for (uint32_t i = 0; i < g->c.tile_n; i++) {
		w->scale[i] = scale_at(g, w->column[i], block);
		w->zero[i] = zero_at(g, w->column[i], block);
	}
}

void gemm_load_weights(
        struct gemm *g, const struct operand *x, ir_id column, ir_id k, ir_id at, ir_id vectors[])
{
	const struct contraction_operand *s = x->shape;
	ir_id block = lower_over(g->l, k, g->c.scale_step);
	ir_id scale = scale_at(g, column, block);
	ir_id zero = zero_at(g, column, block);
	ir_id scales = ir_splat(g->b, scale, 4), shrunk = shrinking(g, 0, 4);
	ir_id factor = ir_mul(g->b, scales, shrunk);

	gemm_load(g, x, at, zero, vectors);
	for (uint32_t i = 0; i < s->width / s->lanes; i++)
		vectors[i] = ir_mul(g->b, vectors[i], factor);
}
