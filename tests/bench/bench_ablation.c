/* SPDX-License-Identifier: Apache-2.0
 *
 * ablation: what each thing that the generator does is worth, and what each thing that it leaves to
 * others would cost and bring. Every way of ways.c makes the same kernels of the catalogue: what
 * making them costs, how large they are, and on each Vulkan device how long the driver takes over
 * them and how fast they then are. A kernel that is not right on the device counts as wrong, not as
 * fast.
 *
 *   ablation [COMPILED [LAUNCHED [DEVICE]]]
 *
 * COMPILED: how many kernels are compiled (default 200); LAUNCHED: how many on each device (default
 * 10); DEVICE: only those whose name contains it. Relative figures are geometric means over
 * kernels, the way that ships being 1. Making and the driver's work (the pipeline and an empty
 * launch) are processor time, which a loaded machine leaves alone; validating and running are wall
 * time. Last line: of each way WAY_p50_us WAY_p99_us WAY_cost WAY_bytes, and on each device
 * DEVICE_WAY_pipeline DEVICE_WAY_run DEVICE_WAY_wrong.
 */
#include "base/buffer.h"
#include "base/cleanup.h"
#include "daemon/gpu/answer.h"
#include "daemon/gpu/rounds.h"
#include "emit/spirv/spirv.h"
#include "tests/bench/devices.h"
#include "tests/bench/times.h"
#include "tests/bench/ways.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define REPEATS      5
#define LONG_US      5000 /* what takes longer is not repeated */
#define RUN_SAMPLES  7
#define DEVICES_MOST 8

/* What is measured of one kernel made by one way; NaN where it is not known. */
enum figure {
	FIGURE_COST_US,
	FIGURE_BYTES,
	FIGURE_TEXT_BYTES,
	FIGURE_VALIDATE_US,
	FIGURE_PIPELINE_US, /* the driver's compiler */
	FIGURE_TOTAL_US,    /* made, validated, compiled by the driver */
	FIGURE_RUN_US,
	FIGURE_COUNT
};

struct results {
	char device[32]; /* its key; "" for none */
	size_t kernels, wrong[WAY_COUNT];
	double *figures[WAY_COUNT][FIGURE_COUNT]; /* of each kernel */
};

struct ablation {
	struct catalogue catalogue;
	struct maker *maker;
	size_t launched;
	struct results compiled, devices[DEVICES_MOST];
	uint32_t device_count;
};

static double *all_unknown(size_t count)
{
	double *values = malloc(count * sizeof *values);

	if (!values)
		abort();
	for (size_t i = 0; i < count; i++)
		values[i] = NAN;
	return values;
}

static void results_begin(struct results *results, size_t kernels)
{
	results->kernels = kernels;
	for (size_t w = 0; w < WAY_COUNT; w++)
		for (size_t f = 0; f < FIGURE_COUNT; f++)
			results->figures[w][f] = all_unknown(kernels);
}

static void results_free(struct results *results)
{
	for (size_t w = 0; w < WAY_COUNT; w++)
		for (size_t f = 0; f < FIGURE_COUNT; f++)
			free(results->figures[w][f]);
}

/* ---- Making. */

static const struct buffer *make(
        struct maker *maker, const struct way *way, const struct catalogue_kernel *kernel)
{
	const struct buffer *words;
	int r = maker_make(maker, way, kernel, &words);

	if (r) {
		fprintf(stderr, "%s: cannot make a kernel: %s\n", way->name, strerror(-r));
		exit(1);
	}
	return words;
}

/* The median of a few, unless it is long. */
static double time_make(
        struct maker *maker, const struct way *way, const struct catalogue_kernel *kernel)
{
	double times[REPEATS];
	size_t count = 0;

	do {
		double start_us = cpu_us();
		make(maker, way, kernel);
		times[count++] = cpu_us() - start_us;
	} while (count < REPEATS && times[0] < LONG_US);
	return percentile(times, count, 0.5);
}

static void compile_one(struct ablation *a, const struct catalogue_kernel *kernel, size_t i)
{
	for (size_t w = 0; w < WAY_COUNT; w++) {
		double *const *figures = a->compiled.figures[w];
		const struct buffer *text;
		if (!way_is_installed(&ways[w]))
			continue;
		figures[FIGURE_COST_US][i] = time_make(a->maker, &ways[w], kernel);
		figures[FIGURE_BYTES][i] = (double)make(a->maker, &ways[w], kernel)->length;
		if (ways[w].path == WAY_EMIT && !maker_text(a->maker, &ways[w], kernel, &text))
			figures[FIGURE_TEXT_BYTES][i] = (double)text->length;
	}
}

static void compile_all(struct ablation *a, size_t wanted)
{
	size_t count = a->catalogue.kernel_count;

	if (!wanted || wanted > count)
		wanted = count;
	results_begin(&a->compiled, wanted);
	for (size_t w = 0; w < WAY_COUNT; w++) /* a compiler's first call pays for start-up */
		if (way_is_installed(&ways[w]))
			make(a->maker, &ways[w], &a->catalogue.kernels[0]);
	for (size_t i = 0; i < wanted; i++)
		compile_one(a, &a->catalogue.kernels[(2 * i + 1) * count / (2 * wanted)], i);
}

/* ---- On a device. */

/* Has the driver compile the kernel once more, beside the trial's own; NaN where it refuses. */
static double time_driver(const struct builder *builder, const struct kernel *kernel)
{
	const struct gpu_api *api = builder->device->api;
	struct gpu_bindings *bindings = builder->workload->bindings;
	const struct gpu_pipeline_params params = {.bindings = bindings,
	        .code = kernel->code,
	        .code_bytes = kernel->code_bytes,
	        .entry_point = kernel->entry_point};
	struct gpu_pipeline *pipeline = NULL;
	struct error err;
	double start_us = cpu_us();
	int answer = api->pipeline_create(builder->device, &params, &pipeline, &err);

	if (!answer)
		answer = api->pipeline_warm(
		        &(struct gpu_launch){.pipeline = pipeline, .bindings = bindings}, &err);
	double took_us = cpu_us() - start_us;
	if (answer == ANSWER_DEVICE_LOST)
		devices_must(answer, &err);
	api->pipeline_destroy(pipeline);
	return answer ? NAN : took_us;
}

/* Builds the kernel by one way; NULL and a line for people where it is not right. */
static struct trial *try_way(struct ablation *a, struct builder *builder, size_t way,
        const struct catalogue_kernel *kernel, size_t i)
{
	struct results *results = &a->devices[a->device_count];
	double *const *figures = results->figures[way];
	struct built *built = NULL;
	struct trial *trial = NULL;
	struct kernel described;
	struct verdict verdict = {0};
	struct error err = {0};

	if (nnjit_generate(builder->nnjit, &kernel->op, &kernel->schedule, emit_spirv, &described))
		abort();
	double start_us = cpu_us();
	const struct buffer *words = make(a->maker, &ways[way], kernel);
	double cost_us = cpu_us() - start_us;
	described.code = words->data;
	described.code_bytes = words->length;
	int answer = builder_build_kernel(builder, &described, &built, &err);
	if (!answer)
		answer = trial_try(built, &trial, &verdict, &err);
	if (answer == ANSWER_DEVICE_LOST)
		devices_must(answer, &err);
	if (!trial) {
		results->wrong[way]++;
		fprintf(stderr, "%s, %s: %s\n", results->device, ways[way].name,
		        answer ? err.text : verdict.why);
		return NULL;
	}
	figures[FIGURE_VALIDATE_US][i] = verdict.validate_ns / 1e3;
	figures[FIGURE_PIPELINE_US][i] = time_driver(builder, &described);
	figures[FIGURE_TOTAL_US][i] = cost_us + verdict.validate_ns / 1e3 +
	                              figures[FIGURE_PIPELINE_US][i];
	return trial;
}

/* The right trials of one kernel, and the way that each was built. */
struct contest {
	uint32_t count;
	struct twins twins[WAY_COUNT];
	size_t way_of[WAY_COUNT];
};

/* Side by side, as the clock drifts: the least of each way's samples. */
static void time_contest(
        struct results *results, struct device *device, struct contest *contest, size_t i)
{
	double samples_ns[RUN_SAMPLES * WAY_COUNT];
	struct twins *candidates[WAY_COUNT];
	struct rounds rounds = {.device = device,
	        .candidates = candidates,
	        .count = contest->count,
	        .samples = RUN_SAMPLES,
	        .ns = samples_ns};
	struct error err;

	if (!contest->count)
		return;
	for (uint32_t t = 0; t < contest->count; t++)
		candidates[t] = &contest->twins[t];
	devices_must(rounds_time(&rounds, &err), &err);
	for (uint32_t t = 0; t < rounds.count; t++) {
		double least_ns = samples_ns[t];
		for (uint32_t round = 1; round < rounds.done; round++)
			least_ns = fmin(least_ns, samples_ns[round * rounds.count + t]);
		results->figures[contest->way_of[t]][FIGURE_RUN_US][i] = least_ns / 1e3;
	}
}

static void launch_one(struct ablation *a, struct builder *builder,
        const struct catalogue_kernel *kernel, size_t i)
{
	struct contest contest = {0};
	struct error err;

	devices_must(
	        workload_load(builder->device, &kernel->op, 1, &builder->workload, &err), &err);
	for (size_t n = 0; n < WAY_COUNT; n++) {
		size_t w = (i + n) % WAY_COUNT; /* nobody is always the first */
		struct trial *trial = way_is_installed(&ways[w]) ? try_way(a, builder, w, kernel, i)
		                                                 : NULL;
		if (!trial)
			continue;
		contest.way_of[contest.count] = w;
		contest.twins[contest.count++].first = trial;
	}
	time_contest(&a->devices[a->device_count], builder->device, &contest, i);
	for (uint32_t t = 0; t < contest.count; t++)
		twins_free(&contest.twins[t]);
	workload_free(builder->workload);
}

static void launch_all(struct builder *builder, void *data)
{
	struct ablation *a = data;
	struct results *results = &a->devices[a->device_count];
	AUTO(free_pointer) size_t *sample = calloc(a->launched + 1, sizeof *sample);

	if (!sample)
		abort();
	if (a->device_count == DEVICES_MOST)
		return;
	devices_key(builder->device, results->device);
	results_begin(results, devices_sample(&a->catalogue, builder->device, a->launched, sample));
	for (size_t i = 0; i < results->kernels; i++)
		launch_one(a, builder, &a->catalogue.kernels[sample[i]], i);
	a->device_count++;
}

/* ---- Telling. */

static double percentile_of(const struct results *results, size_t way, enum figure figure, double p)
{
	AUTO(free_pointer) double *known = all_unknown(results->kernels);
	size_t count = 0;

	for (size_t i = 0; i < results->kernels; i++)
		if (!isnan(results->figures[way][figure][i]))
			known[count++] = results->figures[way][figure][i];
	return count ? percentile(known, count, p) : NAN;
}

/* Over the way that ships: the geometric mean of those kernels where both are known. */
static double relative(const struct results *results, size_t way, enum figure figure)
{
	double sum = 0;
	size_t count = 0;

	for (size_t i = 0; i < results->kernels; i++) {
		double ratio = results->figures[way][figure][i] / results->figures[0][figure][i];
		if (isnan(ratio))
			continue;
		sum += log(ratio);
		count++;
	}
	return count ? exp(sum / (double)count) : NAN;
}

/* Of the kernels' own ratios, the one that one in a hundred exceeds. */
static double relative_p99(const struct results *results, size_t way, enum figure figure)
{
	AUTO(free_pointer) double *known = all_unknown(results->kernels);
	size_t count = 0;

	for (size_t i = 0; i < results->kernels; i++) {
		double ratio = results->figures[way][figure][i] / results->figures[0][figure][i];
		if (!isnan(ratio))
			known[count++] = ratio;
	}
	return count ? percentile(known, count, 0.99) : NAN;
}

/* A number in its column, or a dash. */
static void put(int width, int digits, double value)
{
	if (isnan(value))
		printf(" %*s", width, "-");
	else
		printf(" %*.*f", width, digits, value);
}

static void print_compiled(const struct results *r)
{
	printf("%zu kernels, from (operator, schedule) to SPIR-V\n", r->kernels);
	printf("%-30s %9s %9s %7s %8s %7s %7s %8s %7s %7s\n", "", "p50 us", "p99 us", "x", "bytes",
	        "x", "x p99", "WGSL", "x", "x p99");
	for (size_t w = 0; w < WAY_COUNT; w++) {
		printf("%-30s", ways[w].name);
		if (!way_is_installed(&ways[w])) {
			puts("  not installed");
			continue;
		}
		put(9, 1, percentile_of(r, w, FIGURE_COST_US, 0.5));
		put(9, 1, percentile_of(r, w, FIGURE_COST_US, 0.99));
		put(7, 2, relative(r, w, FIGURE_COST_US));
		put(8, 0, percentile_of(r, w, FIGURE_BYTES, 0.5));
		put(7, 2, relative(r, w, FIGURE_BYTES));
		put(7, 2, relative_p99(r, w, FIGURE_BYTES));
		put(8, 0, percentile_of(r, w, FIGURE_TEXT_BYTES, 0.5));
		put(7, 2, relative(r, w, FIGURE_TEXT_BYTES));
		put(7, 2, relative_p99(r, w, FIGURE_TEXT_BYTES));
		puts("");
	}
}

static void print_device(const struct results *r)
{
	printf("\n%s, %zu kernels, milliseconds\n", r->device, r->kernels);
	printf("%-30s %9s %9s %9s %7s %9s %7s %9s %7s %6s\n", "", "validate", "driver", "p99", "x",
	        "total", "x", "run", "x", "wrong");
	for (size_t w = 0; w < WAY_COUNT; w++) {
		if (!way_is_installed(&ways[w]))
			continue;
		printf("%-30s", ways[w].name);
		put(9, 3, percentile_of(r, w, FIGURE_VALIDATE_US, 0.5) / 1e3);
		put(9, 2, percentile_of(r, w, FIGURE_PIPELINE_US, 0.5) / 1e3);
		put(9, 2, percentile_of(r, w, FIGURE_PIPELINE_US, 0.99) / 1e3);
		put(7, 3, relative(r, w, FIGURE_PIPELINE_US));
		put(9, 2, percentile_of(r, w, FIGURE_TOTAL_US, 0.5) / 1e3);
		put(7, 3, relative(r, w, FIGURE_TOTAL_US));
		put(9, 3, percentile_of(r, w, FIGURE_RUN_US, 0.5) / 1e3);
		put(7, 3, relative(r, w, FIGURE_RUN_US));
		printf(" %6zu\n", r->wrong[w]);
	}
}

static void print_keys(const struct ablation *a)
{
	printf("kernels=%zu devices=%u", a->compiled.kernels, a->device_count);
	for (size_t w = 0; w < WAY_COUNT; w++) {
		const char *key = ways[w].key;
		if (!way_is_installed(&ways[w]))
			continue;
		printf(" %s_p50_us=%.1f %s_p99_us=%.1f %s_cost=%.3f %s_bytes=%.3f", key,
		        percentile_of(&a->compiled, w, FIGURE_COST_US, 0.5), key,
		        percentile_of(&a->compiled, w, FIGURE_COST_US, 0.99), key,
		        relative(&a->compiled, w, FIGURE_COST_US), key,
		        relative(&a->compiled, w, FIGURE_BYTES));
		for (uint32_t d = 0; d < a->device_count; d++) {
			const struct results *r = &a->devices[d];
			printf(" %s_%s_pipeline=%.3f %s_%s_run=%.3f %s_%s_wrong=%zu", r->device,
			        key, relative(r, w, FIGURE_PIPELINE_US), r->device, key,
			        relative(r, w, FIGURE_RUN_US), r->device, key, r->wrong[w]);
		}
	}
	puts("");
}

int main(int argc, char **argv)
{
	struct ablation a = {.launched = argc > 2 ? strtoul(argv[2], NULL, 10) : 10};
	const struct devices_visitor visitor = {
	        .name = argc > 3 ? argv[3] : "", .visit = launch_all, .data = &a};

	catalogue_collect(&a.catalogue);
	if (maker_create(&a.maker))
		return 1;
	compile_all(&a, argc > 1 ? strtoul(argv[1], NULL, 10) : 200);
	print_compiled(&a.compiled);
	fflush(stdout);
	if (a.launched && !devices_visit(&visitor))
		puts("no Vulkan device is here");
	for (uint32_t d = 0; d < a.device_count; d++)
		print_device(&a.devices[d]);
	print_keys(&a);
	for (uint32_t d = 0; d < a.device_count; d++)
		results_free(&a.devices[d]);
	results_free(&a.compiled);
	maker_destroy(a.maker);
	catalogue_free(&a.catalogue);
	return 0;
}
