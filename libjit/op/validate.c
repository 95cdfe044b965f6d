/* SPDX-License-Identifier: Apache-2.0
 *
 * What an operator's fields demand of each other, one rule a signature, and what every operator
 * must keep: what must be given is there, and no tensor is too large. A rule answers 0 or
 * OP_BAD_VALUE with the field, the value and the rule in the sentence.
 */
#include "base/error.h"
#include "op/rows.h"

#include <math.h>

static int must_divide(
        struct error *err, const char *field, uint32_t value, const char *of, uint32_t whole)
{
	if (value && whole % value == 0)
		return 0;
	return error_set(
	        err, OP_BAD_VALUE, field, "%s=%u must divide %s=%u", field, value, of, whole);
}

/* A list, whose field begins at op.value[at], has a number for each dimension, or may be left out.
 */
static int needs_rank(
        const struct op *op, struct error *err, uint32_t at, uint32_t rank, bool may_lack)
{
	uint32_t has = op->value[at], index = 0;

	if (has == rank || (may_lack && !has))
		return 0;
	while (op_field(op->kind, index)->value != at)
		index++;
	const char *field = op_field(op->kind, index)->name;
	return error_set(err, OP_BAD_VALUE, field,
	        "%s has %u numbers and needs %u, one for each dimension of shape", field, has,
	        rank);
}

static int same_floats(struct error *err, uint32_t acc, uint32_t dtype)
{
	if (acc == DTYPE_F32 || dtype == DTYPE_F16)
		return 0;
	return error_set(err, OP_BAD_VALUE, "acc", "acc=f16 needs operands of f16; leave acc out");
}

/* A pitch's field, and the dimension whose elements lie side by side. */
struct pitch {
	uint32_t pitch, value;
	const char *field, *name;
};

static int pitch_fits(const struct op *op, const struct pitch *p, struct error *err)
{
	uint32_t pitch = op->value[p->pitch], own = op->value[p->value];

	if (!pitch)
		return 0;
	if (op_dynamic_at(op, p->value) >= 0)
		return error_set(err, OP_BAD_VALUE, p->field, "a dynamic %s allows no %s", p->name,
		        p->field);
	if (pitch < own)
		return error_set(err, OP_BAD_VALUE, p->field, "%s=%u must be at least %s=%u",
		        p->field, pitch, p->name, own);
	return 0;
}

static int rows_of_matmul(const struct op *op, struct error *err)
{
	static const struct pitch out = {MATMUL_PITCH, MATMUL_N, "pitch", "n"},
	                          a = {MATMUL_PITCH_A, MATMUL_K, "pitch_a", "k"};

	if (op->value[MATMUL_PITCH_A] && op->value[MATMUL_TRANS_A])
		return error_set(err, OP_BAD_VALUE, "pitch_a", "trans_a allows no pitch_a");
	return pitch_fits(op, &out, err) || pitch_fits(op, &a, err) ? OP_BAD_VALUE : 0;
}

int rule_matmul(const struct op *op, struct error *err)
{
	const uint32_t *v = op->value;
	bool a8 = v[MATMUL_A] == DTYPE_I8, b8 = v[MATMUL_B] == DTYPE_I8;
	uint32_t batch = v[MATMUL_BATCH], float_in = a8 ? (uint32_t)DTYPE_F32 : v[MATMUL_A];

	if (a8 && !b8)
		return error_set(err, OP_BAD_VALUE, "b", "b=%s: where a is i8, b is too",
		        dtype_name((enum dtype)v[MATMUL_B]));
	if (!b8 && v[MATMUL_A] != v[MATMUL_B])
		return error_set(err, OP_BAD_VALUE, "b",
		        "b=%s: must be as a (%s), or i8 for quantised weights",
		        dtype_name((enum dtype)v[MATMUL_B]), dtype_name((enum dtype)v[MATMUL_A]));
	if (v[MATMUL_OUT] == DTYPE_I32 && !a8)
		return error_set(err, OP_BAD_VALUE, "out", "out=i32 needs a and b of i8");
	if (v[MATMUL_OUT] == DTYPE_I32 && (v[MATMUL_ACT] || op_float(op, MATMUL_SCALE) != 1.0f))
		return error_set(err, OP_BAD_VALUE, "out",
		        "out=i32 allows no act and no scale; use out=f32");
	if ((v[MATMUL_BATCH_A] > 1 || v[MATMUL_BATCH_B] > 1) &&
	        op_dynamic_at(op, MATMUL_BATCH) >= 0)
		return error_set(err, OP_BAD_VALUE, "batch",
		        "a dynamic batch allows batch_a and batch_b of 0 or 1 only");
	if (v[MATMUL_BATCH_A] && must_divide(err, "batch_a", v[MATMUL_BATCH_A], "batch", batch))
		return OP_BAD_VALUE;
	if (v[MATMUL_BATCH_B] && must_divide(err, "batch_b", v[MATMUL_BATCH_B], "batch", batch))
		return OP_BAD_VALUE;
	int r = same_floats(err, v[MATMUL_ACC], float_in);
	return r ? r : rows_of_matmul(op, err);
}

int rule_matmul_nbits(const struct op *op, struct error *err)
{
	static const struct pitch out = {MATMUL_NBITS_PITCH, MATMUL_NBITS_N, "pitch", "n"};
	uint32_t block = op->value[MATMUL_NBITS_BLOCK];

	if (block < 16 || block > 256 || block & (block - 1))
		return error_set(err, OP_BAD_VALUE, "block",
		        "block=%u: must be 16, 32, 64, 128 or 256", block);
	return pitch_fits(op, &out, err);
}

static int rule_pool(const struct op *op, const struct op_window *w, struct error *err)
{
	const uint32_t *pad = &op->value[MAX_POOL_PAD];
	uint64_t reach_h = (uint64_t)(w->kh - 1) * w->dilation_h + 1;
	uint64_t reach_w = (uint64_t)(w->kw - 1) * w->dilation_w + 1;

	if (pad[0] < reach_h && pad[2] < reach_h && pad[1] < reach_w && pad[3] < reach_w)
		return 0;
	return error_set(err, OP_BAD_VALUE, "pad",
	        "pad=%u,%u,%u,%u: must be less than the window, or some windows hold nothing",
	        pad[0], pad[1], pad[2], pad[3]);
}

int rule_window(const struct op *op, struct error *err)
{
	struct op_window w = op_window(op);
	bool pool = op->kind == OP_MAX_POOL || op->kind == OP_AVG_POOL;

	if (!pool && must_divide(err, "groups", w.groups, "c", w.c))
		return OP_BAD_VALUE;
	if (!pool && must_divide(err, "groups", w.groups, "oc", w.oc))
		return OP_BAD_VALUE;
	if (!w.oh || !w.ow)
		return error_set(err, OP_BAD_VALUE, "kernel",
		        "the %ux%u window does not fit: out would be empty, or beyond %u either "
		        "way",
		        w.kh, w.kw, OP_DIM_MAX);
	if (pool)
		return rule_pool(op, &w, err);
	const struct op_convolution *fields = op_convolution(op);
	return same_floats(err, op->value[fields->acc], op->value[fields->dtype]);
}

int rule_softmax(const struct op *op, struct error *err)
{
	const uint32_t *v = op->value;

	if (!v[SOFTMAX_MASK] && (v[SOFTMAX_MASK_ROWS] > 1 || v[SOFTMAX_MASK_EVERY] > 1))
		return error_set(err, OP_BAD_VALUE, "mask",
		        "mask_rows and mask_every say nothing without mask=1");
	if (v[SOFTMAX_MASK] && (v[SOFTMAX_INNER] > 1 || op_dynamic_at(op, SOFTMAX_INNER) >= 0))
		return error_set(err, OP_BAD_VALUE, "mask", "mask=1 needs inner=1");
	return 0;
}

int rule_norm(const struct op *op, struct error *err)
{
	if (op_float(op, LAYERNORM_EPS) >= 0)
		return 0;
	return error_set(err, OP_BAD_VALUE, "eps", "eps must not be negative");
}

int rule_groupnorm(const struct op *op, struct error *err)
{
	const uint32_t *v = op->value;

	if (op_float(op, GROUPNORM_EPS) < 0)
		return error_set(err, OP_BAD_VALUE, "eps", "eps must not be negative");
	if (op->kind == OP_INSTANCENORM)
		return 0;
	return must_divide(err, "groups", v[GROUPNORM_GROUPS], "c", v[GROUPNORM_C]);
}

/* Nothing that a field's own kind does not say. */
#define NO_RULE(name)                                           \
	int rule_##name(const struct op *op, struct error *err) \
	{                                                       \
		(void)op, (void)err;                            \
		return 0;                                       \
	}
NO_RULE(reduce)
NO_RULE(arg_reduce)
NO_RULE(cumsum)
NO_RULE(batchnorm)
NO_RULE(gate)
NO_RULE(cast)
NO_RULE(resize)
NO_RULE(quantise)

/* A part writes whole rows: words that two rows share would be two invocations'. */
int rule_gather(const struct op *op, struct error *err)
{
	const uint32_t *v = op->value;
	uint32_t end = v[GATHER_FIRST] + v[GATHER_ROWS]; /* both are at most OP_DIM_MAX */

	if ((v[GATHER_OF] || v[GATHER_FIRST]) && end > v[GATHER_OF])
		return error_set(err, OP_BAD_VALUE, "of", "of=%u must be at least first + rows, %u",
		        v[GATHER_OF], end);
	if (v[GATHER_OF] && v[GATHER_DTYPE] == DTYPE_F16 && v[GATHER_INNER] % 2)
		return error_set(err, OP_BAD_VALUE, "inner",
		        "inner=%u: a part's rows must be whole words of 32 bits", v[GATHER_INNER]);
	return 0;
}

/* ---- Maps. */

/* The shape at `at` broadcasts to `shape` (NumPy, "Broadcasting"): aligned at the end, each
 * dimension the same or 1. */
static int rule_operand(const struct op *op, const char *field, uint32_t at, struct error *err)
{
	uint32_t rank = op->value[MAP_SHAPE], has = op->value[at], offset = rank - has;

	if (has > rank)
		return error_set(err, OP_BAD_VALUE, field, "%s has %u dimensions and shape only %u",
		        field, has, rank);
	for (uint32_t i = 0; i < has; i++) {
		uint32_t own = op->value[at + 1 + i], out = op->value[MAP_SHAPE + 1 + offset + i];
		bool dynamic = op_dynamic_at(op, MAP_SHAPE + 1 + offset + i) >= 0;
		if (own != 1 && (own != out || dynamic))
			return error_set(err, OP_BAD_VALUE, field,
			        "dimension %u of %s is %u and must be 1%s%.0u; a dynamic one is "
			        "given by leaving %s out",
			        i, field, own, dynamic ? "" : " or as out's ", out, field);
	}
	return 0;
}

/* The stack's height after each step never falls below what the next one takes. Truths (of
 * comparisons) and numbers are told apart by a bit each. */
static int rule_steps(const struct op *op, struct error *err)
{
	enum scalar steps[OP_STEPS_MAX + 1];
	uint32_t count = op_steps(op, steps), height = 0, truths = 0;

	for (uint32_t i = 0; i < count; i++) {
		if (steps[i] >= SCALAR_FUNCTION_END) {
			truths &= ~(1u << height++);
			continue;
		}
		const struct scalar_info *info = scalar_info(steps[i]);
		if (height < info->arity)
			return error_set(err, OP_BAD_VALUE, "steps",
			        "'%s' takes %u values and step %u finds %u", info->name,
			        info->arity, i, height);
		height -= info->arity;
		uint32_t taken = truths >> height & ((1u << info->arity) - 1);
		uint32_t wanted = info->takes == TAKES_LOGIC    ? (1u << info->arity) - 1
		                  : info->takes == TAKES_CHOICE ? 1
		                                                : 0;
		if (taken != wanted)
			return error_set(err, OP_BAD_VALUE, "steps", "'%s' (step %u) takes %s",
			        info->name, i,
			        wanted == 1 && info->arity == 3 ? "a truth and two numbers"
			        : wanted                        ? "truths, as less gives"
			                                        : "numbers, not truths");
		truths &= (1u << height) - 1;
		truths |= (info->gives == GIVES_BOOL ? 1u : 0) << height++;
	}
	if (height == 1)
		return 0;
	return error_set(
	        err, OP_BAD_VALUE, "steps", "the steps leave %u values and must leave one", height);
}

static int rule_types(const struct op *op, struct error *err)
{
	enum scalar steps[OP_STEPS_MAX + 1];
	uint32_t count = op_steps(op, steps);

	if (op_is_logic(op) && op->value[MAP_DTYPE] != DTYPE_F32)
		return error_set(err, OP_BAD_VALUE, "dtype",
		        "'%s' is for bool alone; leave dtype out", op_name(op->kind));
	for (uint32_t i = 0; i < count; i++) {
		if (steps[i] >= SCALAR_FUNCTION_END)
			continue;
		const struct scalar_info *info = scalar_info(steps[i]);
		if (info->takes == TAKES_FLOAT && op->value[MAP_DTYPE] == DTYPE_I32)
			return error_set(err, OP_BAD_VALUE, "dtype",
			        "dtype=i32: '%s' is for f32 and f16", info->name);
	}
	return 0;
}

/* What is no float has constants that it can hold. */
static int rule_number(const struct op *op, uint32_t value, const char *field, struct error *err)
{
	double number = op_number(op, value);

	if (number == rint(number) && number >= INT32_MIN && number <= INT32_MAX)
		return 0;
	return error_set(err, OP_BAD_VALUE, field,
	        "%s=%.9g: dtype=i32 takes whole numbers from -2147483648 to 2147483647", field,
	        number);
}

int rule_elementwise(const struct op *op, struct error *err)
{
	static const char *const names[] = {"x", "y", "z"};
	static const uint32_t at[] = {MAP_X, MAP_Y, MAP_Z};
	enum scalar steps[OP_STEPS_MAX + 1];
	uint32_t count = op_steps(op, steps), used = 0;
	int r = op->kind == OP_MAP ? rule_steps(op, err) : 0;

	for (uint32_t i = 0; i < count; i++)
		if (steps[i] >= SCALAR_X && steps[i] <= SCALAR_Z)
			used |= 1u << (steps[i] - SCALAR_X);
	if (!r && !used)
		return error_set(err, OP_BAD_VALUE, "steps", "the steps name none of x, y and z");
	for (uint32_t i = 0; !r && i < 3; i++) {
		if (op->value[at[i]] && !(used >> i & 1))
			return error_set(err, OP_BAD_VALUE, names[i], "%s takes no %s",
			        op_name(op->kind), names[i]);
		r = rule_operand(op, names[i], at[i], err);
	}
	if (!r && op->kind == OP_MAP && op->value[MAP_DTYPE] == DTYPE_I32)
		r = rule_number(op, MAP_ALPHA, "alpha", err);
	if (!r && op->kind == OP_MAP && op->value[MAP_DTYPE] == DTYPE_I32)
		r = rule_number(op, MAP_BETA, "beta", err);
	return r ? r : rule_types(op, err);
}

int rule_rotary(const struct op *op, struct error *err)
{
	uint32_t rotated = op->value[ROTARY_ROTATED], dim = op->value[ROTARY_DIM];

	if (rotated <= dim && (rotated ? rotated : dim) % 2 == 0)
		return 0;
	return error_set(err, OP_BAD_VALUE, "rotated",
	        "rotated=%u of dim=%u: must be even and at most dim", rotated, dim);
}

int rule_transpose(const struct op *op, struct error *err)
{
	uint32_t rank = op->value[TRANSPOSE_SHAPE], seen = 0;
	int r = needs_rank(op, err, TRANSPOSE_PERM, rank, false);

	for (uint32_t i = 0; !r && i < rank; i++) {
		uint32_t from = op->value[TRANSPOSE_PERM + 1 + i];
		if (from >= rank || seen >> from & 1)
			return error_set(err, OP_BAD_VALUE, "perm",
			        "perm must name each of 0 to %u once", rank - 1);
		seen |= 1u << from;
	}
	return r;
}

int rule_concat(const struct op *op, struct error *err)
{
	uint32_t count = op->value[CONCAT_SIZES];
	uint64_t sum = 0;

	for (uint32_t i = 0; i < count; i++) {
		if (!op->value[CONCAT_SIZES + 1 + i])
			return error_set(err, OP_BAD_VALUE, "sizes", "sizes must be at least 1");
		sum += op->value[CONCAT_SIZES + 1 + i];
	}
	if (count < 2 || count > 4 || sum > OP_DIM_MAX)
		return error_set(err, OP_BAD_VALUE, "sizes",
		        "sizes needs two to four numbers, together at most %u", OP_DIM_MAX);
	return 0;
}

/* Lists that were left out get their initial value for every dimension. */
static uint32_t item(const struct op *op, uint32_t at, uint32_t i, uint32_t initial)
{
	return op->value[at] ? op->value[at + 1 + i] : initial;
}

int rule_slice(const struct op *op, struct error *err)
{
	uint32_t rank = op->value[SLICE_SHAPE];
	int r = needs_rank(op, err, SLICE_SIZE, rank, false);

	r = r ? r : needs_rank(op, err, SLICE_BEGIN, rank, true);
	r = r ? r : needs_rank(op, err, SLICE_STEP, rank, true);
	for (uint32_t i = 0; !r && i < rank; i++) {
		uint64_t size = item(op, SLICE_SIZE, i, 0), step = item(op, SLICE_STEP, i, 1);
		uint64_t last = item(op, SLICE_BEGIN, i, 0) + (size - 1) * step;
		if (!size || !step || last >= op->value[SLICE_SHAPE + 1 + i])
			return error_set(err, OP_BAD_VALUE, "size",
			        "dimension %u: begin, size and step must stay within its %u "
			        "elements, size and step at least 1",
			        i, op->value[SLICE_SHAPE + 1 + i]);
		if (op_dynamic_at(op, SLICE_SHAPE + 1 + i) >= 0)
			return error_set(err, OP_BAD_VALUE, "shape",
			        "dimension %u: slice takes no dynamic dimensions", i);
	}
	return r;
}

int rule_pad(const struct op *op, struct error *err)
{
	uint32_t rank = op->value[PAD_SHAPE];
	int r = needs_rank(op, err, PAD_BEFORE, rank, true);

	r = r ? r : needs_rank(op, err, PAD_AFTER, rank, true);
	if (!r && op->value[PAD_DTYPE] == DTYPE_I32)
		r = rule_number(op, PAD_NUMBER, "value", err);
	for (uint32_t i = 0; !r && i < rank; i++) {
		uint32_t before = item(op, PAD_BEFORE, i, 0), after = item(op, PAD_AFTER, i, 0);
		uint32_t extent = op->value[PAD_SHAPE + 1 + i];
		if (op->value[PAD_MODE] == 2 && (before >= extent || after >= extent))
			return error_set(err, OP_BAD_VALUE, "mode",
			        "mode=reflect: dimension %u has %u elements and can be padded by "
			        "fewer only",
			        i, extent);
		if (op_dynamic_at(op, PAD_SHAPE + 1 + i) >= 0)
			return error_set(err, OP_BAD_VALUE, "shape",
			        "dimension %u: pad takes no dynamic dimensions", i);
	}
	return r;
}

int rule_tile(const struct op *op, struct error *err)
{
	uint32_t rank = op->value[TILE_SHAPE];
	int r = needs_rank(op, err, TILE_REPEATS, rank, false);

	for (uint32_t i = 0; !r && i < rank; i++) {
		if (!op->value[TILE_REPEATS + 1 + i])
			return error_set(
			        err, OP_BAD_VALUE, "repeats", "repeats must be at least 1");
		if (op_dynamic_at(op, TILE_SHAPE + 1 + i) >= 0)
			return error_set(err, OP_BAD_VALUE, "shape",
			        "dimension %u: tile takes no dynamic dimensions", i);
	}
	return r;
}

int rule_attention(const struct op *op, struct error *err)
{
	const uint32_t *v = op->value;

	if (v[ATTENTION_DIM] > 256)
		return error_set(
		        err, OP_BAD_VALUE, "dim", "dim=%u: must be at most 256", v[ATTENTION_DIM]);
	if (v[ATTENTION_KV_HEADS] &&
	        must_divide(err, "kv_heads", v[ATTENTION_KV_HEADS], "heads", v[ATTENTION_HEADS]))
		return OP_BAD_VALUE;
	int kv = op_dynamic_at(op, ATTENTION_KV);
	if (kv >= 0 && v[ATTENTION_CAPACITY] &&
	        (!op->dynamic[kv].high || op->dynamic[kv].high > v[ATTENTION_CAPACITY]))
		return error_set(err, OP_BAD_VALUE, "kv",
		        "a dynamic kv needs a range within capacity=%u: ?1..%u",
		        v[ATTENTION_CAPACITY], v[ATTENTION_CAPACITY]);
	if (v[ATTENTION_CAPACITY] && v[ATTENTION_CAPACITY] < v[ATTENTION_KV])
		return error_set(err, OP_BAD_VALUE, "capacity",
		        "capacity=%u must be at least kv=%u", v[ATTENTION_CAPACITY],
		        v[ATTENTION_KV]);
	return 0;
}

/* ---- What every operator must keep. */

static int find_missing(const struct op *op, struct error *err)
{
	for (uint32_t i = 0; op_field(op->kind, i); i++) {
		const struct op_field *f = op_field(op->kind, i);
		bool must = f->kind == FIELD_DIM || f->kind == FIELD_SIZE ||
		            f->kind == FIELD_SHAPE || f->kind == FIELD_STEPS;
		if (must && !op->value[f->value])
			return error_set(err, OP_MISSING_FIELD, f->name, "%s needs %s (%s)",
			        op_name(op->kind), f->name, f->doc);
	}
	return 0;
}

static int find_too_large(const struct op *op, struct error *err)
{
	uint32_t dims[OP_DYNAMIC_MAX] = {0}, low;
	struct tensor tensors[OP_TENSORS_MAX];

	for (uint32_t i = 0; i < op->dynamic_count; i++)
		op_range(op, i, &low, &dims[i]);
	struct op greatest = op_at(op, dims);
	uint32_t count = op_tensors(&greatest, tensors);
	for (uint32_t i = 0; i < count; i++) {
		if (tensors[i].elements > OP_ELEMENTS_MAX)
			return error_set(err, OP_TOO_LARGE, tensors[i].name,
			        "%s would have %llu elements; at most 2147483648 (2^31) are "
			        "possible: split the operator",
			        tensors[i].name, (unsigned long long)tensors[i].elements);
	}
	return 0;
}

int op_validate(const struct op *op, struct error *err)
{
	int r = find_missing(op, err);

	if (!r)
		r = op_signature_rule(op->kind)(op, err);
	return r ? r : find_too_large(op, err);
}
