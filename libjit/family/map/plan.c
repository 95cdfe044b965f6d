/* SPDX-License-Identifier: Apache-2.0
 *
 * Every map operator as positions: the dimensions of out, and where each operand's element for a
 * position stands. One function a signature of op.def; schedules play no part. Invariant: strides
 * and sizes are products of dimensions, whatever these are at run time, so no plan depends on a
 * hint.
 */
#include "family/map/shape.h"

#include <string.h>

struct planner {
	const struct op *op;
	struct map_plan *plan;
};
typedef void plan_of(struct planner *p);

/* ---- Sizes. */

static struct map_size fixed(uint64_t times)
{
	return (struct map_size){.times = (uint32_t)times};
}

static struct map_size field(const struct op *op, uint32_t value)
{
	int n = op_dynamic_at(op, value);

	return n < 0 ? fixed(op->value[value])
	             : (struct map_size){.times = 1, .dims = (uint8_t)(1u << n)};
}

struct map_size map_times(struct map_size x, struct map_size y)
{
	uint32_t times = x.times * y.times;

	return (struct map_size){times, times ? x.dims | y.dims : 0};
}

static bool same_size(struct map_size x, struct map_size y)
{
	return x.times == y.times && x.dims == y.dims;
}

static uint32_t common_divisor(uint32_t a, uint32_t b)
{
	while (b) {
		uint32_t rest = a % b;
		a = b;
		b = rest;
	}
	return a;
}

/* ---- Dimensions and views. */

static void add_size(struct planner *p, struct map_size size)
{
	p->plan->size[p->plan->dims++] = size;
}

static void add_field(struct planner *p, uint32_t value)
{
	add_size(p, field(p->op, value));
}

static void add_shape(struct planner *p, uint32_t at)
{
	for (uint32_t i = 0; i < p->op->value[at]; i++)
		add_field(p, at + 1 + i);
}

static struct map_view *add_view(struct planner *p, uint32_t tensor)
{
	struct map_view *view = &p->plan->view[p->plan->views++];

	*view = (struct map_view){.tensor = tensor};
	return view;
}

/* Of a tensor shaped as out. */
static struct map_view *add_flat(struct planner *p, uint32_t tensor)
{
	struct map_view *view = add_view(p, tensor);
	struct map_size stride = fixed(1);

	view->flat = true;
	for (uint32_t i = p->plan->dims; i-- > 0;) {
		view->stride[i] = stride;
		stride = map_times(stride, p->plan->size[i]);
	}
	return view;
}

static void add_free(struct planner *p, uint32_t tensor, uint32_t lanes_each)
{
	struct map_view *view = add_view(p, tensor);

	view->free = true;
	view->lanes_each = lanes_each;
}

/* Element c of a tensor [c], c being position[1]. */
static void add_channels(struct planner *p, uint32_t tensor)
{
	add_view(p, tensor)->stride[1] = fixed(1);
}

/* ---- Dimensions that all operands treat alike are one; those of 1 are none. */

static void move_dimension(struct map_plan *plan, uint32_t to, uint32_t from)
{
	plan->size[to] = plan->size[from];
	for (uint32_t v = 0; v < plan->views; v++)
		plan->view[v].stride[to] = plan->view[v].stride[from];
}

/* Whether a step along `outer` is as long as all of `inner`, for every operand. */
static bool continues(const struct map_plan *plan, uint32_t outer, uint32_t inner)
{
	for (uint32_t v = 0; v < plan->views; v++)
		if (!same_size(plan->view[v].stride[outer],
		            map_times(plan->view[v].stride[inner], plan->size[inner])))
			return false;
	return true;
}

static void collapse(struct planner *p)
{
	struct map_plan *plan = p->plan;
	uint32_t kept = 0;

	for (uint32_t i = 0; i < plan->dims; i++) {
		if (same_size(plan->size[i], fixed(1)))
			continue;
		if (kept && continues(plan, kept - 1, i)) {
			struct map_size joined = map_times(plan->size[kept - 1], plan->size[i]);
			move_dimension(plan, kept - 1, i);
			plan->size[kept - 1] = joined;
		} else {
			move_dimension(plan, kept++, i);
		}
	}
	if (!kept) {
		plan->size[kept++] = fixed(1);
		for (uint32_t v = 0; v < plan->views; v++)
			plan->view[v].stride[0] = fixed(1);
	}
	plan->dims = kept;
	plan->unit = plan->size[kept - 1].times;
}

static bool is_flat(const struct map_plan *plan, const struct map_view *view)
{
	struct map_size stride = fixed(1);

	if (view->offset.times)
		return false;
	for (uint32_t i = plan->dims; i-- > 0;) {
		if (!same_size(view->stride[i], stride))
			return false;
		stride = map_times(stride, plan->size[i]);
	}
	return true;
}

/* ---- Operators whose operands stand at sums of strides. */

/* NumPy, "Broadcasting": shapes are aligned at the end, and a dimension of 1 is repeated. */
static void add_operand(struct planner *p, uint32_t tensor, uint32_t at)
{
	const struct op *op = p->op;
	uint32_t rank = op->value[at], missing = p->plan->dims - rank;
	struct map_size stride = fixed(1);

	if (!rank) {
		add_flat(p, tensor);
		return;
	}
	struct map_view *view = add_view(p, tensor);
	for (uint32_t i = rank; i-- > 0;) {
		uint32_t own = op->value[at + 1 + i];
		view->stride[missing + i] = own == 1 ? fixed(0) : stride;
		stride = map_times(stride, fixed(own));
	}
}

static bool is_movement(enum scalar step)
{
	return step == SCALAR_COPY || step == SCALAR_WHERE ||
	       (step >= SCALAR_X && step <= SCALAR_Z);
}

static void plan_elementwise(struct planner *p)
{
	static const uint32_t at[] = {MAP_X, MAP_Y, MAP_Z};
	enum scalar steps[OP_STEPS_MAX + 1];
	uint32_t count = op_steps(p->op, steps), used = 0, tensor = 0;

	add_shape(p, MAP_SHAPE);
	p->plan->moves = true;
	for (uint32_t i = 0; i < count; i++) {
		p->plan->moves &= is_movement(steps[i]);
		if (steps[i] >= SCALAR_X && steps[i] <= SCALAR_Z)
			used |= 1u << (steps[i] - SCALAR_X);
		else if (steps[i] < SCALAR_FUNCTION_END)
			p->plan->cost += scalar_info(steps[i])->cost;
	}
	for (uint32_t i = 0; i < 3; i++)
		if (used >> i & 1)
			add_operand(p, tensor++, at[i]);
	collapse(p);
}

static void plan_cast(struct planner *p)
{
	add_shape(p, CAST_SHAPE);
	add_flat(p, 0);
	p->plan->cost = 4;
	p->plan->moves = p->op->value[CAST_DTYPE] == p->op->value[CAST_OUT];
	collapse(p);
}

static void plan_batchnorm(struct planner *p)
{
	add_field(p, BATCHNORM_BATCH);
	add_field(p, BATCHNORM_C);
	add_field(p, BATCHNORM_INNER);
	add_flat(p, 0);
	add_channels(p, 1);
	add_channels(p, 2);
	p->plan->cost = 1 + op_acts_cost(p->op, BATCHNORM_ACT);
	collapse(p);
}

static void plan_quantise(struct planner *p)
{
	add_field(p, QUANTIZE_OUTER);
	add_field(p, QUANTIZE_C);
	add_field(p, QUANTIZE_INNER);
	add_flat(p, 0);
	add_channels(p, 1);
	if (p->op->value[QUANTIZE_ZEROS])
		add_channels(p, 2);
	p->plan->cost = p->op->kind == OP_QUANTIZE ? 12 : 3;
	collapse(p);
}

static void plan_gate(struct planner *p)
{
	struct map_size n = field(p->op, GATE_N);

	add_field(p, GATE_ROWS);
	add_size(p, n);
	for (uint32_t half = 0; half < 2; half++) {
		struct map_view *view = add_view(p, 0);
		view->stride[0] = map_times(n, fixed(2));
		view->stride[1] = fixed(1);
		view->offset = map_times(n, fixed(half));
	}
	p->plan->cost = 1 + op_acts_cost(p->op, GATE_ACT);
	collapse(p);
}

static void plan_transpose(struct planner *p)
{
	const uint32_t *perm = &p->op->value[TRANSPOSE_PERM + 1];
	uint32_t rank = p->op->value[TRANSPOSE_SHAPE];
	struct map_size stride[OP_RANK_MAX], running = fixed(1);

	for (uint32_t i = rank; i-- > 0;) {
		stride[i] = running;
		running = map_times(running, field(p->op, TRANSPOSE_SHAPE + 1 + i));
	}
	struct map_view *view = add_view(p, 0);
	for (uint32_t i = 0; i < rank; i++) {
		view->stride[i] = stride[perm[i]];
		add_field(p, TRANSPOSE_SHAPE + 1 + perm[i]);
	}
	p->plan->moves = true;
	collapse(p);
}

static uint32_t listed(const struct op *op, uint32_t at, uint32_t i, uint32_t initial)
{
	return op->value[at] ? op->value[at + 1 + i] : initial;
}

static void plan_slice(struct planner *p)
{
	const struct op *op = p->op;
	uint32_t rank = op->value[SLICE_SHAPE];
	struct map_view *view = add_view(p, 0);
	struct map_size stride = fixed(1);

	add_shape(p, SLICE_SIZE);
	for (uint32_t i = rank; i-- > 0;) {
		uint32_t begin = listed(op, SLICE_BEGIN, i, 0);
		view->stride[i] = map_times(stride, fixed(listed(op, SLICE_STEP, i, 1)));
		view->offset.times += stride.times * begin;
		stride = map_times(stride, fixed(op->value[SLICE_SHAPE + 1 + i]));
	}
	p->plan->moves = true;
	collapse(p);
}

/* A dimension repeated is two: which repetition, and where in it. */
static void plan_tile(struct planner *p)
{
	const struct op *op = p->op;
	uint32_t rank = op->value[TILE_SHAPE];
	struct map_view *view = add_view(p, 0);
	struct map_size stride = fixed(1);

	for (uint32_t i = 0; i < rank; i++) {
		add_size(p, fixed(op->value[TILE_REPEATS + 1 + i]));
		add_field(p, TILE_SHAPE + 1 + i);
	}
	for (uint32_t i = rank; i-- > 0;) {
		view->stride[2 * i + 1] = stride;
		stride = map_times(stride, fixed(op->value[TILE_SHAPE + 1 + i]));
	}
	p->plan->moves = true;
	collapse(p);
}

/* ---- Operators that say themselves where operands stand. */

static void plan_rotary(struct planner *p)
{
	const uint32_t *v = p->op->value;
	uint32_t turned = v[ROTARY_ROTATED] ? v[ROTARY_ROTATED] : v[ROTARY_DIM];
	bool neighbours = v[ROTARY_PAIRS];

	add_field(p, ROTARY_BATCH);
	if (!v[ROTARY_ORDER])
		p->plan->size[0] = map_times(p->plan->size[0], fixed(v[ROTARY_HEADS]));
	add_field(p, ROTARY_SEQ);
	if (v[ROTARY_ORDER])
		add_field(p, ROTARY_HEADS);
	add_field(p, ROTARY_DIM);
	p->plan->unit = common_divisor(neighbours ? turned : turned / 2, v[ROTARY_DIM]);
	add_flat(p, 0);
	add_free(p, 0, 1);
	add_free(p, 1, neighbours ? 2 : 1);
	add_free(p, 2, neighbours ? 2 : 1);
	p->plan->cost = 10;
	p->plan->taps = 1;
}

static void plan_gather(struct planner *p)
{
	add_field(p, GATHER_OUTER);
	add_field(p, GATHER_COUNT);
	add_field(p, GATHER_INNER);
	p->plan->unit = p->op->value[GATHER_INNER];
	p->plan->partial = p->op->value[GATHER_OF];
	add_free(p, 0, 1);
	add_free(p, 1, 0);
	p->plan->cost = 8;
	p->plan->taps = 1;
	p->plan->moves = true;
}

static void plan_concat(struct planner *p)
{
	const struct op *op = p->op;
	uint32_t inner = op->value[CONCAT_INNER], sum = 0;

	for (uint32_t i = 0; i < op->value[CONCAT_SIZES]; i++) {
		uint32_t own = op->value[CONCAT_SIZES + 1 + i] * inner;
		p->plan->unit = common_divisor(p->plan->unit, own);
		sum += own;
		add_free(p, i, 1);
	}
	add_field(p, CONCAT_OUTER);
	add_size(p, fixed(sum));
	p->plan->cost = 6 * op->value[CONCAT_SIZES];
	p->plan->taps = 1.0 / op->value[CONCAT_SIZES];
	p->plan->moves = true;
}

/* Neighbouring dimensions that get nothing added are one. */
static void plan_pad(struct planner *p)
{
	const struct op *op = p->op;
	struct map_plan *plan = p->plan;
	bool padded = true;

	for (uint32_t i = 0; i < op->value[PAD_SHAPE]; i++) {
		uint32_t extent = op->value[PAD_SHAPE + 1 + i];
		uint32_t before = listed(op, PAD_BEFORE, i, 0);
		uint32_t more = before + listed(op, PAD_AFTER, i, 0);
		if (!padded && !more) {
			plan->extent[plan->dims - 1] *= extent;
			plan->size[plan->dims - 1].times *= extent;
			continue;
		}
		padded = more;
		plan->before[plan->dims] = before;
		plan->extent[plan->dims] = extent;
		add_size(p, fixed(extent + more));
	}
	plan->unit = plan->size[plan->dims - 1].times;
	add_free(p, 0, padded ? 0 : 1);
	plan->cost = 8 * plan->dims;
	plan->taps = 1;
	plan->moves = true;
}

static void plan_resize(struct planner *p)
{
	const uint32_t *v = p->op->value;
	bool inner = v[RESIZE_INNER] > 1;

	add_field(p, RESIZE_PLANES);
	add_field(p, RESIZE_OH);
	add_field(p, RESIZE_OW);
	if (inner)
		add_field(p, RESIZE_INNER);
	p->plan->unit = inner ? v[RESIZE_INNER] : v[RESIZE_OW];
	add_free(p, 0, inner ? 1 : 0);
	p->plan->cost = v[RESIZE_MODE] ? 36 : 12;
	p->plan->taps = v[RESIZE_MODE] ? 4 : 1;
	p->plan->moves = !v[RESIZE_MODE];
}

/* Pools. */
static void plan_window(struct planner *p)
{
	struct op_window w = op_window(p->op);

	add_field(p, MAX_POOL_BATCH);
	if (!w.nhwc)
		p->plan->size[0] = map_times(p->plan->size[0], fixed(w.c));
	add_size(p, fixed(w.oh));
	add_size(p, fixed(w.ow));
	if (w.nhwc)
		add_size(p, fixed(w.c));
	p->plan->unit = w.nhwc ? w.c : w.ow;
	add_free(p, 0, w.nhwc ? 1 : 0);
	p->plan->taps = (double)w.kh * w.kw;
	p->plan->cost = 10 + 9 * p->plan->taps;
}

/* ---- All of them. */

/* op.def's rows; only those of this family have a plan. */
#define PLAN_CONTRACTION(signature) NULL
#define PLAN_CONVOLUTION(signature) NULL
#define PLAN_REDUCTION(signature)   NULL
#define PLAN_ATTENTION(signature)   NULL
#define PLAN_MAP(signature)         plan_##signature
static plan_of *const plans[OP_COUNT] = {
#define OP(name, text, family, signature, doc) [OP_##name] = PLAN_##family(signature),
#define FIELD(...)
#define END(name)
#include "op/op.def"
};

struct map_plan map_plan(const struct op *op)
{
	struct map_plan plan = {.elements = {.times = 1}};

	plans[op->kind](&(struct planner){op, &plan});
	for (uint32_t i = 0; i < plan.dims; i++)
		plan.elements = map_times(plan.elements, plan.size[i]);
	for (uint32_t i = 0; i < plan.views; i++) {
		struct map_view *view = &plan.view[i];
		plan.separate |= view->free;
		view->flat = !view->free && is_flat(&plan, view);
	}
	return plan;
}

/* Dimensions and strides of 1 were dropped or joined, so that only one has a stride of 1. */
uint32_t map_moved(const struct op *op, const struct map_plan *plan)
{
	uint32_t i = 0;

	if (op->kind != OP_TRANSPOSE || plan->dims < 2)
		return plan->dims;
	while (i + 1 < plan->dims && !same_size(plan->view[0].stride[i], fixed(1)))
		i++;
	return i + 1 < plan->dims ? i : plan->dims;
}
