/* SPDX-License-Identifier: Apache-2.0
 *
 * What each reduction means, by the definition: one function an operator, or its row of
 * op/reductions.def. Invariant: every operator of the family has a meaning, or this file does not
 * compile.
 */
#include "reference/reference.h"

#include <float.h>
#include <math.h>

/* The line that an element of out belongs to, and where in it that element is. */
struct line {
	const struct reference *r;
	struct op_lines fields;
	uint64_t first, step, n; /* elements of x: first, first + step, ... */
	uint64_t row, at;
	uint32_t addend; /* tensor added to x: mask or residual; OP_TENSORS_MAX: none */
	uint64_t addend_first;
	double scale;
};

/* Element i of the line. Beside a mask of -1e9 an f32 has lost the element, and so has the sum
 * here. */
static double element(const struct line *line, uint64_t i)
{
	double x = reference_at(line->r, 0, line->first + i * line->step) * line->scale;

	if (line->addend < OP_TENSORS_MAX)
		x = (float)(x + reference_at(line->r, line->addend, line->addend_first + i));
	return x;
}

static double sum(const struct line *line)
{
	double total = 0;

	for (uint64_t i = 0; i < line->n; i++)
		total += element(line, i);
	return total;
}

static double sum_of_squares(const struct line *line, double about)
{
	double total = 0;

	for (uint64_t i = 0; i < line->n; i++)
		total += (element(line, i) - about) * (element(line, i) - about);
	return total;
}

/* Index of the first of the greatest (sign 1) or least (sign -1). NaN is passed over. */
static uint64_t extreme(const struct line *line, double sign)
{
	double greatest = -INFINITY;
	uint64_t best = 0;

	for (uint64_t i = 0; i < line->n; i++) {
		double x = sign * element(line, i);
		if (x > greatest) {
			greatest = x;
			best = i;
		}
	}
	return best;
}

/* ---- Operators. */

#define MEANING(NAME) static double meaning_##NAME(const struct line *line)

/* A line of nothing but -inf: all its exponentials are 0, and so is what each is of their sum. */
static double log_softmax(const struct line *line)
{
	double most = fmax(element(line, extreme(line, 1)), -DBL_MAX), total = 0;

	for (uint64_t i = 0; i < line->n; i++)
		total += exp(element(line, i) - most);
	return total == 0 ? -INFINITY : element(line, line->at) - most - log(total);
}

MEANING(LOG_SOFTMAX)
{
	return log_softmax(line);
}

MEANING(SOFTMAX)
{
	return exp(log_softmax(line));
}

/* Element `index` of the tensor of that name, or `otherwise` where there is none. */
static double parameter(const struct line *line, const char *name, uint64_t index, double otherwise)
{
	uint32_t tensor = reference_find(line->r, name);

	return tensor < OP_TENSORS_MAX ? reference_at(line->r, tensor, index) : otherwise;
}

static double weighed(const struct line *line, double x, uint64_t index)
{
	return x * parameter(line, "weight", index, 1) + parameter(line, "bias", index, 0);
}

static double eps_of(const struct line *line)
{
	return op_float(line->r->op, line->fields.eps);
}

static double normalised(const struct line *line)
{
	double mean = sum(line) / (double)line->n, eps = eps_of(line);
	double variance = sum_of_squares(line, mean) / (double)line->n;

	return (element(line, line->at) - mean) / sqrt(variance + eps);
}

MEANING(LAYERNORM)
{
	return weighed(line, normalised(line), line->at);
}

MEANING(RMSNORM)
{
	double square = sum_of_squares(line, 0) / (double)line->n + eps_of(line);

	return weighed(line, element(line, line->at) / sqrt(square), line->at);
}

static double groupnorm(const struct line *line)
{
	uint64_t inner = line->r->op->value[line->fields.n.value];
	uint64_t channels = (uint64_t)line->fields.n.times * line->fields.groups;
	uint64_t channel = (line->first + line->at) / inner % channels;

	return reference_acts(
	        line->r->op, line->fields.act, weighed(line, normalised(line), channel));
}

MEANING(GROUPNORM)
{
	return groupnorm(line);
}

MEANING(INSTANCENORM)
{
	return groupnorm(line);
}

MEANING(ARGMAX)
{
	return (double)extreme(line, 1);
}

MEANING(ARGMIN)
{
	return (double)extreme(line, -1);
}

MEANING(CUMSUM)
{
	const uint32_t *v = line->r->op->value;
	bool exclusive = v[CUMSUM_EXCLUSIVE], reverse = v[CUMSUM_REVERSE];
	double total = 0;

	for (uint64_t i = 0; i < line->n; i++)
		if (reverse ? i >= line->at + exclusive : i + exclusive <= line->at)
			total += element(line, i);
	return total;
}

#define REDUCE(NAME, text, join, term, result, start, fold, meaning, doc) \
	MEANING(NAME)                                                     \
	{                                                                 \
		double t = start, n = (double)line->n;                    \
                                                                          \
		for (uint64_t i = 0; i < line->n; i++) {                  \
			double x = element(line, i);                      \
			t = fold;                                         \
		}                                                         \
		(void)n;                                                  \
		return meaning;                                           \
	}
#include "op/reductions.def"

/* op.def's rows; only those of this family have a meaning here. */
#define MEANING_CONTRACTION(NAME) NULL
#define MEANING_CONVOLUTION(NAME) NULL
#define MEANING_REDUCTION(NAME)   meaning_##NAME
#define MEANING_MAP(NAME)         NULL
#define MEANING_ATTENTION(NAME)   NULL
static double (*const meanings[OP_COUNT])(const struct line *) = {
#define OP(name, text, family, signature, doc) [OP_##name] = MEANING_##family(name),
#define FIELD(...)
#define END(name)
#include "op/op.def"
};

/* ---- Lines. */

static uint64_t size(const struct reference *r, struct op_extent extent)
{
	return (uint64_t)extent.times *
	       (extent.value == OP_CONSTANT ? 1 : r->op->value[extent.value]);
}

/* What is added to x: a row of the mask for some rows of x, or the same elements of another. */
static void find_addend(struct line *line)
{
	const struct op_lines *f = &line->fields;
	const uint32_t *v = line->r->op->value;

	line->addend = reference_find(line->r, f->mask ? "mask" : "residual");
	line->addend_first = line->first;
	if (f->mask)
		line->addend_first = line->row / v[f->mask_every] % v[f->mask_rows] * line->n;
}

/* out is [rows,inner] where it is reduced, else [rows,n,inner] as x is. */
static struct line line_of(const struct reference *r, uint64_t out)
{
	struct line line = {.r = r, .fields = op_lines(r->op), .scale = 1};
	uint64_t inner = size(r, line.fields.inner), column = out % inner, row = out / inner;

	line.n = size(r, line.fields.n);
	line.step = inner;
	line.row = line.fields.reduced ? row : row / line.n;
	line.at = line.fields.reduced ? 0 : row % line.n;
	line.first = line.row * line.n * inner + column;
	if (line.fields.scale)
		line.scale = op_float(r->op, line.fields.scale);
	find_addend(&line);
	return line;
}

double reference_reduction(const struct reference *r, uint64_t out)
{
	struct line line = line_of(r, out);

	return meanings[r->op->kind](&line);
}
