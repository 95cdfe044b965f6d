/* SPDX-License-Identifier: Apache-2.0
 *
 * catalogue: what the generator costs, operator by operator: candidates of the largest space, how
 * long listing a space takes, and generating a kernel, to SPIR-V and to WGSL. Argument 1: only
 * operators whose name begins so.
 * Last line: operators kernels largest_space p50_us p99_us (SPIR-V) wgsl_p50_us wgsl_p99_us
 * enumerate_p50_us enumerate_p99_us.
 */
#include "base/cleanup.h"
#include "emit/spirv/spirv.h"
#include "emit/text/wgsl.h"
#include "tests/bench/catalogue.h"
#include "tests/bench/times.h"

#include <stdio.h>
#include <string.h>

#define REPEATS 3

struct times {
	double *spirv, *wgsl, *enumerate;
	size_t kernels, spaces;
	uint32_t largest;
};

/* Median of a few. */
static double time_kernel(
        struct nnjit *nnjit, const struct catalogue_kernel *k, nnjit_emitter *emit)
{
	double times[REPEATS];
	struct kernel kernel;

	for (int i = 0; i < REPEATS; i++) {
		double start = now_us();
		if (nnjit_generate(nnjit, &k->op, &k->schedule, emit, &kernel))
			abort();
		times[i] = now_us() - start;
	}
	return percentile(times, REPEATS, 0.5);
}

/* Adds what belongs to `kind`, OP_COUNT for all of it, to times that begin empty. */
static void gather(const struct catalogue *c, const double *spirv, const double *wgsl,
        enum op_kind kind, struct times *t)
{
	t->kernels = t->spaces = t->largest = 0;
	for (size_t i = 0; i < c->kernel_count; i++) {
		if (kind != OP_COUNT && c->kernels[i].op.kind != kind)
			continue;
		t->spirv[t->kernels] = spirv[i];
		t->wgsl[t->kernels++] = wgsl[i];
	}
	for (size_t i = 0; i < c->space_count; i++) {
		if (kind != OP_COUNT && c->spaces[i].op.kind != kind)
			continue;
		t->enumerate[t->spaces++] = c->spaces[i].enumerate_us;
		if (c->spaces[i].count > t->largest)
			t->largest = c->spaces[i].count;
	}
}

static void print_row(const char *name, struct times *t)
{
	printf("%-18s %8zu %6u %10.1f %8.1f %8.1f %8.1f %8.1f %8.1f\n", name, t->kernels,
	        t->largest, percentile(t->enumerate, t->spaces, 0.5),
	        percentile(t->spirv, t->kernels, 0.5), percentile(t->spirv, t->kernels, 0.99),
	        percentile(t->spirv, t->kernels, 1), percentile(t->wgsl, t->kernels, 0.5),
	        percentile(t->wgsl, t->kernels, 0.99));
}

/* Leaves the kernels and spaces of operators whose name begins with `prefix`. */
static void keep(struct catalogue *c, const char *prefix)
{
	size_t kernels = 0, spaces = 0, length = strlen(prefix);

	for (size_t i = 0; i < c->kernel_count; i++)
		if (!strncmp(op_name(c->kernels[i].op.kind), prefix, length))
			c->kernels[kernels++] = c->kernels[i];
	for (size_t i = 0; i < c->space_count; i++)
		if (!strncmp(op_name(c->spaces[i].op.kind), prefix, length))
			c->spaces[spaces++] = c->spaces[i];
	c->kernel_count = kernels;
	c->space_count = spaces;
}

static void print_rows(
        const struct catalogue *c, const double *spirv, const double *wgsl, struct times *t)
{
	uint32_t operators = 0;

	printf("%-18s %8s %6s %10s %8s %8s %8s %8s %8s\n", "microseconds", "kernels", "space",
	        "enumerate", "SPIR-V", "p99", "most", "WGSL", "p99");
	for (uint32_t kind = 0; kind < OP_COUNT; kind++) {
		gather(c, spirv, wgsl, (enum op_kind)kind, t);
		if (!t->kernels)
			continue;
		print_row(op_name((enum op_kind)kind), t);
		operators++;
	}
	gather(c, spirv, wgsl, OP_COUNT, t);
	print_row("all", t);
	printf("operators=%u kernels=%zu largest_space=%u p50_us=%.1f p99_us=%.1f "
	       "wgsl_p50_us=%.1f wgsl_p99_us=%.1f enumerate_p50_us=%.1f enumerate_p99_us=%.1f\n",
	        operators, t->kernels, t->largest, percentile(t->spirv, t->kernels, 0.5),
	        percentile(t->spirv, t->kernels, 0.99), percentile(t->wgsl, t->kernels, 0.5),
	        percentile(t->wgsl, t->kernels, 0.99), percentile(t->enumerate, t->spaces, 0.5),
	        percentile(t->enumerate, t->spaces, 0.99));
}

int main(int argc, char **argv)
{
	struct catalogue c;
	struct nnjit *nnjit;

	catalogue_collect(&c);
	keep(&c, argc > 1 ? argv[1] : "");
	if (!c.kernel_count) {
		fprintf(stderr, "catalogue: no operator's name begins with '%s'\n", argv[1]);
		return 2;
	}
	AUTO(free_pointer) double *numbers = calloc(4 * c.kernel_count + c.space_count, 8);
	if (!numbers || nnjit_create(&nnjit))
		return 1;
	double *spirv = numbers, *wgsl = numbers + c.kernel_count;
	struct times t = {.spirv = wgsl + c.kernel_count,
	        .wgsl = wgsl + 2 * c.kernel_count,
	        .enumerate = wgsl + 3 * c.kernel_count};
	for (size_t i = 0; i < c.kernel_count; i++) {
		spirv[i] = time_kernel(nnjit, &c.kernels[i], emit_spirv);
		wgsl[i] = time_kernel(nnjit, &c.kernels[i], emit_wgsl);
	}
	print_rows(&c, spirv, wgsl, &t);
	nnjit_destroy(nnjit);
	catalogue_free(&c);
	return 0;
}
