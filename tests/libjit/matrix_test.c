/* SPDX-License-Identifier: Apache-2.0
 *
 * Contractions by cooperative matrices: well-formed IR and right in the interpreter, for whole and
 * for ragged shapes, every layout of the operands, epilogues, both numbers of slabs and subgroups
 * of several sizes; what is refused; and the SPIR-V's structure, word by word, since the validator
 * of Debian 12 does not know the extension.
 */
#include "kernel_cases.h"

#include "base/error.h"
#include "emit/spirv/spirv.h"
#include "lower/lower.h"
#include "nnjit_eval.h"
#include "space/space.h"
#include "tests/bench/emit_glsl.h"

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
		struct nnjit_eval_params params = {
		        buffers.data, dims, schedule.axis[AXIS_SPLIT_K], NULL};
		ck_assert_int_eq(nnjit_eval(nnjit, &op, &schedule, &params), 0);
		double error = case_error(&buffers, 0);
		ck_assert_msg(error <= buffers.tolerance, "%s [%s] at %u: relative error %g",
		        right[_i].op, right[_i].schedule, dims[0], error);
		case_free(&buffers);
	}
	nnjit_destroy(nnjit);
}
END_TEST

/* ---- What is refused. */

START_TEST(refused)
{
	static const char *const op = "matmul m=64 n=64 k=64 a=f16 b=f16";
	static const struct {
		const char *op, *schedule;
	} cases[] = {{"matmul m=64 n=64 k=64", W4 "tile_m=8 tile_n=8 k_step=8 unroll=8"},
	        {"matmul m=64 n=64 k=?64 a=f16 b=f16", W4 "tile_m=8 tile_n=8 k_step=8 unroll=8"},
	        {"matmul m=64 n=?64 k=64 a=f16 b=f16", W4 "tile_m=8 tile_n=8 k_step=8 unroll=8"},
	        {op, W4 "tile_m=8 tile_n=12 k_step=8 unroll=8"},
	        {op, W4 "tile_m=8 tile_n=8 k_step=12 unroll=12"},
	        {op, W4 "tile_m=8 tile_n=8 k_step=16 unroll=8"},
	        {op, W4 "tile_m=8 tile_n=8 k_step=8 unroll=8 stage_a=1"},
	        {op, W4 "tile_m=8 tile_n=8 k_step=8 unroll=8 slabs=3"},
	        {op, W4 "tile_m=128 tile_n=128 k_step=8 unroll=8"},
	        {op, W4 "tile_m=8 tile_n=8 k_step=8 unroll=8 wg_x=65535 wg_y=65535"},
	        {op, W32 "tile_m=16 tile_n=16 k_step=16 unroll=16 matrix=202"},
	        {op, W32 "tile_m=16 tile_n=16 k_step=16 unroll=16 matrix=2222"},
	        {op, "matrix=111 tile_m=8 tile_n=8 k_step=8 unroll=8 vec=4 split_k=4"},
	        {op, "slabs=2"}};
	struct schedule schedule;
	struct op parsed;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		parse(cases[i].op, cases[i].schedule, &parsed, &schedule);
		ck_assert_msg(space_check(&parsed, &schedule, NULL, NULL) == -ERANGE,
		        "%s [%s] was accepted", cases[i].op, cases[i].schedule);
	}
}
END_TEST

/* The shape must be one that the device has; every subgroup of the size the kernel is made for. */
START_TEST(legal_where_the_device_has_it)
{
	struct limits limits = case_limits();
	struct schedule schedule;
	struct op op;

	parse("matmul m=64 n=64 k=64 a=f16 b=f16", W4 "tile_m=8 tile_n=8 k_step=8 unroll=8", &op,
	        &schedule);
	ck_assert_int_eq(space_check(&op, &schedule, &limits, NULL), 0);
	limits.matrices[0].k = 16;
	ck_assert_int_eq(space_check(&op, &schedule, &limits, NULL), -ERANGE);
	limits = case_limits();
	limits.subgroup_max = 8;
	ck_assert_int_eq(space_check(&op, &schedule, &limits, NULL), -ERANGE);
	limits = case_limits();
	limits.features &= ~(uint32_t)FEATURE_MATRIX;
	ck_assert_int_eq(space_check(&op, &schedule, &limits, NULL), -ERANGE);
}
END_TEST

/* ---- SPIR-V, word by word. */

#define OP_CAPABILITY     17
#define OP_MEMORY_MODEL   14
#define OP_TYPE_MATRIX    4456
#define OP_MATRIX_LOAD    4457
#define OP_MATRIX_STORE   4458
#define OP_MATRIX_MUL_ADD 4459

struct seen {
	uint32_t matrix_types, loads, stores, products, vulkan_models, capabilities;
};

static void look(const uint32_t *inst, uint32_t count, struct seen *seen)
{
	switch (inst[0] & 0xffff) {
	case OP_CAPABILITY: /* CooperativeMatrixKHR, VulkanMemoryModel */
		seen->capabilities += inst[1] == 6022 || inst[1] == 5345;
		break;
	case OP_MEMORY_MODEL: /* Logical, Vulkan */
		seen->vulkan_models += inst[1] == 0 && inst[2] == 3;
		break;
	case OP_TYPE_MATRIX:
		ck_assert_uint_eq(count, 7);
		seen->matrix_types++;
		break;
	case OP_MATRIX_LOAD: /* type, result, pointer, layout, stride, NonPrivatePointer */
		ck_assert_uint_eq(count, 7);
		ck_assert_uint_eq(inst[6], 0x20);
		seen->loads++;
		break;
	case OP_MATRIX_STORE: /* pointer, object, layout, stride, NonPrivatePointer */
		ck_assert_uint_eq(count, 6);
		ck_assert_uint_eq(inst[5], 0x20);
		seen->stores++;
		break;
	case OP_MATRIX_MUL_ADD:
		ck_assert_uint_eq(count, 6);
		seen->products++;
		break;
	}
}

START_TEST(words)
{
	struct schedule schedule;
	struct nnjit *nnjit;
	struct kernel kernel;
	struct seen seen = {0};
	struct geometry geometry;
	struct op op;

	parse("matmul m=64 n=64 k=64 out=f16 " F16,
	        W32 "matrix=222 tile_m=32 tile_n=48 k_step=32 unroll=32", &op, &schedule);
	ck_assert_int_eq(nnjit_create(&nnjit), 0);
	ck_assert_int_eq(nnjit_generate(nnjit, &op, &schedule, emit_spirv, &kernel), 0);
	const uint32_t *code = (const uint32_t *)kernel.code;
	size_t end = kernel.code_bytes / 4, at = 5;
	for (; at < end; at += code[at] >> 16) {
		ck_assert_uint_gt(code[at] >> 16, 0);
		look(code + at, code[at] >> 16, &seen);
	}
	ck_assert_uint_eq(at, end);
	ck_assert_uint_eq(seen.capabilities, 2);
	ck_assert_uint_eq(seen.vulkan_models, 1);
	ck_assert_uint_eq(seen.matrix_types, 3);
	ck_assert_uint_eq(seen.loads, 2 * (2 + 3));
	ck_assert_uint_eq(seen.products, 2 * 2 * 3);
	ck_assert_uint_eq(seen.stores, 2 * 3);
	ck_assert_int_eq(space_geometry(&op, &schedule, &geometry, NULL), 0);
	ck_assert_uint_eq(kernel.workgroup_bytes, geometry.workgroup_bytes);
	ck_assert_uint_eq(kernel.features, geometry.features);
	ck_assert_uint_eq(kernel.features, FEATURE_MATRIX | FEATURE_F16 | FEATURE_SUBGROUPS);
	ck_assert_int_eq(nnjit_generate(nnjit, &op, &schedule, emit_glsl, &kernel), -ENOTSUP);
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
	tcase_add_test(kernels, refused);
	tcase_add_test(kernels, legal_where_the_device_has_it);
	tcase_add_test(kernels, words);
	suite_add_tcase(suite, kernels);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
