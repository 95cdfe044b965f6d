/* SPDX-License-Identifier: Apache-2.0
 *
 * The cost model: time is the launch plus the slower of arithmetic and memory, where arithmetic
 * counts every instruction an invocation issues (not only multiply-adds) and is slowed when the
 * dispatch is too small to fill the device. Two machines are told apart by a measured fact, not by
 * a name: on a processor a load is a gather that costs as much as several multiply-adds and no
 * parallelism is needed; on a GPU loads are cheap, lanes are many and registers are few.
 */
#include "space/cost.h"

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
        .start = 170};
/* Fitted on SwiftShader, 256x256x256: a load is a checked gather that costs six multiply-adds a
 * lane however wide it is, variables live in memory, and four invocations share a vector. */
static const struct weights weights_cpu = {.load = 0.5,
        .lane = 6,
        .shared_load = 0.5,
        .shared_lane = 6,
        .barrier = 60,
        .turn = 12,
        .turn_accumulator = 0.9,
        .registers = 1024,
        .spill = 0,
        .simd = 4,
        .lanes_per_gflops = 0.1,
        .cores = 4,
        .cores_per_gflops = 0,
        .start = 60};

static double invocation_cost(const struct work *work, const struct weights *w)
{
	double cost = w->start + work->arithmetic;
	double beyond = work->registers - w->registers;

	cost += work->turns * (w->turn + w->turn_accumulator * work->accumulators);
	if (beyond > 0 && work->accumulators > 0)
		cost += work->arithmetic / work->accumulators * beyond * w->spill;
	cost += work->loads * w->load + work->lanes * w->lane;
	cost += work->shared_loads * w->shared_load + work->shared_lanes * w->shared_lane;
	return cost + work->barriers * w->barrier;
}

/* The part of the device that the dispatch keeps busy, at most 1. */
static double filled(const struct work *work, double workgroups, double invocations, double gflops,
        const struct weights *w)
{
	double lanes = workgroups * invocations * work->parallel / (w->lanes_per_gflops * gflops);
	double cores = fmax(w->cores, w->cores_per_gflops * gflops);
	double turns = ceil(workgroups / cores); /* the last one may leave cores idle */

	return fmin(fmin(lanes, 1), workgroups / (turns * cores));
}

double cost_ns(const struct op *op, const struct geometry *g, const struct facts *facts)
{
	const struct weights *w = facts->cpu ? &weights_cpu : &weights_gpu;
	double gflops = facts->fma_gflops > 0 ? facts->fma_gflops : facts->cpu ? 20 : 1000;
	double gbps = facts->memory_gbps > 0 ? facts->memory_gbps : facts->cpu ? 10 : 50;
	double invocations = 1, workgroups = 1;
	uint32_t dims[OP_DYNAMIC_MAX] = {0};

	for (uint32_t i = 0; i < op->dynamic_count; i++)
		dims[i] = op->value[op->dynamic[i].value];
	for (uint32_t i = 0; i < 3; i++) {
		invocations *= g->workgroup_size[i];
		workgroups *= (double)extent_at(&g->grid[i], dims);
	}
	double lockstep = ceil(invocations / w->simd) * w->simd;
	double all = workgroups * lockstep * invocation_cost(&g->work, w);
	double compute = all * 2 / gflops / filled(&g->work, workgroups, invocations, gflops, w);
	double memory = g->work.traffic_bytes / (gbps * 3);

	return facts->launch_ns + fmax(compute, memory) + 0.1 * fmin(compute, memory);
}
