/* SPDX-License-Identifier: Apache-2.0
 *
 * emission: what compiling costs. Our side: from (operator, schedule) to SPIR-V words, for every
 * schedule of the spaces of several operators under GPU and processor facts. The other side, in
 * the same run: shaderc at -O on the GLSL of the same kernels (a sample of them, as each takes
 * milliseconds; argument 1 sets how many, 0 for all).
 * Last line: p50_us p99_us shaderc_ratio (median of the per-kernel ratios).
 */
#include "nnjit.h"
#include "tests/bench/times.h"

#include <shaderc/shaderc.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const char *const operators[] = {
        "matmul m=256 n=256 k=256",
        "matmul m=128 n=768 k=768 bias=1",
        "matmul m=128 n=3072 k=768 bias=1 act=gelu",
        "matmul m=128 n=128 k=64 batch=12 trans_b=1",
        "matmul m=97 n=131 k=65",
        "matmul m=1 n=4096 k=4096 trans_b=1",
        "matmul m=197 n=768 k=768 trans_a=1 residual=1",
};
#define OPERATORS   (sizeof operators / sizeof *operators)
#define KERNELS_MAX (OPERATORS * 2 * SPACE_MAX)
#define REPEATS     5

struct kernel_case {
	struct op op;
	struct schedule schedule;
	double ours_us, shaderc_us;
};

static size_t collect(struct kernel_case *cases)
{
	struct facts facts[2] = {{.fma_gflops = 10000, .memory_gbps = 500, .launch_ns = 3000},
	        {.fma_gflops = 20, .memory_gbps = 10, .launch_ns = 5000, .cpu = true}};
	size_t count = 0;

	for (size_t i = 0; i < OPERATORS; i++) {
		for (size_t f = 0; f < 2; f++) {
			struct space space;
			struct op op;
			if (op_parse(operators[i], &op, NULL) ||
			        space_enumerate(&op, &limits_web_default, &facts[f], &space, NULL))
				abort();
			for (uint32_t c = 0; c < space.count; c++)
				cases[count++] = (struct kernel_case){
				        .op = op, .schedule = space.candidates[c].schedule};
		}
	}
	return count;
}

/* Median of a few, each a whole generation; the first one warms the memory. */
static void time_ours(struct nnjit *nnjit, struct kernel_case *c)
{
	double times[REPEATS];
	struct kernel kernel;

	for (int i = 0; i < REPEATS; i++) {
		double start = now_us();
		if (nnjit_generate(nnjit, &c->op, &c->schedule, NNJIT_SPIRV, &kernel))
			abort();
		times[i] = now_us() - start;
	}
	c->ours_us = percentile(times, REPEATS, 0.5);
}

static void time_shaderc(struct nnjit *nnjit, shaderc_compiler_t compiler,
        shaderc_compile_options_t options, struct kernel_case *c)
{
	struct kernel kernel;

	if (nnjit_generate(nnjit, &c->op, &c->schedule, NNJIT_GLSL, &kernel))
		abort();
	double start = now_us();
	shaderc_compilation_result_t result = shaderc_compile_into_spv(compiler, kernel.code,
	        kernel.code_bytes, shaderc_compute_shader, "kernel", "main", options);
	c->shaderc_us = now_us() - start;
	if (shaderc_result_get_compilation_status(result) != shaderc_compilation_status_success) {
		fprintf(stderr, "shaderc refused a kernel: %s\n",
		        shaderc_result_get_error_message(result));
		exit(1);
	}
	shaderc_result_release(result);
}

int main(int argc, char **argv)
{
	size_t sample = argc > 1 ? strtoul(argv[1], NULL, 10) : 120;
	static struct kernel_case cases[KERNELS_MAX];
	static double ours[KERNELS_MAX], theirs[KERNELS_MAX], ratios[KERNELS_MAX];
	shaderc_compiler_t compiler = shaderc_compiler_initialize();
	shaderc_compile_options_t options = shaderc_compile_options_initialize();
	size_t count = collect(cases), timed = 0;
	struct nnjit *nnjit;

	if (nnjit_create(&nnjit) || !compiler || !options)
		return 1;
	shaderc_compile_options_set_optimization_level(
	        options, shaderc_optimization_level_performance);
	shaderc_compile_options_set_target_env(
	        options, shaderc_target_env_vulkan, shaderc_env_version_vulkan_1_1);
	for (size_t i = 0; i < count; i++) {
		time_ours(nnjit, &cases[i]);
		ours[i] = cases[i].ours_us;
	}
	time_shaderc(nnjit, compiler, options, &cases[0]); /* its first call pays for start-up */
	size_t stride = sample && sample < count ? count / sample : 1;
	for (size_t i = 0; i < count; i += stride) {
		time_ours(nnjit, &cases[i]); /* again, side by side: the clock drifts */
		time_shaderc(nnjit, compiler, options, &cases[i]);
		theirs[timed] = cases[i].shaderc_us;
		ratios[timed++] = cases[i].shaderc_us / cases[i].ours_us;
	}
	double p50 = percentile(ours, count, 0.5), p99 = percentile(ours, count, 0.99);
	printf("%-34s %10s %10s %8s\n", "emission, microseconds a kernel", "p50", "p99", "kernels");
	printf("%-34s %10.1f %10.1f %8zu\n", "nnjit, schedule to SPIR-V words", p50, p99, count);
	printf("%-34s %10.1f %10.1f %8zu\n", "shaderc -O, GLSL to SPIR-V words",
	        percentile(theirs, timed, 0.5), percentile(theirs, timed, 0.99), timed);
	printf("ratio per kernel: min %.0f, median %.0f, max %.0f\n", percentile(ratios, timed, 0),
	        percentile(ratios, timed, 0.5), percentile(ratios, timed, 1));
	printf("p50_us=%.1f p99_us=%.1f shaderc_ratio=%.0f\n", p50, p99,
	        percentile(ratios, timed, 0.5));
	nnjit_destroy(nnjit);
	shaderc_compile_options_release(options);
	shaderc_compiler_release(compiler);
	return 0;
}
