/* SPDX-License-Identifier: Apache-2.0
 *
 * Chains of functions at random: activations of an epilogue, and a map's steps. Each value carries
 * the range it lies in and how far off it may be; a function is drawn only where its result stays
 * in range and its error small, found by asking the function itself on a grid. A function that
 * jumps is drawn for exact operands alone: a rounding error could choose the side.
 */
#include "draw.h"

#include "reference/reference.h"

#include <math.h>
#include <string.h>

#define POINTS    7 /* of the grid, along each operand */
#define TRIES_MAX 200

struct range {
	double low, high, error; /* error: absolute */
	bool truth;
};

/* What the chain's numbers may be. */
struct bounds {
	double magnitude, rounding, error; /* the last two relative; error of the end */
	bool whole;
};

static double magnitude_of(const struct range *r)
{
	return fmax(fabs(r->low), fabs(r->high));
}

static bool jumps(enum scalar f)
{
	return f == SCALAR_SIGN || f == SCALAR_FLOOR || f == SCALAR_CEIL || f == SCALAR_ROUND ||
	       f == SCALAR_POW || scalar_info(f)->gives == GIVES_BOOL;
}

/* The grid's point number n along an operand; 0 is always one if it lies within. */
static double point(const struct range *r, uint32_t n)
{
	if (n == POINTS - 1 && r->low < 0 && r->high > 0)
		return 0;
	return r->low + (r->high - r->low) * n / (POINTS - 1);
}

/* How much f changes at a when its operands are off by their errors. */
static double sensitivity(enum scalar f, const double a[3], const struct range in[3])
{
	double value = reference_scalar(f, a[0], a[1], a[2]), sum = 0;

	for (uint32_t i = 0; i < scalar_info(f)->arity; i++) {
		double off[3] = {a[0], a[1], a[2]};
		off[i] += in[i].error;
		sum += fabs(reference_scalar(f, off[0], off[1], off[2]) - value);
	}
	return sum;
}

static void widen(struct range *r, double value)
{
	r->low = fmin(r->low, value);
	r->high = fmax(r->high, value);
}

/* The result's range over the grid; false where it is not finite somewhere. */
static bool survey(enum scalar f, const struct range in[3], struct range *ret_out)
{
	uint32_t arity = scalar_info(f)->arity, points = 1;
	struct range out = {INFINITY, -INFINITY, 0, scalar_info(f)->gives == GIVES_BOOL};

	for (uint32_t i = 0; i < arity; i++)
		points *= POINTS;
	for (uint32_t n = 0; n < points; n++) {
		double a[3] = {point(&in[0], n % POINTS), point(&in[1], n / POINTS % POINTS),
		        point(&in[2], n / POINTS / POINTS)};
		double value = reference_scalar(f, a[0], a[1], a[2]);
		if (!isfinite(value))
			return false;
		widen(&out, value);
		out.error = fmax(out.error, sensitivity(f, a, in));
	}
	*ret_out = out;
	return true;
}

/* Applies f, if the result is one that the bounds allow. */
static bool apply(
        enum scalar f, const struct range in[3], const struct bounds *b, struct range *ret_out)
{
	double error = 0;
	struct range out;

	for (uint32_t i = 0; i < scalar_info(f)->arity; i++)
		error = fmax(error, in[i].error);
	if ((jumps(f) && error > 0) || !survey(f, in, &out))
		return false;
	double most = magnitude_of(&out);
	bool moves = f == SCALAR_COPY || f == SCALAR_NEG || f == SCALAR_ABS || f == SCALAR_MIN ||
	             f == SCALAR_MAX || f == SCALAR_RELU || f == SCALAR_CLAMP || jumps(f);
	if (!b->whole && !(moves && error == 0) && f != SCALAR_WHERE)
		out.error += b->rounding * fmax(1, most);
	if (most > b->magnitude || out.error > b->error * fmax(1, most))
		return false;
	*ret_out = out;
	return true;
}

static enum scalar draw_function(struct draw *d)
{
	return (enum scalar)(1 + draw_below(d, SCALAR_FUNCTION_END - 1));
}

/* ---- Activations. */

static struct bounds bounds_of(const struct op *op, double error)
{
	struct tensor tensors[OP_TENSORS_MAX];
	uint32_t count = op_tensors(op, tensors);
	bool half = tensors[count - 1].dtype == DTYPE_F16 || error > 1e-3;

	return (struct bounds){
	        half ? 2e4 : 1e6, error > 1e-3 ? 5e-4 : 2e-7, error > 1e-3 ? 5e-3 : 1e-6, false};
}

static struct range start_of(const struct draw_numbers *numbers)
{
	return (struct range){-numbers->most, numbers->most, numbers->error * numbers->most, false};
}

static bool is_activation(enum scalar f)
{
	return scalar_info(f)->arity == 1 && scalar_info(f)->takes != TAKES_LOGIC;
}

uint32_t draw_acts(struct draw *d, const struct op *op)
{
	struct draw_numbers numbers = draw_numbers_of(op);
	struct bounds b = bounds_of(op, numbers.error);
	struct range value[3] = {start_of(&numbers)};
	uint32_t wanted = draw_one_in(d, 2) ? 0 : 1 + draw_below(d, 3), count = 0, acts = 0;

	for (uint32_t i = 0; i < TRIES_MAX && count < wanted; i++) {
		enum scalar f = draw_function(d);
		if (is_activation(f) && apply(f, value, &b, &value[0]))
			acts |= (uint32_t)f << 8 * count++;
	}
	return acts;
}

static int acts_field(const struct op *op)
{
	for (uint32_t i = 0; op_field(op->kind, i); i++)
		if (op_field(op->kind, i)->kind == FIELD_ACTS)
			return (int)op_field(op->kind, i)->value;
	return -1;
}

bool draw_acts_fit(const struct op *op)
{
	struct draw_numbers numbers = draw_numbers_of(op);
	struct bounds b = bounds_of(op, numbers.error);
	struct range value[3] = {start_of(&numbers)};
	enum scalar acts[OP_ACTS_MAX];
	int field = acts_field(op);

	if (field < 0)
		return true;
	if (numbers.most > b.magnitude)
		return false;
	for (uint32_t i = 0, count = op_acts(op, (uint32_t)field, acts); i < count; i++)
		if (!apply(acts[i], value, &b, &value[0]))
			return false;
	return true;
}

/* ---- Steps. */

#define HEIGHT_MAX 5

struct chain {
	struct bounds bounds;
	struct range stack[HEIGHT_MAX + 2];
	enum scalar steps[OP_STEPS_MAX];
	uint32_t height, count;
	bool used; /* one of x, y and z */
};

static void push(struct draw *d, struct chain *c, const struct op *op)
{
	static const enum scalar operands[] = {
	        SCALAR_X, SCALAR_X, SCALAR_Y, SCALAR_Y, SCALAR_Z, SCALAR_ALPHA, SCALAR_BETA};
	enum scalar step = operands[draw_below(d, sizeof operands / sizeof *operands)];
	double most = c->bounds.whole ? 1000 : 1.25;
	struct range value = {-most, most, 0, false};

	if (step >= SCALAR_ALPHA)
		value.low = value.high = op_number(op, step == SCALAR_ALPHA ? MAP_ALPHA : MAP_BETA);
	c->used |= step <= SCALAR_Z;
	c->stack[c->height++] = value;
	c->steps[c->count++] = step;
}

/* Truths where f takes truths, numbers where it takes numbers. */
static bool types_fit(const struct chain *c, enum scalar f)
{
	const struct scalar_info *info = scalar_info(f);
	const struct range *in = &c->stack[c->height - info->arity];

	if (c->bounds.whole && info->takes == TAKES_FLOAT)
		return false;
	for (uint32_t i = 0; i < info->arity; i++) {
		bool wants = info->takes == TAKES_LOGIC || (info->takes == TAKES_CHOICE && !i);
		if (in[i].truth != wants)
			return false;
	}
	return true;
}

static bool call(struct chain *c, enum scalar f)
{
	uint32_t arity = scalar_info(f)->arity;
	struct range in[3] = {0}, out;

	if (arity > c->height || !types_fit(c, f))
		return false;
	memcpy(in, &c->stack[c->height - arity], arity * sizeof *in);
	if (!apply(f, in, &c->bounds, &out))
		return false;
	c->height -= arity;
	c->stack[c->height++] = out;
	c->steps[c->count++] = f;
	return true;
}

/* One more step: an operand, or a function that fits. Near the end only what lowers the stack. */
static bool step(struct draw *d, struct chain *c, const struct op *op, uint32_t target)
{
	bool closing = c->height > 1 && c->count + c->height > target;

	if (!c->height || (!closing && c->height < HEIGHT_MAX && draw_one_in(d, 3))) {
		push(d, c, op);
		return true;
	}
	for (uint32_t i = 0; i < TRIES_MAX; i++) {
		enum scalar f = draw_function(d);
		if ((!closing || scalar_info(f)->arity > 1) && call(c, f))
			return true;
	}
	if (closing || c->height >= HEIGHT_MAX)
		return false;
	push(d, c, op);
	return true;
}

static void draw_constants(struct draw *d, struct op *op)
{
	static const double constants[] = {0.5f, 2, -1, 0.25f, 1.5f, -3};
	static const double wholes[] = {1, 2, -1, 7, -3, 100};
	uint32_t count = sizeof constants / sizeof *constants;
	const double *from = op->value[MAP_DTYPE] == DTYPE_I32 ? wholes : constants;

	memcpy(&op->value[MAP_ALPHA], &from[draw_below(d, count)], sizeof *from);
	memcpy(&op->value[MAP_BETA], &from[draw_below(d, count)], sizeof *from);
}

bool draw_steps(struct draw *d, struct op *op)
{
	uint32_t target = 2 + draw_below(d, OP_STEPS_MAX - 3);
	bool whole = op->value[MAP_DTYPE] == DTYPE_I32;
	struct chain c = {.bounds = {whole                               ? 1e9
	                             : op->value[MAP_DTYPE] == DTYPE_F16 ? 2e4
	                                                                 : 1e6,
	                          2e-7, 1e-6, whole}};

	draw_constants(d, op);
	while (c.count < target || c.height != 1)
		if (c.count == OP_STEPS_MAX || !step(d, &c, op, target))
			return false;
	for (uint32_t i = 0; i < c.count; i++)
		op->value[MAP_STEPS + i / 4] |= (uint32_t)c.steps[i] << 8 * (i % 4);
	return c.used;
}
