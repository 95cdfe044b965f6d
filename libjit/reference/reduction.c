/* SPDX-License-Identifier: Apache-2.0
 *
 * What each reduction means, one function an operator (or a few that differ in a word), by the
 * definition.
 */
#include "reference/reference.h"

#include <math.h>

/* The line that an element of out belongs to, and where in it that element is. */
struct line {
	const struct reference *r;
	const uint32_t *value;   /* of the operator's fields */
	uint64_t first, step, n; /* elements of x: first, first + step, ... */
	uint64_t row, at;
	uint32_t addend; /* tensor added to x: mask or residual; OP_TENSORS_MAX: none */
	uint64_t addend_first;
	double scale;
};

/* Element i of the line. */
static double element(const struct line *line, uint64_t i)
{
	double x = reference_at(line->r, 0, line->first + i * line->step) * line->scale;

	if (line->addend < OP_TENSORS_MAX)
		x += reference_at(line->r, line->addend, line->addend_first + i);
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

/* Index of the first of the greatest (sign 1) or least (sign -1). */
static uint64_t extreme(const struct line *line, double sign)
{
	uint64_t best = 0;

	for (uint64_t i = 1; i < line->n; i++)
		if (sign * element(line, i) > sign * element(line, best))
			best = i;
	return best;
}

/* ---- Operators. */

static double log_softmax(const struct line *line)
{
	double most = element(line, extreme(line, 1)), total = 0;

	for (uint64_t i = 0; i < line->n; i++)
		total += exp(element(line, i) - most);
	return element(line, line->at) - most - log(total);
}

static double softmax(const struct line *line)
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

static double normalised(const struct line *line, double eps)
{
	double mean = sum(line) / (double)line->n;
	double variance = sum_of_squares(line, mean) / (double)line->n;

	return (element(line, line->at) - mean) / sqrt(fmax(variance + eps, 1e-30));
}

static double layernorm(const struct line *line)
{
	double eps = op_float(line->r->op, LAYERNORM_EPS);

	return weighed(line, normalised(line, eps), line->at);
}

static double rmsnorm(const struct line *line)
{
	double eps = op_float(line->r->op, RMSNORM_EPS);
	double square = sum_of_squares(line, 0) / (double)line->n;

	return weighed(line, element(line, line->at) / sqrt(fmax(square + eps, 1e-30)), line->at);
}

static double groupnorm(const struct line *line)
{
	const uint32_t *v = line->value;
	uint64_t channel = (line->first + line->at) / v[GROUPNORM_INNER] % v[GROUPNORM_C];
	double x = normalised(line, op_float(line->r->op, GROUPNORM_EPS));

	return reference_acts(line->r->op, GROUPNORM_ACT, weighed(line, x, channel));
}

static double mean(const struct line *line)
{
	return sum(line) / (double)line->n;
}

static double greatest(const struct line *line)
{
	return element(line, extreme(line, 1));
}

static double least(const struct line *line)
{
	return element(line, extreme(line, -1));
}

static double product(const struct line *line)
{
	double total = 1;

	for (uint64_t i = 0; i < line->n; i++)
		total *= element(line, i);
	return total;
}

static double norm_2(const struct line *line)
{
	return sqrt(sum_of_squares(line, 0));
}

static double index_of_greatest(const struct line *line)
{
	return (double)extreme(line, 1);
}

static double index_of_least(const struct line *line)
{
	return (double)extreme(line, -1);
}

static double cumsum(const struct line *line)
{
	bool exclusive = line->value[CUMSUM_EXCLUSIVE], reverse = line->value[CUMSUM_REVERSE];
	double total = 0;

	for (uint64_t i = 0; i < line->n; i++)
		if (reverse ? i >= line->at + exclusive : i + exclusive <= line->at)
			total += element(line, i);
	return total;
}

static double (*const meanings[OP_COUNT])(const struct line *) = {
        [OP_SOFTMAX] = softmax,
        [OP_LOG_SOFTMAX] = log_softmax,
        [OP_LAYERNORM] = layernorm,
        [OP_RMSNORM] = rmsnorm,
        [OP_GROUPNORM] = groupnorm,
        [OP_INSTANCENORM] = groupnorm,
        [OP_REDUCE_SUM] = sum,
        [OP_REDUCE_MEAN] = mean,
        [OP_REDUCE_MAX] = greatest,
        [OP_REDUCE_MIN] = least,
        [OP_REDUCE_PROD] = product,
        [OP_REDUCE_L2] = norm_2,
        [OP_ARGMAX] = index_of_greatest,
        [OP_ARGMIN] = index_of_least,
        [OP_CUMSUM] = cumsum,
};

/* ---- Lines. */

static struct line of_rows(const struct reference *r, uint64_t out)
{
	const uint32_t *v = r->op->value;
	bool reduced = r->op->kind >= OP_REDUCE_SUM && r->op->kind <= OP_ARGMIN;
	uint64_t n = v[SOFTMAX_N], inner = v[SOFTMAX_INNER], column = out % inner;
	struct line line = {.n = n, .step = inner, .scale = 1, .addend = reference_find(r, "mask")};

	line.row = reduced ? out / inner : out / inner / n;
	line.at = reduced ? 0 : out / inner % n;
	line.first = line.row * n * inner + column;
	if (r->op->kind == OP_SOFTMAX || r->op->kind == OP_LOG_SOFTMAX) {
		line.scale = op_float(r->op, SOFTMAX_SCALE);
		line.addend_first = line.row / v[SOFTMAX_MASK_EVERY] % v[SOFTMAX_MASK_ROWS] * n;
	}
	return line;
}

/* Whole rows of n neighbours. */
static struct line of_neighbours(const struct reference *r, uint64_t out, uint64_t n)
{
	struct line line = {.n = n, .step = 1, .scale = 1, .row = out / n, .at = out % n};

	line.first = line.addend_first = line.row * n;
	line.addend = reference_find(r, "residual");
	return line;
}

static struct line line_of(const struct reference *r, uint64_t out)
{
	const uint32_t *v = r->op->value;

	switch (r->op->kind) {
	case OP_LAYERNORM:
	case OP_RMSNORM:
		return of_neighbours(r, out, v[LAYERNORM_N]);
	case OP_GROUPNORM:
		return of_neighbours(r, out,
		        (uint64_t)v[GROUPNORM_C] / v[GROUPNORM_GROUPS] * v[GROUPNORM_INNER]);
	case OP_INSTANCENORM:
		return of_neighbours(r, out, v[INSTANCENORM_INNER]);
	default:
		return of_rows(r, out);
	}
}

double reference_reduction(const struct reference *r, uint64_t out)
{
	struct line line = line_of(r, out);

	line.r = r;
	line.value = r->op->value;
	return meanings[r->op->kind](&line);
}
