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

/* Load instructions and their lanes that one operand costs over `k` multiply-adds. */
static double load_cost(const struct contraction_operand *x, double k, const struct weights *w)
{
	double loads = x->tile * k / x->width;

	return loads * (x->staged ? w->shared_load + x->width * w->shared_lane
	                          : w->load + x->width * w->lane);
}

/* Staging's own loads, stores and address arithmetic, shared among the workgroup's threads. */
static double stage_cost(
        const struct contraction_operand *x, double k, double threads, const struct weights *w)
{
	double loads = x->staged ? x->block * k / x->width / threads : 0;

	return loads * (w->load + w->shared_load + 4 + x->width * (w->lane + w->shared_lane));
}

static double invocation_cost(const struct contraction *c, const struct weights *w)
{
	double k = ceil((double)c->k / c->split), threads = c->wg_x * c->wg_y;
	double accumulators = c->tile_m * c->tile_n;
	double beyond = accumulators + c->tile_m + c->tile_n - w->registers;
	double cost = w->start + k * accumulators;

	cost += k / c->unroll * (w->turn + w->turn_accumulator * accumulators);
	if (beyond > 0)
		cost += k * beyond * w->spill;
	cost += load_cost(&c->a, k, w) + load_cost(&c->b, k, w);
	cost += stage_cost(&c->a, k, threads, w) + stage_cost(&c->b, k, threads, w);
	if (c->a.staged || c->b.staged)
		cost += ceil(k / c->k_step) * 2 * w->barrier;
	if (c->split > 1)
		cost += c->subgroup
		                ? 6 * accumulators
		                : log2(c->split) * (w->barrier + 3 * w->shared_load * accumulators);
	return cost + accumulators * (w->load / c->out_width + w->lane + 1);
}

/* Bytes that reach global memory or the last cache: each workgroup reads its rows and columns. */
static double traffic_bytes(const struct contraction *c, double workgroups)
{
	double block = (double)c->a.block + c->b.block;

	return 4 * workgroups * (block * c->k + (double)c->a.block * c->b.block);
}

/* The part of the device that the dispatch keeps busy, at most 1. */
static double filled(
        const struct contraction *c, double workgroups, double gflops, const struct weights *w)
{
	double invocations = workgroups * c->wg_x * c->wg_y * c->split;
	double parallel = c->tile_m * c->tile_n < 8 ? 1 : 2; /* independent work within one */
	double lanes = invocations * parallel / (w->lanes_per_gflops * gflops);
	double cores = fmax(w->cores, w->cores_per_gflops * gflops);
	double turns = ceil(workgroups / cores); /* the last one may leave cores idle */

	return fmin(fmin(lanes, 1), workgroups / (turns * cores));
}

double cost_contraction_ns(const struct contraction *c, const struct facts *facts)
{
	const struct weights *w = facts->cpu ? &weights_cpu : &weights_gpu;
	double gflops = facts->fma_gflops > 0 ? facts->fma_gflops : facts->cpu ? 20 : 1000;
	double gbps = facts->memory_gbps > 0 ? facts->memory_gbps : facts->cpu ? 10 : 50;
	double workgroups = (double)c->workgroups[0] * c->workgroups[1] * c->workgroups[2];
	double lockstep = ceil((double)c->wg_x * c->wg_y * c->split / w->simd) * w->simd;
	double work = workgroups * lockstep * invocation_cost(c, w);
	double compute = work * 2 / gflops / filled(c, workgroups, gflops, w);
	double memory = traffic_bytes(c, workgroups) / (gbps * 3);

	return facts->launch_ns + fmax(compute, memory) + 0.1 * fmin(compute, memory);
}
