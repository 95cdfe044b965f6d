/* SPDX-License-Identifier: Apache-2.0
 *
 * emission: what compiling costs. Our side: from (operator, schedule) to SPIR-V words, for every
 * artifact of the catalogue (catalogue.h), family by family. The other side, in the same run:
 * shaderc at -O on the GLSL of the same kernels (a sample of them, as each takes milliseconds;
 * argument 1 sets how many, 0 for all). And what a candidate costs from there on, stage by stage,
 * on each Vulkan device (argument 2 sets how many kernels each is given, 0 for none). Last line:
 * p50_us p99_us shaderc_ratio (median of the per-kernel ratios) largest_space, then of each family
 * FAMILY_p50_us FAMILY_p99_us FAMILY_space; then ratio_least, ratio_p1 (99 in 100 kernels have
 * more), ratio_of_p50 and ratio_of_p99 (shaderc's percentile over ours, of the same sample); then
 * of each device DEVICE_STAGE_us.
 */
#include "emit/spirv/spirv.h"
#include "tests/bench/breakdown.h"
#include "tests/bench/emit_glsl.h"
#include "tests/bench/glsl.h"
#include "tests/bench/times.h"

#include <stdio.h>
#include <string.h>

#define FAMILIES (FAMILY_ATTENTION + 1)
#define REPEATS  5

struct emission {
	struct nnjit *nnjit;
	struct glsl *glsl;
	struct buffer words; /* shaderc's */
	struct catalogue catalogue;
	double *ours_us;                          /* of each kernel */
	double *some_us;                          /* room for as many */
	double *compared_us, *theirs_us, *ratios; /* of a sample: ours again, shaderc's */
	size_t compared;
	struct breakdown devices[BREAKDOWN_DEVICES_MOST];
	uint32_t device_count;
};

/* Median of a few, each a whole generation; the first one warms the memory. */
static double time_ours(
        const struct emission *b, const struct catalogue_kernel *k, double (*clock_now_us)(void))
{
	double times[REPEATS];
	struct kernel kernel;

	for (int i = 0; i < REPEATS; i++) {
		double start = clock_now_us();
		if (nnjit_generate(b->nnjit, &k->op, &k->schedule, emit_spirv, &kernel))
			abort();
		times[i] = clock_now_us() - start;
	}
	return percentile(times, REPEATS, 0.5);
}

static double time_shaderc(struct emission *b, const struct catalogue_kernel *k)
{
	struct kernel kernel;

	if (nnjit_generate(b->nnjit, &k->op, &k->schedule, emit_glsl, &kernel))
		abort();
	double start = cpu_us();
	if (glsl_compile(b->glsl, GLSL_O, kernel.code, kernel.code_bytes, &b->words))
		exit(1);
	return cpu_us() - start;
}

static void time_all(struct emission *b)
{
	for (size_t i = 0; i < b->catalogue.kernel_count; i++)
		b->ours_us[i] = time_ours(b, &b->catalogue.kernels[i], now_us);
}

/* Side by side once more, as the clock drifts, and in processor time: a loaded machine interrupts
 * what takes milliseconds and spares what takes microseconds. */
static void compare(struct emission *b, size_t sample)
{
	size_t count = b->catalogue.kernel_count;
	size_t stride = sample && sample < count ? count / sample : 1;

	time_shaderc(b, &b->catalogue.kernels[0]); /* its first call pays for start-up */
	for (size_t i = 0; i < count; i += stride) {
		const struct catalogue_kernel *k = &b->catalogue.kernels[i];
		double ours = time_ours(b, k, cpu_us), theirs = time_shaderc(b, k);
		b->compared_us[b->compared] = ours;
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

static struct row row_of(const struct emission *b, uint32_t family)
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

/* shaderc's percentile over ours. */
static double ratio_at(const struct emission *b, double p)
{
	return percentile(b->theirs_us, b->compared, p) /
	       percentile(b->compared_us, b->compared, p);
}

static void print(const struct emission *b)
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
	printf("ratio per kernel: min %.0f, 1 in 100 below %.0f, median %.0f, max %.0f\n",
	        percentile(b->ratios, n, 0), percentile(b->ratios, n, 0.01),
	        percentile(b->ratios, n, 0.5), percentile(b->ratios, n, 1));
	printf("ratio of the sample's medians: %.0f, of its p99: %.0f\n", ratio_at(b, 0.5),
	        ratio_at(b, 0.99));
	for (uint32_t d = 0; d < b->device_count; d++)
		breakdown_print(&b->devices[d]);
	printf("p50_us=%.1f p99_us=%.1f shaderc_ratio=%.0f largest_space=%u", rows[FAMILIES].p50,
	        rows[FAMILIES].p99, percentile(b->ratios, n, 0.5), rows[FAMILIES].space);
	for (uint32_t f = 0; f < FAMILIES; f++)
		printf(" %s_p50_us=%.1f %s_p99_us=%.1f %s_space=%u", name_of(f), rows[f].p50,
		        name_of(f), rows[f].p99, name_of(f), rows[f].space);
	printf(" ratio_least=%.0f ratio_p1=%.0f ratio_of_p50=%.0f ratio_of_p99=%.0f",
	        percentile(b->ratios, n, 0), percentile(b->ratios, n, 0.01), ratio_at(b, 0.5),
	        ratio_at(b, 0.99));
	for (uint32_t d = 0; d < b->device_count; d++)
		breakdown_print_keys(&b->devices[d]);
	puts("");
}

/* ---- Setting up. */

static bool prepare(struct emission *b)
{
	catalogue_collect(&b->catalogue);
	b->ours_us = calloc(5 * b->catalogue.kernel_count, sizeof *b->ours_us);
	if (!b->ours_us || nnjit_create(&b->nnjit) || glsl_create(&b->glsl))
		return false;
	b->some_us = b->ours_us + b->catalogue.kernel_count;
	b->theirs_us = b->some_us + b->catalogue.kernel_count;
	b->ratios = b->theirs_us + b->catalogue.kernel_count;
	b->compared_us = b->ratios + b->catalogue.kernel_count;
	return true;
}

int main(int argc, char **argv)
{
	size_t sample = argc > 1 ? strtoul(argv[1], NULL, 10) : 400;
	size_t launched = argc > 2 ? strtoul(argv[2], NULL, 10) : 40;
	struct emission b = {0};

	if (!prepare(&b))
		return 1;
	time_all(&b);
	compare(&b, sample);
	if (launched)
		b.device_count = breakdown_measure(&b.catalogue, launched, b.devices);
	print(&b);
	nnjit_destroy(b.nnjit);
	glsl_destroy(b.glsl);
	buffer_free(&b.words);
	free(b.ours_us);
	catalogue_free(&b.catalogue);
	return 0;
}
