/* SPDX-License-Identifier: Apache-2.0
 *
 * emission: what compiling costs. Our side: from (operator, schedule) to SPIR-V words, for every
 * artifact of the catalogue (catalogue.h), family by family. The other side, in the same run:
 * shaderc at -O on the GLSL of the same kernels (a sample of them, as each takes milliseconds;
 * argument 1 sets how many, 0 for all).
 * Last line: p50_us p99_us shaderc_ratio (median of the per-kernel ratios) largest_space, then of
 * each family FAMILY_p50_us FAMILY_p99_us FAMILY_space.
 */
#include "tests/bench/catalogue.h"
#include "tests/bench/times.h"

#include <shaderc/shaderc.h>
#include <stdio.h>
#include <string.h>

#define FAMILIES (FAMILY_ATTENTION + 1)
#define REPEATS  5

struct bench {
	struct nnjit *nnjit;
	shaderc_compiler_t compiler;
	shaderc_compile_options_t options;
	struct catalogue catalogue;
	double *ours_us; /* of each kernel */
	double *some_us; /* room for as many */
	double *theirs_us, *ratios;
	size_t compared;
};

/* Median of a few, each a whole generation; the first one warms the memory. */
static double time_ours(const struct bench *b, const struct catalogue_kernel *k)
{
	double times[REPEATS];
	struct kernel kernel;

	for (int i = 0; i < REPEATS; i++) {
		double start = now_us();
		if (nnjit_generate(b->nnjit, &k->op, &k->schedule, NNJIT_SPIRV, &kernel))
			abort();
		times[i] = now_us() - start;
	}
	return percentile(times, REPEATS, 0.5);
}

static double time_shaderc(const struct bench *b, const struct catalogue_kernel *k)
{
	struct kernel kernel;

	if (nnjit_generate(b->nnjit, &k->op, &k->schedule, NNJIT_GLSL, &kernel))
		abort();
	double start = now_us();
	shaderc_compilation_result_t result = shaderc_compile_into_spv(b->compiler, kernel.code,
	        kernel.code_bytes, shaderc_compute_shader, "kernel", "main", b->options);
	double took = now_us() - start;
	if (shaderc_result_get_compilation_status(result) != shaderc_compilation_status_success) {
		fprintf(stderr, "shaderc refused a kernel: %s\n",
		        shaderc_result_get_error_message(result));
		exit(1);
	}
	shaderc_result_release(result);
	return took;
}

static void time_all(struct bench *b)
{
	for (size_t i = 0; i < b->catalogue.kernel_count; i++)
		b->ours_us[i] = time_ours(b, &b->catalogue.kernels[i]);
}

/* Side by side once more, as the clock drifts. */
static void compare(struct bench *b, size_t sample)
{
	size_t count = b->catalogue.kernel_count;
	size_t stride = sample && sample < count ? count / sample : 1;

	time_shaderc(b, &b->catalogue.kernels[0]); /* its first call pays for start-up */
	for (size_t i = 0; i < count; i += stride) {
		const struct catalogue_kernel *k = &b->catalogue.kernels[i];
		double ours = time_ours(b, k), theirs = time_shaderc(b, k);
		b->theirs_us[b->compared] = theirs;
		b->ratios[b->compared++] = theirs / ours;
	}
}

/* ---- Families. */

struct row {
	size_t kernels;
	double p50, p99, most;
	uint32_t space;
};

/* FAMILIES is all of them. */
static bool is_of(const struct op *op, uint32_t family)
{
	return family == FAMILIES || op_family(op->kind) == family;
}

static struct row row_of(const struct bench *b, uint32_t family)
{
	struct row row = {0};

	for (size_t i = 0; i < b->catalogue.kernel_count; i++)
		if (is_of(&b->catalogue.kernels[i].op, family))
			b->some_us[row.kernels++] = b->ours_us[i];
	for (size_t i = 0; i < b->catalogue.space_count; i++)
		if (is_of(&b->catalogue.spaces[i].op, family) &&
		        b->catalogue.spaces[i].count > row.space)
			row.space = b->catalogue.spaces[i].count;
	row.p50 = percentile(b->some_us, row.kernels, 0.5);
	row.p99 = percentile(b->some_us, row.kernels, 0.99);
	row.most = percentile(b->some_us, row.kernels, 1);
	return row;
}

static const char *name_of(uint32_t family)
{
	return family == FAMILIES ? "all" : op_family_name((enum op_family)family);
}

static void print(const struct bench *b)
{
	struct row rows[FAMILIES + 1];
	size_t n = b->compared;

	printf("%-34s %8s %8s %8s %8s %6s\n", "microseconds a kernel, to SPIR-V", "kernels", "p50",
	        "p99", "most", "space");
	for (uint32_t f = 0; f <= FAMILIES; f++) {
		rows[f] = row_of(b, f);
		printf("nnjit, %-27s %8zu %8.1f %8.1f %8.1f %6u\n", name_of(f), rows[f].kernels,
		        rows[f].p50, rows[f].p99, rows[f].most, rows[f].space);
	}
	printf("%-34s %8zu %8.1f %8.1f %8.1f\n", "shaderc -O, a sample of their GLSL", n,
	        percentile(b->theirs_us, n, 0.5), percentile(b->theirs_us, n, 0.99),
	        percentile(b->theirs_us, n, 1));
	printf("ratio per kernel: min %.0f, median %.0f, max %.0f\n", percentile(b->ratios, n, 0),
	        percentile(b->ratios, n, 0.5), percentile(b->ratios, n, 1));
	printf("p50_us=%.1f p99_us=%.1f shaderc_ratio=%.0f largest_space=%u", rows[FAMILIES].p50,
	        rows[FAMILIES].p99, percentile(b->ratios, n, 0.5), rows[FAMILIES].space);
	for (uint32_t f = 0; f < FAMILIES; f++)
		printf(" %s_p50_us=%.1f %s_p99_us=%.1f %s_space=%u", name_of(f), rows[f].p50,
		        name_of(f), rows[f].p99, name_of(f), rows[f].space);
	puts("");
}

/* ---- Setting up. */

static bool prepare(struct bench *b)
{
	catalogue_collect(&b->catalogue);
	b->ours_us = calloc(4 * b->catalogue.kernel_count, sizeof *b->ours_us);
	b->compiler = shaderc_compiler_initialize();
	b->options = shaderc_compile_options_initialize();
	if (nnjit_create(&b->nnjit) || !b->ours_us || !b->compiler || !b->options)
		return false;
	b->some_us = b->ours_us + b->catalogue.kernel_count;
	b->theirs_us = b->some_us + b->catalogue.kernel_count;
	b->ratios = b->theirs_us + b->catalogue.kernel_count;
	shaderc_compile_options_set_optimization_level(
	        b->options, shaderc_optimization_level_performance);
	shaderc_compile_options_set_target_env(
	        b->options, shaderc_target_env_vulkan, shaderc_env_version_vulkan_1_1);
	return true;
}

int main(int argc, char **argv)
{
	size_t sample = argc > 1 ? strtoul(argv[1], NULL, 10) : 120;
	struct bench b = {0};

	if (!prepare(&b))
		return 1;
	time_all(&b);
	compare(&b, sample);
	print(&b);
	nnjit_destroy(b.nnjit);
	shaderc_compile_options_release(b.options);
	shaderc_compiler_release(b.compiler);
	free(b.ours_us);
	catalogue_free(&b.catalogue);
	return 0;
}
