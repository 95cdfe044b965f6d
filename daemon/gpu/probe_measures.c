/* SPDX-License-Identifier: Apache-2.0
 *
 * What is measured, and with which kernels. Peaks are the best of several shapes; everything else
 * has one shape for processors and one for GPUs. Invariant: a measure that runs out of time or that
 * the driver refuses leaves its facts as they were.
 */
#include "daemon/gpu/probe_measures.h"

#include <math.h>

#define COUNT(table)   (sizeof(table) / sizeof *(table))
#define WORKGROUPS_MAX 65535
#define LAUNCHES       100

static bool fits(const struct probe *probe, uint32_t invocations)
{
	return invocations <= probe->device->adapter->limits.invocations;
}

/* As many as the device may launch, and as the target has room for. */
static uint32_t most_workgroups(const struct probe *probe, uint32_t invocations)
{
	return probe_at_most(probe->writer.length / invocations, WORKGROUPS_MAX);
}

static bool has(const struct probe *probe, enum feature feature)
{
	return probe->device->adapter->limits.features & feature;
}

/* ---- From code to a time. failed: what writing the code returned. */

/* Of a kernel whose workgroups may grow until it lasts long enough. */
static int time_full(struct probe *probe, int failed, struct probe_kernel *kernel, double *ret_ns,
        struct error *err)
{
	int answer = probe_make(probe, failed, kernel, err);

	if (answer)
		return answer;
	answer = probe_time(probe, kernel, ret_ns, err);
	probe_drop(probe, answer, kernel);
	return answer;
}

/* Of one workgroup alone, the mean of `repeats`. */
static int time_alone(
        struct probe *probe, int failed, uint32_t repeats, double *ret_ns, struct error *err)
{
	struct probe_kernel kernel = {.workgroups = 1, .workgroups_max = 1};
	int answer = probe_make(probe, failed, &kernel, err);

	if (answer)
		return answer;
	answer = probe_time_repeated(probe, &kernel, repeats, ret_ns, err);
	probe_drop(probe, answer, &kernel);
	return answer;
}

/* ---- Launch overhead. */

int measure_launch(struct probe *probe, struct facts *facts, struct error *err)
{
	int failed = probe_empty_kernel(&probe->writer);

	return time_alone(probe, failed, LAUNCHES, &facts->launch_ns, err);
}

static double without_launch(double ns, const struct facts *facts)
{
	return fmax(ns - facts->launch_ns, 1);
}

/* ---- Multiply-adds. */

static const struct fma_shape fma_cpu[] = {
        {16, 4, 8, 64, true},
        {16, 4, 8, 64, false},
        {16, 2, 16, 64, true},
        {16, 2, 16, 64, false},
        {16, 3, 8, 64, false},
        {16, 8, 4, 64, false},
        {16, 1, 32, 64, false},
};
static const struct fma_shape fma_gpu[] = {
        {256, 4, 8, 64, true},
        {256, 8, 8, 64, true},
        {128, 4, 16, 64, true},
        {64, 8, 4, 64, true},
        {256, 2, 16, 64, true},
        {256, 4, 8, 64, false},
        {256, 8, 8, 64, false},
};

/* Chains of steps: what they are of, and what one step comes to. */
struct chain {
	const char *name;
	probe_chain_kernel *write;
	double step_ops;
	uint32_t lanes; /* chains that take the place of one of f32's, of four lanes */
};
static const struct chain chain_f32 = {"f32", probe_fma_kernel, 8, 1}; /* of four lanes, two each */
static const struct chain chain_f16 = {"f16", probe_half_kernel, 8, 1};
static const struct chain chain_dot4 = {"dot4", probe_dot4_kernel, 8, 2}; /* products and sums */

/* *best is raised where these are faster. */
static int measure_chains(struct probe *probe, const struct chain *chain,
        const struct fma_shape *shape, double *best, struct error *err)
{
	struct probe_kernel kernel = {.workgroups = probe_is_cpu(probe) ? 16 : 256,
	        .workgroups_max = most_workgroups(probe, shape->invocations)};
	double ops = chain->step_ops * shape->chains * shape->unroll * shape->turns *
	             shape->invocations;
	double ns;
	int failed = chain->write(&probe->writer, shape);
	int answer = time_full(probe, failed, &kernel, &ns, err);

	if (answer)
		return answer;
	*best = fmax(*best, ops * kernel.workgroups / ns);
	probe_tell(probe, "%s %u invocations, %u chains of %u%s: %.1f Gop/s\n", chain->name,
	        shape->invocations, shape->chains, shape->unroll, shape->fused ? ", fused" : "",
	        ops * kernel.workgroups / ns);
	return 0;
}

int measure_fma_shape(struct probe *probe, size_t i, struct facts *facts, struct error *err)
{
	bool cpu = probe_is_cpu(probe);
	const struct fma_shape *shape = cpu ? &fma_cpu[i] : &fma_gpu[i];

	if (i >= (cpu ? COUNT(fma_cpu) : COUNT(fma_gpu)) || !fits(probe, shape->invocations))
		return 0;
	double best = facts->fma_gflops;
	int answer = measure_chains(probe, &chain_f32, shape, &best, err);
	if (best > facts->fma_gflops)
		probe->fastest = *shape;
	facts->fma_gflops = best;
	return answer;
}

/* One workgroup of the fastest shape, but long enough for its launch not to matter. */
#define ALONE_TIMES 64

int measure_cores(struct probe *probe, struct facts *facts, struct error *err)
{
	struct fma_shape shape = probe->fastest;
	double ns;

	if (!shape.turns)
		return 0;
	shape.turns *= ALONE_TIMES;
	int failed = probe_fma_kernel(&probe->writer, &shape);
	int answer = time_alone(probe, failed, 1, &ns, err);
	if (!answer)
		facts->cores = fmax(1, facts->fma_gflops * without_launch(ns, facts) /
		                               shape.chains / shape.unroll / shape.turns /
		                               shape.invocations / chain_f32.step_ops);
	return answer;
}

/* The best of the first shapes: what is fast in f32 is fast in what f32 is replaced by. */
#define NARROW_SHAPES 3

static int measure_narrow(
        struct probe *probe, const struct chain *chain, double *best, struct error *err)
{
	int answer = 0;

	for (size_t i = 0; !answer && i < NARROW_SHAPES && probe_has_time(probe); i++) {
		struct fma_shape shape = probe_is_cpu(probe) ? fma_cpu[i] : fma_gpu[i];
		shape.chains *= chain->lanes;
		if (fits(probe, shape.invocations))
			answer = measure_chains(probe, chain, &shape, best, err);
	}
	return answer;
}

int measure_half(struct probe *probe, struct facts *facts, struct error *err)
{
	if (!has(probe, FEATURE_F16))
		return 0;
	return measure_narrow(probe, &chain_f16, &facts->fma16_gflops, err);
}

int measure_dot4(struct probe *probe, struct facts *facts, struct error *err)
{
	if (!has(probe, FEATURE_DOT4))
		return 0;
	return measure_narrow(probe, &chain_dot4, &facts->dot4_gops, err);
}

/* ---- Registers. */

/* Every turn multiplies all the values an invocation holds, KNEE_STEPS times four lanes in all. */
static const uint32_t held[] = {16, 32, 64, 96, 128, 192, 256};
#define KNEE_STEPS 64
#define KNEE_RATE  0.7 /* of the best: the rate has dropped */

int measure_registers(struct probe *probe, struct facts *facts, struct error *err)
{
	bool fused = probe->fastest.fused;
	double best = 0, knee = 0;
	int answer = 0;

	for (size_t i = 0; !answer && i < COUNT(held) && probe_has_time(probe); i++) {
		uint32_t chains = held[i] / 4, unroll = (KNEE_STEPS + chains - 1) / chains;
		struct fma_shape shape = {64, chains, unroll, 32, fused};
		double rate = 0;
		answer = measure_chains(probe, &chain_f32, &shape, &rate, err);
		best = fmax(best, rate);
		if (!answer && rate < KNEE_RATE * best)
			break;
		knee = held[i];
	}
	if (!answer)
		facts->registers = knee;
	return answer;
}

/* ---- Global memory and its caches. */

static const struct copy_shape copy_cpu[] = {{16, 16}, {64, 1}, {4, 64}};
static const struct copy_shape copy_gpu[] = {{256, 1}, {256, 4}, {128, 8}, {64, 4}};

int measure_copy_shape(struct probe *probe, size_t i, struct facts *facts, struct error *err)
{
	bool cpu = probe_is_cpu(probe);
	const struct copy_shape *shape = cpu ? &copy_cpu[i] : &copy_gpu[i];

	if (i >= (cpu ? COUNT(copy_cpu) : COUNT(copy_gpu)) || !fits(probe, shape->invocations))
		return 0;
	uint32_t each = shape->invocations * shape->each;
	uint32_t workgroups = probe_at_most(probe->writer.length / each, WORKGROUPS_MAX);
	struct probe_kernel kernel = {.workgroups = workgroups, .workgroups_max = workgroups};
	double ns;
	int failed = probe_copy_kernel(&probe->writer, shape);
	int answer = time_full(probe, failed, &kernel, &ns, err);
	if (answer)
		return answer;
	facts->memory_gbps = fmax(facts->memory_gbps, 32.0 * each * workgroups / ns);
	probe_tell(probe, "copy %u invocations, %u vec4 each: %.2f GB/s\n", shape->invocations,
	        shape->each, 32.0 * each * workgroups / ns);
	return 0;
}

static const struct read_shape read_cpu = {16, 8, 16}, read_gpu = {256, 8, 16};

/* Of one workgroup's reads. */
static double bytes_read(const struct read_shape *shape)
{
	return 16.0 * shape->invocations * shape->each * shape->turns;
}

static int make_reading(
        struct probe *probe, bool shared, struct probe_kernel *kernel, struct error *err)
{
	const struct read_shape *shape = probe_is_cpu(probe) ? &read_cpu : &read_gpu;
	int failed = probe_read_kernel(&probe->writer, shape, shared);

	*kernel = (struct probe_kernel){.workgroups = probe_is_cpu(probe) ? 16 : 256,
	        .workgroups_max = most_workgroups(probe, shape->invocations)};
	return probe_make(probe, failed, kernel, err);
}

#define WINDOW_LEAST (4u << 10)
#define WINDOWS_MAX  20

static int measure_window(struct probe *probe, struct probe_kernel *kernel, double bytes,
        double *ret_gbps, struct error *err)
{
	const struct read_shape *shape = probe_is_cpu(probe) ? &read_cpu : &read_gpu;
	uint32_t last = (uint32_t)(bytes / 16) - 1;
	double ns;

	int answer = probe->device->api->buffer_write(probe->word, 0, &last, sizeof last, err);
	if (!answer)
		answer = probe_time(probe, kernel, &ns, err);
	if (answer)
		return answer;
	*ret_gbps = bytes_read(shape) * kernel->workgroups / ns;
	probe_tell(probe, "read %.0f KiB: %.2f GB/s\n", bytes / 1024, *ret_gbps);
	/* The next level is slower: no submission shall take long. */
	if (ns > PROBE_SAMPLE_NS)
		kernel->workgroups = probe_at_most(
		        kernel->workgroups * PROBE_SAMPLE_NS / ns, WORKGROUPS_MAX);
	return 0;
}

int measure_caches(struct probe *probe, struct facts *facts, struct error *err)
{
	double bytes[WINDOWS_MAX], gbps[WINDOWS_MAX];
	struct probe_kernel kernel;
	uint32_t count = 0;
	int answer = make_reading(probe, false, &kernel, err);

	if (answer)
		return answer;
	for (double window = WINDOW_LEAST; !answer && window <= 16.0 * probe->writer.length &&
	                                   count < WINDOWS_MAX && probe_has_time(probe);
	        window *= 2) {
		bytes[count] = window;
		answer = measure_window(probe, &kernel, window, &gbps[count], err);
		count += !answer;
	}
	probe_drop(probe, answer, &kernel);
	levels_find(bytes, gbps, count, facts->caches);
	return answer;
}

/* ---- Workgroup memory and barriers. */

int measure_workgroup_memory(struct probe *probe, struct facts *facts, struct error *err)
{
	const struct read_shape *shape = probe_is_cpu(probe) ? &read_cpu : &read_gpu;
	struct probe_kernel kernel;
	double ns;
	int answer = make_reading(probe, true, &kernel, err);

	if (answer)
		return answer;
	answer = probe_time(probe, &kernel, &ns, err);
	probe_drop(probe, answer, &kernel);
	if (!answer)
		facts->workgroup_gbps = bytes_read(shape) * kernel.workgroups / ns;
	return answer;
}

#define BARRIERS 256

int measure_barrier(struct probe *probe, struct facts *facts, struct error *err)
{
	double ns;
	int failed = probe_barrier_kernel(&probe->writer, 64, BARRIERS);
	int answer = time_alone(probe, failed, 8, &ns, err);

	if (!answer)
		facts->barrier_ns = without_launch(ns, facts) / BARRIERS;
	return answer;
}
