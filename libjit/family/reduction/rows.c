/* SPDX-License-Identifier: Apache-2.0
 *
 * The reductions as a table: what each pass takes of an element, how that is joined, and what is
 * written. No schedule plays a part. Invariant: every operator of the family has a row here or in
 * op/reductions.def, or this file does not compile.
 */
#include "family/reduction/shape.h"

enum { /* steps by the names that the rows use */
#define SCALAR(name, ...) name = SCALAR_##name,
#include "op/scalar.def"
	X = SCALAR_X,
	Y = SCALAR_Y,
	Z = SCALAR_Z,
	ALPHA = SCALAR_ALPHA,
	BETA = SCALAR_BETA
};

/* clang-format off */
#define ROW(NAME) static const struct reduction_row NAME##_row
#define LIST(...) {__VA_ARGS__}
#define PASS(join, term, result) {JOIN_##join, LIST term, LIST result, 0}
#define NORMALISE /* the mean, then the variance about it; or both from sums and sums of squares */ \
	.output = OUTPUT_ELEMENTS, .shifted = true, .online = ONLINE_APART, \
	.pass = {PASS(ADD, (X), (Y, BETA, MUL)), \
	         PASS(ADD, (X, Y, SUB, SQUARE), (Z, BETA, MUL, ALPHA, ADD, RSQRT)), \
	         PASS(ADD, (X, SQUARE), (Z, BETA, MUL, Y, SQUARE, SUB, RELU, ALPHA, ADD, RSQRT))}, \
	.write = {X, Y, SUB, Z, MUL}

/* A sum of exponentials is about 1 at least, or 0 where all is -inf: then any number does for it. */
#define EXPONENTIALS(result) \
	.output = OUTPUT_ELEMENTS, .online = ONLINE_EXPONENTIALS, \
	.pass = {PASS(TOP, (X), (0)), {JOIN_ADD, {X, Y, SUB, EXP}, LIST result, 0.5f}}

ROW(SOFTMAX) = {EXPONENTIALS((Z, RECIPROCAL)),
	.write = {X, Y, SUB, EXP, Z, MUL}};
ROW(LOG_SOFTMAX) = {EXPONENTIALS((Z, LOG)),
	.write = {X, Y, SUB, Z, SUB}};
ROW(LAYERNORM) = {NORMALISE};
ROW(RMSNORM) = {.output = OUTPUT_ELEMENTS,
	.pass = {PASS(ADD, (X, SQUARE), (Y, BETA, MUL, ALPHA, ADD, RSQRT))},
	.write = {X, Y, MUL}};
ROW(GROUPNORM) = {NORMALISE};
ROW(INSTANCENORM) = {NORMALISE};
ROW(ARGMAX) = {.output = OUTPUT_INDICES, .pass = {PASS(MAX, (X), (0))}};
ROW(ARGMIN) = {.output = OUTPUT_INDICES, .pass = {PASS(MIN, (X), (0))}};
ROW(CUMSUM) = {.output = OUTPUT_RUNNING, .pass = {PASS(ADD, (X), (0))}};
#define REDUCE(NAME, text, join, term, result, ...) \
	ROW(NAME) = {.output = OUTPUT_RESULTS, .pass = {PASS(join, term, (0))}, .write = LIST result};
#include "op/reductions.def"
/* clang-format on */

#define ROW_CONTRACTION(NAME) NULL
#define ROW_CONVOLUTION(NAME) NULL
#define ROW_REDUCTION(NAME)   &NAME##_row
#define ROW_MAP(NAME)         NULL
#define ROW_ATTENTION(NAME)   NULL

const struct reduction_row *reduction_row(const struct op *op)
{
	static const struct reduction_row *const rows[OP_COUNT] = {
#define OP(name, text, family, signature, doc) [OP_##name] = ROW_##family(name),
#define FIELD(...)
#define END(name)
#include "op/op.def"
	};

	return rows[op->kind];
}
