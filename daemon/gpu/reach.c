/* SPDX-License-Identifier: Apache-2.0
 *
 * Finding a kernel's reach. Its time at the points predicts its time further out; what was measured
 * there predicts better, so it is tried further out again. Where it is wrong, dimensions are halved
 * until it is right. Invariant: what is answered was verified, or is one of the points.
 */
#include "daemon/gpu/reach.h"

#include "daemon/gpu/answer.h"
#include "reference/reference.h"

#include <string.h>

/* So that inputs and references on the host take about a second. */
#define REACH_ELEMENTS (1u << 25) /* of all tensors together */
#define REACH_TERMS    (1u << 20) /* of one output element */
#define TRIES_OUT      3
#define TRIES_IN       6

struct search {
	struct builder *builder;
	const struct reach_params *params;
	struct op op;
	double ns_each; /* a launch's time for each unit of work() */
	struct reach reach;
};

static double work(const struct op *op, const uint32_t dims[OP_DYNAMIC_MAX])
{
	struct op at = op_at(op, dims);

	return op_flops(&at) + op_bytes(&at);
}

/* What a kernel is verified for: nothing further in is tried. */
static uint32_t least_of(const struct search *s, uint32_t n)
{
	return s->reach.dims[n];
}

static bool has_room(const struct search *s, const struct op *at)
{
	struct tensor tensors[OP_TENSORS_MAX];
	uint32_t count = op_tensors(at, tensors);
	uint64_t most = s->builder->device->adapter->limits.binding_bytes, elements = 0;

	for (uint32_t i = 0; i < count; i++) {
		if (tensor_bytes(&tensors[i]) > most)
			return false;
		elements += tensors[i].elements;
	}
	return elements <= REACH_ELEMENTS && reference_steps(at) <= REACH_TERMS;
}

static bool fits(const struct search *s, const uint32_t dims[OP_DYNAMIC_MAX])
{
	struct op at = op_at(&s->op, dims);

	return s->ns_each * work(&s->op, dims) <= REACH_NS && has_room(s, &at);
}

/* Halves the dimension that is furthest above what was verified; false: none is. */
static bool come_in(const struct search *s, uint32_t dims[OP_DYNAMIC_MAX])
{
	uint32_t best = OP_DYNAMIC_MAX;
	double ratio = 1;

	for (uint32_t n = 0; n < s->op.dynamic_count; n++) {
		double own = (double)dims[n] / least_of(s, n);
		if (own > ratio) {
			ratio = own;
			best = n;
		}
	}
	if (best == OP_DYNAMIC_MAX)
		return false;
	uint32_t half = dims[best] / 2, least = least_of(s, best);
	dims[best] = half > least ? half : least;
	return memcmp(dims, s->reach.dims, sizeof s->reach.dims) != 0;
}

/* One try out there; *ret_right, and what was seen. */
static int try_at(struct search *s, const uint32_t dims[OP_DYNAMIC_MAX], bool *ret_right,
        struct verdict *ret_verdict, struct error *err)
{
	struct builder far = *s->builder;
	struct built *built;
	int answer = workload_load_beside(s->builder->workload, dims, &far.workload, err);

	if (answer)
		return answer;
	answer = builder_build_here(&far, s->params->schedule, &built, err);
	if (!answer)
		answer = trial_verify(built, ret_verdict, err);
	if (answer != ANSWER_DEVICE_LOST)
		workload_free(far.workload);
	*ret_right = !answer && ret_verdict->right;
	return answer;
}

static void take(
        struct search *s, const uint32_t dims[OP_DYNAMIC_MAX], const struct verdict *verdict)
{
	struct reach *reach = &s->reach;

	memcpy(reach->dims, dims, sizeof reach->dims);
	if (!(verdict->max_rel_err <= reach->max_rel_err))
		reach->max_rel_err = verdict->max_rel_err;
	reach->checked += verdict->checked;
	s->ns_each = verdict->first_ns / work(&s->op, dims);
}

/* Out to what fits and back in to what is right; *ret_on: there may be more further out. A want of
 * memory is no error: it is nearer in, too, that it ends. */
static int go_out(struct search *s, bool *ret_on, struct error *err)
{
	uint32_t dims[OP_DYNAMIC_MAX];
	bool right = false, more = true;
	int answer = 0;

	memcpy(dims, s->params->most, sizeof dims);
	while (more && !fits(s, dims))
		more = come_in(s, dims);
	*ret_on = more && memcmp(dims, s->reach.dims, sizeof dims) != 0;
	for (int i = 0; *ret_on && more && !right && i < TRIES_IN; i++) {
		struct verdict verdict = {0};
		answer = try_at(s, dims, &right, &verdict, err);
		if (answer && answer != ANSWER_OUT_OF_MEMORY)
			return answer;
		if (right)
			take(s, dims, &verdict);
		else
			more = come_in(s, dims);
		if (!right && !answer)
			snprintf(s->reach.why, sizeof s->reach.why, "%s", verdict.why);
	}
	*ret_on &= right && !s->reach.why[0];
	return 0;
}

/* The point that is largest in every dimension, if one is; it was verified. */
static void start(struct search *s)
{
	const struct workload *near = s->builder->workload;
	const struct trial *trial = s->params->trial;
	double most = 0;

	for (uint32_t p = 0; p < trial->legs; p++) {
		double own = work(&s->op, near->points[p].dims);
		if (own <= most)
			continue;
		most = own;
		s->ns_each = trial->leg[p].pilot_ns / own;
		memcpy(s->reach.dims, near->points[p].dims, sizeof s->reach.dims);
	}
}

int reach_find(struct builder *builder, const struct reach_params *params, struct reach *ret_reach,
        struct error *err)
{
	struct search search = {.builder = builder, .params = params, .op = builder->workload->op};
	bool on = true;
	int answer = 0;

	start(&search);
	for (int i = 0; !answer && on && i < TRIES_OUT; i++)
		answer = go_out(&search, &on, err);
	if (!answer)
		*ret_reach = search.reach;
	return answer;
}
