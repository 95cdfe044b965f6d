/* SPDX-License-Identifier: Apache-2.0
 *
 * The tensors of each signature, inputs in order and the output last, and what an operator costs
 * at least: arithmetic and bytes. Products saturate instead of wrapping.
 */
#include "op/rows.h"

#include <math.h>

static const uint32_t *shape_of(const struct op *op, uint32_t at, uint32_t *ret_rank)
{
	*ret_rank = op->value[at];
	return &op->value[at + 1];
}

struct tensor *shaper_add(
        struct shaper *s, const char *name, uint32_t dtype, const uint32_t *shape, uint32_t rank)
{
	struct tensor *t = s->next++;

	*t = (struct tensor){.name = name, .dtype = (enum dtype)dtype, .elements = 1};
	for (uint32_t i = 0; i < rank; i++) {
		t->shape[t->rank++] = shape[i];
		t->elements = t->elements > UINT32_MAX ? t->elements : t->elements * shape[i];
	}
	return t;
}

/* [batch, rows, columns]: a leading 1 is left out. */
static void add_batched(
        struct shaper *s, const char *name, uint32_t dtype, const uint32_t shape[static 3])
{
	if (shape[0] > 1)
		shaper_add(s, name, dtype, shape, 3);
	else
		shaper_add(s, name, dtype, shape + 1, 2);
}

/* Rows of `columns` elements, which begin `shape`'s last dimension apart: the last one ends with
 * its own elements. */
static void add_pitched(struct shaper *s, const char *name, uint32_t dtype,
        const uint32_t shape[static 3], uint32_t columns)
{
	add_batched(s, name, dtype, shape);
	s->next[-1].elements -= shape[2] - columns;
}

static uint32_t or_else(uint32_t value, uint32_t otherwise)
{
	return value ? value : otherwise;
}

static uint32_t blocks(uint32_t k, uint32_t block)
{
	return k / block + (k % block != 0);
}

void tensors_matmul(struct shaper *s)
{
	const uint32_t *v = s->op->value;
	uint32_t m = v[MATMUL_M], n = v[MATMUL_N], k = v[MATMUL_K], batch = v[MATMUL_BATCH];
	bool ta = v[MATMUL_TRANS_A], tb = v[MATMUL_TRANS_B];
	const uint32_t a[] = {or_else(v[MATMUL_BATCH_A], batch), ta ? k : m,
	        ta ? m : or_else(v[MATMUL_PITCH_A], k)};
	const uint32_t b[] = {or_else(v[MATMUL_BATCH_B], batch), tb ? n : k, tb ? k : n};
	const uint32_t out[] = {batch, m, or_else(v[MATMUL_PITCH], n)};

	add_pitched(s, "a", v[MATMUL_A], a, ta ? m : k);
	add_batched(s, "b", v[MATMUL_B], b);
	if (v[MATMUL_B] == DTYPE_I8 && v[MATMUL_A] != DTYPE_I8)
		SHAPER_ADD(s, "scales", v[MATMUL_A], n);
	if (v[MATMUL_BIAS])
		SHAPER_ADD(s, "bias", v[MATMUL_OUT], n);
	if (v[MATMUL_RESIDUAL])
		add_pitched(s, "residual", v[MATMUL_OUT], out, n);
	add_pitched(s, "out", v[MATMUL_OUT], out, n);
}

void tensors_matmul_nbits(struct shaper *s)
{
	const uint32_t *v = s->op->value;
	uint32_t m = v[MATMUL_NBITS_M], n = v[MATMUL_NBITS_N], a = v[MATMUL_NBITS_A];
	uint32_t count = blocks(v[MATMUL_NBITS_K], or_else(v[MATMUL_NBITS_BLOCK], 1));
	const uint32_t out[] = {1, m, or_else(v[MATMUL_NBITS_PITCH], n)};

	SHAPER_ADD(s, "a", a, m, v[MATMUL_NBITS_K]);
	SHAPER_ADD(s, "b", DTYPE_U4, n, count, v[MATMUL_NBITS_BLOCK]);
	SHAPER_ADD(s, "scales", v[MATMUL_NBITS_SCALES], n, count);
	if (v[MATMUL_NBITS_ZEROS])
		SHAPER_ADD(s, "zeros", DTYPE_U4, n, count + count % 2);
	if (v[MATMUL_NBITS_BIAS])
		SHAPER_ADD(s, "bias", a, n);
	if (v[MATMUL_NBITS_RESIDUAL])
		add_pitched(s, "residual", a, out, n);
	add_pitched(s, "out", a, out, n);
}

/* ---- Reductions. */

/* [rows,n,inner], or [rows,inner] where it is reduced; without an inner of 1. */
static void add_rows(struct shaper *s, const char *name, uint32_t dtype, bool reduced)
{
	const uint32_t *v = s->op->value;
	struct op_lines lines = op_lines(s->op);
	uint32_t shape[3] = {v[lines.rows.value]}, rank = 1;

	if (!reduced)
		shape[rank++] = v[lines.n.value];
	if (v[lines.inner.value] > 1)
		shape[rank++] = v[lines.inner.value];
	shaper_add(s, name, dtype, shape, rank);
}

void tensors_softmax(struct shaper *s)
{
	const uint32_t *v = s->op->value;

	add_rows(s, "x", v[SOFTMAX_DTYPE], false);
	if (v[SOFTMAX_MASK])
		SHAPER_ADD(s, "mask", v[SOFTMAX_DTYPE], v[SOFTMAX_MASK_ROWS], v[SOFTMAX_N]);
	add_rows(s, "out", v[SOFTMAX_DTYPE], false);
}

void tensors_reduce(struct shaper *s)
{
	add_rows(s, "x", s->op->value[REDUCE_SUM_DTYPE], false);
	add_rows(s, "out", s->op->value[REDUCE_SUM_DTYPE], true);
}

void tensors_arg_reduce(struct shaper *s)
{
	add_rows(s, "x", s->op->value[ARGMAX_DTYPE], false);
	add_rows(s, "out", DTYPE_I32, true);
}

void tensors_cumsum(struct shaper *s)
{
	add_rows(s, "x", s->op->value[CUMSUM_DTYPE], false);
	add_rows(s, "out", s->op->value[CUMSUM_DTYPE], false);
}

void tensors_norm(struct shaper *s)
{
	const uint32_t *v = s->op->value;
	uint32_t rows = v[LAYERNORM_ROWS], n = v[LAYERNORM_N], dtype = v[LAYERNORM_DTYPE];

	SHAPER_ADD(s, "x", dtype, rows, n);
	if (v[LAYERNORM_RESIDUAL])
		SHAPER_ADD(s, "residual", dtype, rows, n);
	if (v[LAYERNORM_WEIGHT])
		SHAPER_ADD(s, "weight", dtype, n);
	if (v[LAYERNORM_BIAS])
		SHAPER_ADD(s, "bias", dtype, n);
	SHAPER_ADD(s, "out", dtype, rows, n);
}

static void add_channels(struct shaper *s)
{
	const uint32_t *v = s->op->value;
	uint32_t batch = v[GROUPNORM_BATCH], c = v[GROUPNORM_C], inner = v[GROUPNORM_INNER];
	uint32_t dtype = v[GROUPNORM_DTYPE];

	SHAPER_ADD(s, "x", dtype, batch, c, inner);
	SHAPER_ADD(s, "weight", dtype, c);
	SHAPER_ADD(s, "bias", dtype, c);
	SHAPER_ADD(s, "out", dtype, batch, c, inner);
}

void tensors_groupnorm(struct shaper *s)
{
	add_channels(s);
}

/* Its fields stand where groupnorm's do. */
void tensors_batchnorm(struct shaper *s)
{
	add_channels(s);
}

/* ---- Maps. */

static void add_operand(struct shaper *s, const char *name, uint32_t dtype, uint32_t at)
{
	uint32_t rank;
	const uint32_t *shape = shape_of(s->op, s->op->value[at] ? at : MAP_SHAPE, &rank);

	shaper_add(s, name, dtype, shape, rank);
}

/* Which operands the steps name, whether they end in a truth, and what its own operands are. */
struct reading {
	uint32_t operands; /* bit n: x, y, z */
	bool logic_in, choice, truth;
};

static struct reading read_steps(const struct op *op)
{
	enum scalar steps[OP_STEPS_MAX + 1];
	uint32_t count = op_steps(op, steps);
	struct reading r = {0};

	for (uint32_t i = 0; i < count; i++) {
		if (steps[i] >= SCALAR_X && steps[i] <= SCALAR_Z)
			r.operands |= 1u << (steps[i] - SCALAR_X);
		if (steps[i] < SCALAR_FUNCTION_END)
			r.truth = scalar_info(steps[i])->gives == GIVES_BOOL;
	}
	if (op->kind != OP_MAP && count) {
		r.logic_in = scalar_info(steps[count - 1])->takes == TAKES_LOGIC;
		r.choice = scalar_info(steps[count - 1])->takes == TAKES_CHOICE;
	}
	return r;
}

void tensors_elementwise(struct shaper *s)
{
	static const char *const names[] = {"x", "y", "z"};
	static const uint32_t at[] = {MAP_X, MAP_Y, MAP_Z};
	struct reading r = read_steps(s->op);
	uint32_t rank, dtype = r.logic_in ? (uint32_t)DTYPE_BOOL : s->op->value[MAP_DTYPE];
	const uint32_t *shape = shape_of(s->op, MAP_SHAPE, &rank);

	for (uint32_t i = 0; i < 3; i++)
		if (r.operands >> i & 1)
			add_operand(
			        s, names[i], r.choice && !i ? (uint32_t)DTYPE_BOOL : dtype, at[i]);
	shaper_add(s, "out", r.truth ? (uint32_t)DTYPE_BOOL : dtype, shape, rank);
}

void tensors_cast(struct shaper *s)
{
	uint32_t rank;
	const uint32_t *shape = shape_of(s->op, CAST_SHAPE, &rank);

	shaper_add(s, "x", s->op->value[CAST_DTYPE], shape, rank);
	shaper_add(s, "out", s->op->value[CAST_OUT], shape, rank);
}

void tensors_gate(struct shaper *s)
{
	const uint32_t *v = s->op->value;
	uint32_t n = v[GATE_N];

	SHAPER_ADD(s, "x", v[GATE_DTYPE], v[GATE_ROWS], n > OP_DIM_MAX / 2 ? UINT32_MAX : 2 * n);
	SHAPER_ADD(s, "out", v[GATE_DTYPE], v[GATE_ROWS], n);
}

/* The heads of attention and what is done to them. */
struct heads {
	uint32_t batch, count, positions, dim;
	bool first; /* [batch, heads, positions, dim]; else positions before heads */
};

static void add_heads(struct shaper *s, const char *name, uint32_t dtype, const struct heads *heads)
{
	if (heads->first)
		SHAPER_ADD(
		        s, name, dtype, heads->batch, heads->count, heads->positions, heads->dim);
	else
		SHAPER_ADD(
		        s, name, dtype, heads->batch, heads->positions, heads->count, heads->dim);
}

void tensors_rotary(struct shaper *s)
{
	const uint32_t *v = s->op->value;
	uint32_t turned = or_else(v[ROTARY_ROTATED], v[ROTARY_DIM]), dtype = v[ROTARY_DTYPE];
	struct heads heads = {
	        v[ROTARY_BATCH], v[ROTARY_HEADS], v[ROTARY_SEQ], v[ROTARY_DIM], !v[ROTARY_ORDER]};

	add_heads(s, "x", dtype, &heads);
	SHAPER_ADD(s, "cos", dtype, v[ROTARY_SEQ], turned / 2);
	SHAPER_ADD(s, "sin", dtype, v[ROTARY_SEQ], turned / 2);
	add_heads(s, "out", dtype, &heads);
}

void tensors_transpose(struct shaper *s)
{
	const uint32_t *v = s->op->value;
	uint32_t rank, turned[OP_RANK_MAX] = {0};
	const uint32_t *shape = shape_of(s->op, TRANSPOSE_SHAPE, &rank);

	for (uint32_t i = 0; i < rank; i++)
		turned[i] = shape[v[TRANSPOSE_PERM + 1 + i] % rank];
	shaper_add(s, "x", v[TRANSPOSE_DTYPE], shape, rank);
	shaper_add(s, "out", v[TRANSPOSE_DTYPE], turned, rank);
}

void tensors_gather(struct shaper *s)
{
	const uint32_t *v = s->op->value;
	uint32_t outer = v[GATHER_OUTER], inner = v[GATHER_INNER], dtype = v[GATHER_DTYPE];

	SHAPER_ADD(s, "x", dtype, outer, v[GATHER_ROWS], inner);
	SHAPER_ADD(s, "indices", DTYPE_I32, v[GATHER_COUNT]);
	SHAPER_ADD(s, "out", dtype, outer, v[GATHER_COUNT], inner);
}

void tensors_concat(struct shaper *s)
{
	static const char *const names[] = {"x0", "x1", "x2", "x3"};
	const uint32_t *v = s->op->value;
	uint32_t outer = v[CONCAT_OUTER], inner = v[CONCAT_INNER], rank, sum = 0;
	const uint32_t *sizes = shape_of(s->op, CONCAT_SIZES, &rank);

	for (uint32_t i = 0; i < rank && i < 4; i++) {
		SHAPER_ADD(s, names[i], v[CONCAT_DTYPE], outer, sizes[i], inner);
		sum += sizes[i];
	}
	SHAPER_ADD(s, "out", v[CONCAT_DTYPE], outer, sum, inner);
}

void tensors_slice(struct shaper *s)
{
	const uint32_t *v = s->op->value;
	uint32_t rank;
	const uint32_t *shape = shape_of(s->op, SLICE_SHAPE, &rank);

	shaper_add(s, "x", v[SLICE_DTYPE], shape, rank);
	shaper_add(s, "out", v[SLICE_DTYPE], &v[SLICE_SIZE + 1], rank);
}

void tensors_pad(struct shaper *s)
{
	const uint32_t *v = s->op->value;
	uint32_t rank, padded[OP_RANK_MAX] = {0};
	const uint32_t *shape = shape_of(s->op, PAD_SHAPE, &rank);

	for (uint32_t i = 0; i < rank; i++)
		padded[i] = shape[i] + v[PAD_BEFORE + 1 + i] + v[PAD_AFTER + 1 + i];
	shaper_add(s, "x", v[PAD_DTYPE], shape, rank);
	shaper_add(s, "out", v[PAD_DTYPE], padded, rank);
}

void tensors_tile(struct shaper *s)
{
	const uint32_t *v = s->op->value;
	uint32_t rank, tiled[OP_RANK_MAX] = {0};
	const uint32_t *shape = shape_of(s->op, TILE_SHAPE, &rank);

	for (uint32_t i = 0; i < rank; i++) {
		uint64_t extent = (uint64_t)shape[i] * v[TILE_REPEATS + 1 + i];
		tiled[i] = extent > UINT32_MAX ? UINT32_MAX : (uint32_t)extent;
	}
	shaper_add(s, "x", v[TILE_DTYPE], shape, rank);
	shaper_add(s, "out", v[TILE_DTYPE], tiled, rank);
}

void tensors_resize(struct shaper *s)
{
	const uint32_t *v = s->op->value;
	uint32_t planes = v[RESIZE_PLANES], inner = v[RESIZE_INNER], dtype = v[RESIZE_DTYPE];

	SHAPER_ADD(s, "x", dtype, planes, v[RESIZE_H], v[RESIZE_W], inner);
	SHAPER_ADD(s, "out", dtype, planes, v[RESIZE_OH], v[RESIZE_OW], inner);
}

void tensors_quantise(struct shaper *s)
{
	const uint32_t *v = s->op->value;
	uint32_t outer = v[QUANTIZE_OUTER], c = v[QUANTIZE_C], inner = v[QUANTIZE_INNER];
	bool forth = s->op->kind == OP_QUANTIZE;
	uint32_t number = v[QUANTIZE_DTYPE], quantised = v[QUANTIZE_QUANTISED];

	SHAPER_ADD(s, "x", forth ? number : quantised, outer, c, inner);
	SHAPER_ADD(s, "scales", number, c);
	if (v[QUANTIZE_ZEROS])
		SHAPER_ADD(s, "zeros", quantised, c);
	SHAPER_ADD(s, "out", forth ? quantised : number, outer, c, inner);
}

/* ---- Attention. */

static void add_mask(struct shaper *s)
{
	const uint32_t *v = s->op->value;
	uint32_t dtype = v[ATTENTION_DTYPE], q = v[ATTENTION_Q], kv = v[ATTENTION_KV];

	switch (v[ATTENTION_MASK]) {
	case 1:
		SHAPER_ADD(s, "mask", dtype, v[ATTENTION_BATCH], kv);
		break;
	case 2:
		SHAPER_ADD(s, "mask", dtype, q, kv);
		break;
	case 3:
		SHAPER_ADD(s, "mask", dtype, v[ATTENTION_HEADS], q, kv);
		break;
	case 4:
		SHAPER_ADD(s, "mask", dtype, v[ATTENTION_BATCH], v[ATTENTION_HEADS], q, kv);
		break;
	}
}

void tensors_attention(struct shaper *s)
{
	const uint32_t *v = s->op->value;
	uint32_t batch = v[ATTENTION_BATCH], heads = v[ATTENTION_HEADS], dim = v[ATTENTION_DIM];
	uint32_t kv_heads = or_else(v[ATTENTION_KV_HEADS], heads), dtype = v[ATTENTION_DTYPE];
	uint32_t room = or_else(v[ATTENTION_CAPACITY], v[ATTENTION_KV]);
	bool first = !v[ATTENTION_ORDER];
	struct heads q = {batch, heads, v[ATTENTION_Q], dim, first};
	struct heads kv = {batch, kv_heads, room, dim, first};

	add_heads(s, "q", dtype, &q);
	add_heads(s, "k", dtype, &kv);
	add_heads(s, "v", dtype, &kv);
	add_mask(s);
	add_heads(s, "out", dtype, &q);
}

/* ---- All of them. */

uint32_t op_tensors(const struct op *op, struct tensor ret_tensors[static OP_TENSORS_MAX])
{
	struct shaper shaper = {op, ret_tensors};

	op_signature_tensors(op->kind)(&shaper);
	shaper.next[-1].output = true;
	return (uint32_t)(shaper.next - ret_tensors);
}

uint64_t tensor_bytes(const struct tensor *tensor)
{
	return (tensor->elements * dtype_bits(tensor->dtype) + 31) / 32 * 4;
}

static double window_flops(const struct op *op)
{
	struct op_window w = op_window(op);
	double taps = (double)w.kh * w.kw * (w.c / or_else(w.groups, 1));

	if (op->kind == OP_MAX_POOL || op->kind == OP_AVG_POOL)
		return (double)w.batch * w.c * w.oh * w.ow * w.kh * w.kw;
	return 2 * taps * w.batch * w.oc * (w.transposed ? (double)w.h * w.w : (double)w.oh * w.ow);
}

/* One operation for each element of the largest tensor and each step: these are bound by memory. */
static double element_flops(const struct op *op)
{
	struct tensor tensors[OP_TENSORS_MAX];
	enum scalar steps[OP_STEPS_MAX + 1];
	uint32_t count = op_tensors(op, tensors);
	double most = 0, each = 1;

	for (uint32_t i = 0; i < count; i++)
		most = fmax(most, (double)tensors[i].elements);
	if (op_has_steps(op))
		each = op_steps(op, steps);
	return most * each;
}

double op_flops(const struct op *op)
{
	const uint32_t *v = op->value;

	switch (op->kind) {
	case OP_MATMUL:
		return 2.0 * v[MATMUL_M] * v[MATMUL_N] * v[MATMUL_K] * v[MATMUL_BATCH];
	case OP_MATMUL_NBITS:
		return 2.0 * v[MATMUL_NBITS_M] * v[MATMUL_NBITS_N] * v[MATMUL_NBITS_K];
	case OP_CONV2D:
	case OP_CONV1D:
	case OP_CONV_TRANSPOSE2D:
	case OP_MAX_POOL:
	case OP_AVG_POOL:
		return window_flops(op);
	case OP_ATTENTION:
		return 4.0 * v[ATTENTION_BATCH] * v[ATTENTION_HEADS] * v[ATTENTION_Q] *
		       v[ATTENTION_KV] * v[ATTENTION_DIM];
	default:
		return element_flops(op);
	}
}

double op_bytes(const struct op *op)
{
	struct tensor tensors[OP_TENSORS_MAX];
	uint32_t count = op_tensors(op, tensors);
	double bytes = 0;

	for (uint32_t i = 0; i < count; i++)
		bytes += (double)tensor_bytes(&tensors[i]);
	return bytes;
}
