/* SPDX-License-Identifier: Apache-2.0
 *
 * shaderc takes our GLSL without a word: each row of ir.def in each scalar, and the first, the
 * middle and the last kernel of each shape's spaces.
 */
#include "base/buffer.h"
#include "ir/ir.h"
#include "nnjit.h"
#include "space/space.h"
#include "tests/bench/emit_glsl.h"
#include "tests/libjit/kernel_cases.h"
#include "tests/libjit/row_cases.h"
#include "tests/libjit/shapes.h"

#include <check.h>
#include <shaderc/shaderc.h>

static shaderc_compiler_t compiler;
static shaderc_compile_options_t options;
static struct nnjit *nnjit;

static void setup(void)
{
	compiler = shaderc_compiler_initialize();
	options = shaderc_compile_options_initialize();
	shaderc_compile_options_set_target_env(
	        options, shaderc_target_env_vulkan, shaderc_env_version_vulkan_1_1);
	ck_assert_int_eq(nnjit_create(&nnjit), 0);
}

static void teardown(void)
{
	shaderc_compile_options_release(options);
	shaderc_compiler_release(compiler);
	nnjit_destroy(nnjit);
}

static void compile(const char *text, size_t bytes, const char *where)
{
	shaderc_compilation_result_t result = shaderc_compile_into_spv(
	        compiler, text, bytes, shaderc_compute_shader, "kernel", "main", options);
	bool is_right = shaderc_result_get_compilation_status(result) ==
	                        shaderc_compilation_status_success &&
	                shaderc_result_get_num_warnings(result) == 0;
	ck_assert_msg(is_right, "%s: %s\n%.*s", where, shaderc_result_get_error_message(result),
	        (int)bytes, text);
	shaderc_result_release(result);
}

static void compile_kernel(const struct op *op, const struct schedule *schedule, const char *where)
{
	struct kernel kernel;

	ck_assert_int_eq(nnjit_generate(nnjit, op, schedule, emit_glsl, &kernel), 0);
	compile(kernel.code, kernel.code_bytes, where);
}

static void compile_built(struct ir_builder *b, const char *where)
{
	const struct ir_module *module;
	struct buffer out = {0};

	ck_assert_int_eq(ir_finish(b, &module), 0);
	ck_assert_int_eq(emit_glsl(module, &out), 0);
	compile(out.data, out.length, where);
	buffer_free(&out);
}

START_TEST(compiles_rows)
{
	static struct row_case cases[512];
	uint32_t count = row_cases(cases, 512);
	struct ir_builder *b;

	ck_assert_int_eq(ir_builder_create(&b), 0);
	for (uint32_t i = 0; i < count; i++)
		if (cases[i].row == &rows[_i]) {
			row_build(b, &cases[i]);
			compile_built(b, ir_op_infos[rows[_i].op].name);
		}
	ir_builder_destroy(b);
}
END_TEST

START_TEST(compiles_what_is_not_lane_by_lane)
{
	struct ir_builder *b;

	ck_assert_int_eq(ir_builder_create(&b), 0);
	for (uint32_t n = 0; row_build_other(b, n); n++)
		compile_built(b, "not lane by lane");
	ir_builder_destroy(b);
}
END_TEST

START_TEST(compiles)
{
	const char *text = shapes[_i];
	struct limits limits = case_limits();
	struct space space;

	limits.features &= ~(uint32_t)FEATURE_MATRIX;
	struct op op;

	ck_assert_int_eq(op_parse(text, &op, NULL), 0);
	for (size_t i = 0; i < CASE_FACTS; i++) {
		ck_assert_int_eq(space_enumerate(&op, &limits, &case_facts[i], &space, NULL), 0);
		compile_kernel(&op, &space.candidates[0].schedule, text);
		compile_kernel(&op, &space.candidates[space.count / 2].schedule, text);
		compile_kernel(&op, &space.candidates[space.count - 1].schedule, text);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("glsl");
	TCase *tcase = tcase_create("glsl");
	SRunner *runner = srunner_create(suite);

	tcase_add_unchecked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, compiles_rows, 0, (int)ROW_COUNT);
	tcase_add_test(tcase, compiles_what_is_not_lane_by_lane);
	tcase_add_loop_test(tcase, compiles, 0, (int)(sizeof shapes / sizeof *shapes));
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
