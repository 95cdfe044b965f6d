/* SPDX-License-Identifier: Apache-2.0
 *
 * Where the fields of operators that share code stand in op.value: of convolutions and reductions
 * as a struct of positions, of the rest by name. Invariant: a function that reads an operator by
 * another's names reads the same fields; a row of op.def that breaks this does not compile.
 */
#include "op/op.h"

/* ---- Convolutions. */

/* clang-format off */
#define FIELDS_CONTRACTION(NAME) {0}
#define FIELDS_CONVOLUTION(NAME) \
	{NAME##_BATCH, NAME##_DTYPE, NAME##_ACC, NAME##_BIAS, NAME##_RESIDUAL, NAME##_ACT}
#define FIELDS_REDUCTION(NAME)   {0}
#define FIELDS_MAP(NAME)         {0}
#define FIELDS_ATTENTION(NAME)   {0}
/* clang-format on */

const struct op_convolution *op_convolution(const struct op *op)
{
	static const struct op_convolution fields[OP_COUNT] = {
#define OP(name, text, family, signature, doc) [OP_##name] = FIELDS_##family(name),
#define FIELD(...)
#define END(name)
#include "op/op.def"
	};

	return &fields[op->kind];
}

/* ---- Reductions. */

struct line_fields {
	uint32_t rows, n, inner; /* inner 0: there is none */
	uint32_t c;              /* 0: lines are no groups of channels */
	uint32_t dtype, scale, mask, mask_rows, mask_every, eps, act;
	bool reduced;
};

/* clang-format off */
#define LINES_OF(NAME) .rows = NAME##_ROWS, .n = NAME##_N, .dtype = NAME##_DTYPE
#define LINES_softmax(NAME) \
	{LINES_OF(NAME), .inner = NAME##_INNER, .scale = NAME##_SCALE, .mask = NAME##_MASK, \
	        .mask_rows = NAME##_MASK_ROWS, .mask_every = NAME##_MASK_EVERY}
#define LINES_norm(NAME)       {LINES_OF(NAME), .eps = NAME##_EPS}
#define LINES_groupnorm(NAME) \
	{.rows = NAME##_BATCH, .n = NAME##_INNER, .c = NAME##_C, .dtype = NAME##_DTYPE, \
	        .eps = NAME##_EPS, .act = NAME##_ACT}
#define LINES_reduce(NAME)     {LINES_OF(NAME), .inner = NAME##_INNER, .reduced = true}
#define LINES_arg_reduce(NAME) {LINES_OF(NAME), .inner = NAME##_INNER, .reduced = true}
#define LINES_cumsum(NAME)     {LINES_OF(NAME), .inner = NAME##_INNER}

#define LINES_CONTRACTION(NAME, signature) {0}
#define LINES_CONVOLUTION(NAME, signature) {0}
#define LINES_REDUCTION(NAME, signature)   LINES_##signature(NAME)
#define LINES_MAP(NAME, signature)         {0}
#define LINES_ATTENTION(NAME, signature)   {0}
/* clang-format on */
static const struct line_fields lines[OP_COUNT] = {
#define OP(name, text, family, signature, doc) [OP_##name] = LINES_##family(name, signature),
#define FIELD(...)
#define END(name)
#include "op/op.def"
};

/* Groups of an image; instancenorm has one for each channel. */
static uint32_t groups_of(const struct op *op, const struct line_fields *f)
{
	return op->kind == OP_GROUPNORM ? op->value[GROUPNORM_GROUPS] : op->value[f->c];
}

struct op_lines op_lines(const struct op *op)
{
	const struct line_fields *f = &lines[op->kind];
	struct op_lines l = {.rows = {1, f->rows},
	        .n = {1, f->n},
	        .inner = {1, f->inner ? f->inner : OP_CONSTANT},
	        .dtype = f->dtype,
	        .scale = f->scale,
	        .mask = f->mask,
	        .mask_rows = f->mask_rows,
	        .mask_every = f->mask_every,
	        .eps = f->eps,
	        .act = f->act,
	        .reduced = f->reduced};

	if (f->c) {
		l.groups = groups_of(op, f);
		l.rows.times = l.groups;
		l.n.times = op->value[f->c] / l.groups;
	}
	return l;
}

/* ---- The rest: whose names a signature's functions use. */

#define SAME(NAME, OTHER, FIELD)                               \
	_Static_assert((int)NAME##_##FIELD == OTHER##_##FIELD, \
	        #NAME " must have " #FIELD " where " #OTHER " has it");
#define LIKE_matmul(NAME)                      SAME(NAME, MATMUL, PITCH_A)
#define LIKE_matmul_nbits(NAME)                SAME(NAME, MATMUL_NBITS, PITCH)
#define LIKE_window(NAME)                      /* op_convolution and op_window tell them apart */
#define LIKE_softmax(NAME)                     SAME(NAME, SOFTMAX, MASK_EVERY)
#define LIKE_norm(NAME)                        SAME(NAME, LAYERNORM, EPS)
#define LIKE_groupnorm(NAME)                   SAME(NAME, GROUPNORM, ACT)
#define LIKE_reduce(NAME)                      SAME(NAME, REDUCE_SUM, DTYPE)
#define LIKE_arg_reduce(NAME)                  SAME(NAME, ARGMAX, DTYPE)
#define LIKE_cumsum(NAME)                      SAME(NAME, CUMSUM, REVERSE)
#define LIKE_elementwise(NAME)                 SAME(NAME, MAP, SHAPE) SAME(NAME, MAP, DTYPE) SAME(NAME, MAP, Z)
#define LIKE_cast(NAME)                        SAME(NAME, CAST, OUT)
#define LIKE_batchnorm(NAME)                   SAME(NAME, GROUPNORM, DTYPE) SAME(NAME, BATCHNORM, ACT)
#define LIKE_gate(NAME)                        SAME(NAME, GATE, ACT)
#define LIKE_rotary(NAME)                      SAME(NAME, ROTARY, DTYPE)
#define LIKE_transpose(NAME)                   SAME(NAME, TRANSPOSE, DTYPE)
#define LIKE_gather(NAME)                      SAME(NAME, GATHER, OF)
#define LIKE_concat(NAME)                      SAME(NAME, CONCAT, DTYPE)
#define LIKE_slice(NAME)                       SAME(NAME, SLICE, DTYPE)
#define LIKE_pad(NAME)                         SAME(NAME, PAD, DTYPE)
#define LIKE_tile(NAME)                        SAME(NAME, TILE, DTYPE)
#define LIKE_resize(NAME)                      SAME(NAME, RESIZE, DTYPE)
#define LIKE_quantise(NAME)                    SAME(NAME, QUANTIZE, ZEROS)
#define LIKE_attention(NAME)                   SAME(NAME, ATTENTION, DTYPE)
#define OP(name, text, family, signature, doc) LIKE_##signature(name)
#define FIELD(...)
#define END(name)
#include "op/op.def"
SAME(AVG_POOL, MAX_POOL, DTYPE)
