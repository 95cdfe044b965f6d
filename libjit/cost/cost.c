/* SPDX-License-Identifier: Apache-2.0
 *
 * The cost model: time is the launch plus the slower of instructions and memory traffic, where
 * every instruction an invocation issues counts (not only multiply-adds) and a dispatch too small
 * to fill the device leaves part of it idle. Two machines are told apart by a measured fact, not by
 * a name: on a processor a load is a gather that costs as much as several multiply-adds and no
 * parallelism is needed; on a GPU loads are cheap, lanes are many and registers are few. What the
 * probe measured takes the place of a weight; weights stand for what it cannot measure. Invariant:
 * the parts add up to the time.
 */
#include "cost/cost.h"

#include "cost/calibrate.h"

#include <math.h>

/* Costs in units of one scalar multiply-add of one invocation. */
struct weights {
	double load, lane; /* a load from global memory: the instruction, each of its lanes */
	double shared_load, shared_lane; /* the same from workgroup memory */
	double barrier;
	double turn;                    /* of a loop: counter, compare, address arithmetic */
	double turn_accumulator;        /* of a loop: an accumulator carried round */
	double registers;               /* accumulators an invocation holds without spilling */
	double spill;                   /* per multiply-add beyond them */
	double simd;                    /* invocations of a workgroup that run in lockstep */
	double lanes_per_gflops;        /* invocations that fill the device, per GFLOP/s of peak */
	double cores, cores_per_gflops; /* workgroups that run side by side: the greater of both */
	double start;                   /* an invocation's fixed work */
	double fetch;                   /* an instruction of the code, for each invocation */
	double reuse;                   /* of traffic by caches: times that memory seems faster */
	double fma_gflops, memory_gbps; /* where these could not be measured */
	bool gathers;                   /* loads are */
};
/* Fitted on an NVIDIA H200: 750 schedules of eight operators. */
static const struct weights weights_gpu = {.load = 4.6,
        .lane = 7,
        .shared_load = 0.5,
        .shared_lane = 0.8,
        .barrier = 10,
        .turn = 2,
        .turn_accumulator = 0,
        .registers = 140,
        .spill = 19,
        .simd = 2,
        .lanes_per_gflops = 1.2,
        .cores = 1,
        .cores_per_gflops = 0.0016,
        .start = 170,
        .fetch = 0,
        .reuse = 3,
        .fma_gflops = 1000,
        .memory_gbps = 50};
/* Fitted on SwiftShader and lavapipe, two cores: 1480 schedules of 38 operators of every family,
 * with what was measured of each (weigh) in the place of lane, shared_lane, barrier, simd and
 * cores. A load is a checked gather that costs by its lanes, and loops carry their state through
 * memory. */
static const struct weights weights_cpu = {.load = 0.5,
        .lane = 10,
        .shared_load = 40,
        .shared_lane = 15,
        .barrier = 300,
        .turn = 4,
        .turn_accumulator = 0.55,
        .registers = 128,
        .spill = 0.15,
        .simd = 4,
        .lanes_per_gflops = 0.1,
        .cores = 4,
        .cores_per_gflops = 0,
        .start = 200,
        .fetch = 1.5,
        .reuse = 2.5,
        .fma_gflops = 20,
        .memory_gbps = 10,
        .gathers = true};

/* On a processor what the probe measured takes the place of weights: there its kernels and those to
 * be predicted wait for the same instructions. */
static struct weights weigh(const struct facts *facts)
{
	struct weights w = facts->cpu ? weights_cpu : weights_gpu;

	if (facts->fma_gflops > 0)
		w.fma_gflops = facts->fma_gflops;
	if (facts->memory_gbps > 0)
		w.memory_gbps = facts->memory_gbps;
	if (!facts->cpu)
		return w;
	if (facts->cores > 0)
		w.cores = facts->cores;
	if (facts->lanes > 0)
		w.simd = facts->lanes;
	if (facts->caches[0].gbps > 0)
		w.lane = 2 * w.fma_gflops / facts->caches[0].gbps;
	if (facts->workgroup_gbps > 0)
		w.shared_lane = 2 * w.fma_gflops / facts->workgroup_gbps;
	if (facts->barrier_ns > 0)
		w.barrier = facts->barrier_ns / 64 * w.fma_gflops / 2 / w.cores;
	return w;
}

static const struct {
	const char *name;
} bounds[COST_BOUNDS] = {
#define BOUND(name, text) {text},
#include "cost/bounds.def"
};
static const enum cost_bound bound_of[COST_PARTS] = {
#define PART(name, bound, doc) COST_##bound,
#include "cost/bounds.def"
};

const char *cost_bound_name(enum cost_bound bound)
{
	return bounds[bound].name;
}

/* A processor's gather costs by the places it goes to: where the invocations that run in lockstep
 * are of several rows, the operand that a row shares comes from as many. */
static double straddled(const struct work *work, const struct weights *w)
{
	return w->gathers && work->row > 0 ? fmax(1, w->simd / work->row) : 1;
}

/* What one invocation issues, in multiply-adds. */
static double count_issued(const struct work *work, const struct weights *w, double *part)
{
	double beyond = work->registers - w->registers, sum = 0;

	part[PART_ARITHMETIC] = work->arithmetic;
	part[PART_TURNS] = work->turns * (w->turn + w->turn_accumulator * work->accumulators);
	if (beyond > 0 && work->accumulators > 0)
		part[PART_SPILLS] = work->arithmetic / work->accumulators * beyond * w->spill;
	part[PART_START] = w->start + w->fetch * work->instructions;
	part[PART_LOADS] = work->loads * w->load;
	part[PART_LANES] = work->lanes * w->lane * straddled(work, w);
	part[PART_SHARED] = work->shared_loads * w->shared_load +
	                    work->shared_lanes * w->shared_lane;
	part[PART_BARRIERS] = work->barriers * w->barrier;
	for (uint32_t i = 0; i < COST_PARTS; i++)
		sum += part[i];
	return sum;
}

/* The part of the device that the dispatch keeps busy, at most 1. */
static double filled(
        const struct work *work, double workgroups, double invocations, const struct weights *w)
{
	double gflops = w->fma_gflops;
	double lanes = workgroups * invocations * work->parallel / (w->lanes_per_gflops * gflops);
	double cores = fmax(w->cores, w->cores_per_gflops * gflops);
	double turns = ceil(workgroups / cores); /* the last one may leave cores idle */

	return fmin(fmin(lanes, 1), workgroups / (turns * cores));
}

/* Workgroups of the dispatch; *ret_invocations of each. */
static double count_workgroups(
        const struct op *op, const struct geometry *g, double *ret_invocations)
{
	uint32_t dims[OP_DYNAMIC_MAX] = {0};
	double workgroups = 1;

	for (uint32_t i = 0; i < op->dynamic_count; i++)
		dims[i] = op->value[op->dynamic[i].value];
	*ret_invocations = 1;
	for (uint32_t i = 0; i < 3; i++) {
		*ret_invocations *= g->workgroup_size[i];
		workgroups *= (double)extent_at(&g->grid[i], dims);
	}
	return workgroups;
}

/* The time of each part, as if it were the only one. Returns that of instructions together. */
static double time_parts(const struct op *op, const struct geometry *g, const struct work *work,
        const struct weights *w, double part[COST_PARTS])
{
	double invocations, workgroups = count_workgroups(op, g, &invocations);
	double lockstep = ceil(invocations / w->simd) * w->simd;
	double unit_ns = workgroups * lockstep * 2 / w->fma_gflops;
	double issued_ns = unit_ns * count_issued(work, w, part);
	double busy = filled(work, workgroups, invocations, w);

	for (uint32_t i = 0; i < COST_PARTS; i++)
		part[i] *= unit_ns;
	part[PART_IDLE] = issued_ns / busy - issued_ns;
	part[PART_TRAFFIC] = work->traffic_bytes / (w->memory_gbps * w->reuse);
	return issued_ns / busy;
}

/* Instructions and traffic overlap: of the faster a tenth shows. */
#define HIDDEN 0.1

static double overlap(double part[COST_PARTS], double issued_ns)
{
	bool memory = part[PART_TRAFFIC] > issued_ns;
	double sum = 0;

	for (uint32_t i = 0; i < COST_PARTS; i++) {
		if (i != PART_LAUNCH && (i == PART_TRAFFIC) != memory)
			part[i] *= HIDDEN;
		sum += part[i];
	}
	return sum;
}

static enum cost_bound greatest(const double share[COST_PARTS])
{
	double sums[COST_BOUNDS] = {0};
	enum cost_bound bound = 0;

	for (uint32_t i = 0; i < COST_PARTS; i++)
		sums[bound_of[i]] += share[i];
	for (uint32_t i = 1; i < COST_BOUNDS; i++)
		if (sums[i] > sums[bound])
			bound = (enum cost_bound)i;
	return bound;
}

struct prediction cost_predict(const struct op *op, const struct geometry *g,
        const struct work *work, const struct facts *facts)
{
	struct weights w = weigh(facts);
	struct prediction p = {0};
	double issued_ns = time_parts(op, g, work, &w, p.share);

	p.share[PART_LAUNCH] = facts->launch_ns;
	p.ns = overlap(p.share, issued_ns);
	for (uint32_t i = 0; i < COST_PARTS; i++)
		p.share[i] /= p.ns;
	p.bound = greatest(p.share);
	p.ns *= correction_factor(facts->correction, op_family(op->kind), p.share);
	return p;
}
