/* SPDX-License-Identifier: Apache-2.0
 *
 * Contractions by cooperative matrices: well-formed IR and right in the interpreter, for whole and
 * for ragged shapes, every layout of the operands, epilogues, both numbers of slabs and subgroups
 * of several sizes; what is refused; and the SPIR-V's structure, word by word, since the validator
 * of Debian 12 does not know the extension.
 */
#include "kernel_cases.h"

#include "base/error.h"
#include "emit/emit.h"
#include "lower/lower.h"
#include "space/space.h"

#include <check.h>
#include <errno.h>

#define F16 "a=f16 b=f16 "
#define W32 "f16=1 subgroup=1 vec=4 split_k=32 "
#define W4  "f16=1 subgroup=1 vec=4 split_k=4 matrix=111 "

static const struct {
	const char *op, *schedule;
} right[] = {
        {"matmul m=32 n=32 k=32 " F16, W32 "matrix=222 tile_m=16 tile_n=16 k_step=16 unroll=16"},
        {"matmul m=64 n=64 k=64 out=f16 " F16,
                W32 "matrix=222 tile_m=32 tile_n=32 k_step=32 unroll=32 slabs=2"},
        {"matmul m=128 n=128 k=96 out=f16 " F16,
                W32 "matrix=222 tile_m=64 tile_n=64 wg_x=2 wg_y=2 k_step=32 unroll=32"},
        {"matmul m=128 n=256 k=64 out=f16 trans_b=1 " F16,
                W32 "matrix=222 tile_m=64 tile_n=64 wg_x=4 wg_y=2 k_step=32 unroll=32 slabs=2"},
        {"matmul m=64 n=64 k=48 trans_a=1 out=f16 " F16,
                W32 "matrix=222 tile_m=32 tile_n=32 k_step=32 unroll=32"},
        {"matmul m=64 n=64 k=48 trans_a=1 trans_b=1 batch=3 batch_b=1 " F16,
                W32 "matrix=222 tile_m=32 tile_n=16 wg_x=2 k_step=16 unroll=16 slabs=2"},
        {"matmul m=33 n=40 k=40 out=f16 bias=1 act=gelu " F16,
                W32 "matrix=222 tile_m=16 tile_n=32 wg_x=2 wg_y=2 k_step=32 unroll=32"},
        {"matmul m=33 n=39 k=37 " F16,
                W32 "matrix=222 tile_m=16 tile_n=16 wg_x=2 k_step=16 unroll=16 slabs=2"},
        {"matmul m=17 n=39 k=37 out=f16 trans_a=1 trans_b=1 residual=1 batch=2 " F16,
                W32 "matrix=222 tile_m=16 tile_n=16 wg_y=2 k_step=16 unroll=16"},
        {"matmul m=20 n=36 k=12 out=f16 bias=1 residual=1 act=silu " F16,
                W32 "matrix=212 tile_m=16 tile_n=16 k_step=16 unroll=16"},
        {"matmul m=5 n=6 k=7 out=f16 " F16,
                W32 "matrix=222 tile_m=16 tile_n=16 k_step=16 unroll=16"},
        {"matmul m=24 n=24 k=24 out=f16 " F16, W4 "tile_m=16 tile_n=8 wg_x=2 k_step=8 unroll=8"},
        {"matmul m=16 n=32 k=40 trans_b=1 " F16,
                W4 "tile_m=8 tile_n=16 wg_y=2 k_step=16 unroll=16 slabs=2"},
        {"matmul m=?20 n=32 k=40 trans_b=1 out=f16 " F16,
                W4 "tile_m=8 tile_n=16 wg_y=2 k_step=16 unroll=16"},
        {"matmul m=16 n=24 k=16 batch=?3 " F16, W4 "tile_m=8 tile_n=8 k_step=16 unroll=16"},
};
#define RIGHT (int)(sizeof right / sizeof *right)

static void parse(const char *text, const char *axes, struct op *op, struct schedule *schedule)
{
	struct error err = {0};

	ck_assert_msg(op_parse(text, op, &err) == 0, "%s: %s", text, err.text);
	ck_assert_msg(schedule_parse(axes, schedule, &err) == 0, "%s: %s", axes, err.text);
}

START_TEST(well_formed)
{
	struct ir_builder *builder;
	const struct ir_module *module;
	struct schedule schedule;
	struct error err;
	struct op op;

	parse(right[_i].op, right[_i].schedule, &op, &schedule);
	ck_assert_int_eq(ir_builder_create(&builder), 0);
	ck_assert_msg(
	        space_check(&op, &schedule, NULL, &err) == 0, "%s: %s", right[_i].op, err.text);
	ck_assert_int_eq(lower_kernel(builder, &op, &schedule), 0);
	ck_assert_int_eq(ir_finish(builder, &module), 0);
	ck_assert_msg(ir_check(module, &err) == 0, "%s: %s", right[_i].op, err.text);
	ir_builder_destroy(builder);
}
END_TEST

START_TEST(right_in_the_interpreter)
{
	uint32_t dims[OP_DYNAMIC_MAX];
	struct schedule schedule;
	struct nnjit *nnjit;
	struct op op;

	parse(right[_i].op, right[_i].schedule, &op, &schedule);
	ck_assert_int_eq(nnjit_create(&nnjit), 0);
	for (uint32_t i = 0; case_dims(&op, i, dims); i++) {
		struct case_buffers buffers = case_make(&op, dims, 7);
		case_poison(&buffers, 0);
		ck_assert_int_eq(nnjit_eval(nnjit, &op, &schedule, schedule.axis[AXIS_SPLIT_K],
		                         dims, buffers.data),
		        0);
		double error = case_error(&buffers, 0);
		ck_assert_msg(error <= buffers.tolerance, "%s [%s] at %u: relative error %g",
		        right[_i].op, right[_i].schedule, dims[0], error);
		case_free(&buffers);
	}
	nnjit_destroy(nnjit);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("matrix");
	TCase *kernels = tcase_create("kernels");

	tcase_set_timeout(kernels, 300);
	tcase_add_loop_test(kernels, well_formed, 0, RIGHT);
	tcase_add_loop_test(kernels, right_in_the_interpreter, 0, RIGHT);
	suite_add_tcase(suite, kernels);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
