/* SPDX-License-Identifier: Apache-2.0
 *
 * f16 as IEEE 754 has it: base/half.h for every number and every tie, and every kernel of the cases
 * of half_cases.c in the interpreter, with and without f16 as a feature.
 */
#include "half_cases.h"

#include "base/error.h"
#include "base/half.h"
#include "nnjit_eval.h"
#include "reference/reference.h"
#include "space/space.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LARGE 4096 /* elements from which one kernel in five is run: of several forms still */

static const struct facts cpu = {
        .fma_gflops = 20, .memory_gbps = 10, .launch_ns = 5000, .cpu = true};

/* ---- half.h. */

START_TEST(every_half_comes_back)
{
	for (uint32_t half = 0; half <= UINT16_MAX; half++) {
		float value = half_to_float((uint16_t)half);
		if ((half & 0x7fff) > 0x7c00) {
			ck_assert(isnan(value) && isnan(half_to_float(half_of_float(value))));
			ck_assert_uint_eq(half_of_float(value) >> 15, half >> 15);
			continue;
		}
		ck_assert_uint_eq(half_of_float(value), half);
		ck_assert_uint_eq(half_of_double(value), half);
	}
	ck_assert(isinf(half_to_float(0x7c00)) && half_to_float(0xfc00) < 0);
}
END_TEST

START_TEST(ties_go_to_even)
{
	for (uint32_t half = 0; half < 0x7c00; half++) {
		double value = half_to_float((uint16_t)half);
		double next = half == 0x7bff ? 65536 : half_to_float((uint16_t)(half + 1));
		double middle = (value + next) / 2;
		float tie = (float)middle;
		ck_assert(tie == middle);
		ck_assert_uint_eq(half_of_float(tie), half + half % 2);
		ck_assert_uint_eq(half_of_float(-tie), 0x8000 | (half + half % 2));
		ck_assert_uint_eq(half_of_float(nextafterf(tie, 0)), half);
		ck_assert_uint_eq(half_of_float(nextafterf(tie, 1e9f)), half + 1);
		ck_assert_uint_eq(half_of_double(middle), half + half % 2);
		ck_assert_uint_eq(half_of_double(nextafter(middle, 0)), half);
		ck_assert_uint_eq(half_of_double(nextafter(middle, 1e9)), half + 1);
	}
	ck_assert_uint_eq(half_of_double(1e300), 0x7c00);
	ck_assert_uint_eq(half_of_double(-INFINITY), 0xfc00);
	ck_assert_uint_eq(half_of_double(-1e-300), 0x8000);
	ck_assert_uint_gt(half_of_double(NAN), 0x7c00);
}
END_TEST

/* ---- Kernels. */

static void check_kernel(struct nnjit *nnjit, const struct half_case *row, const struct op *op,
        const struct schedule *schedule, void *buffers[], const uint32_t *expected)
{
	struct tensor tensors[OP_TENSORS_MAX];
	uint32_t count = op_tensors(op, tensors);
	const struct tensor *out = &tensors[count - 1];
	struct nnjit_eval_params params = {buffers, .subgroup_size = 4};
	char text[SCHEDULE_TEXT_BYTES];

	memset(buffers[count - 1], 0xa5, tensor_bytes(out));
	ck_assert_int_eq(nnjit_eval(nnjit, op, schedule, &params), 0);
	schedule_print(schedule, text);
	for (uint32_t i = 0; i < out->elements; i++)
		ck_assert_msg(half_is_right(row, out, buffers[count - 1], i, expected[i],
		                      schedule->axis[AXIS_F16]),
		        "%s [%s]: element %u is %#x, not %#x", row->op, text, i,
		        half_bits_at(out->dtype, buffers[count - 1], i), expected[i]);
}

START_TEST(every_kernel)
{
	const struct half_case *row = &half_cases[_i];
	struct limits limits = limits_web_default;
	struct tensor tensors[OP_TENSORS_MAX];
	void *buffers[OP_TENSORS_MAX];
	static struct space space;
	struct nnjit *nnjit;
	struct error err = {0};
	struct op op;

	ck_assert_msg(!op_parse(row->op, &op, &err), "%s: %s", row->op, err.text);
	uint32_t count = op_tensors(&op, tensors);
	uint32_t *expected = malloc(tensors[count - 1].elements * sizeof *expected);
	for (uint32_t i = 0; i < count; i++) {
		buffers[i] = malloc(tensor_bytes(&tensors[i]));
		if (i + 1 < count)
			half_fill(&op, tensors, i, buffers[i]);
	}
	half_expect(row, &op, buffers, expected);
	limits.features = FEATURE_F16;
	ck_assert_int_eq(space_enumerate(&op, &limits, &cpu, &space, NULL), 0);
	ck_assert_int_eq(nnjit_create(&nnjit), 0);
	for (uint32_t i = 0; i<space.count; i += tensors[count - 1].elements> LARGE ? 5 : 1)
		check_kernel(nnjit, row, &op, &space.candidates[i].schedule, buffers, expected);
	nnjit_destroy(nnjit);
	for (uint32_t i = 0; i < count; i++)
		free(buffers[i]);
	free(expected);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("half");
	TCase *numbers = tcase_create("numbers"), *kernels = tcase_create("kernels");
	SRunner *runner;

	tcase_add_test(numbers, every_half_comes_back);
	tcase_add_test(numbers, ties_go_to_even);
	suite_add_tcase(suite, numbers);
	tcase_set_timeout(kernels, 300);
	tcase_add_loop_test(kernels, every_kernel, 0, (int)half_case_count);
	suite_add_tcase(suite, kernels);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
