/* SPDX-License-Identifier: Apache-2.0
 *
 * Every kernel of every shape's spaces: well-formed IR, right in the interpreter with every
 * dimension it is tried with, valid SPIR-V.
 */
#include "base/error.h"
#include "emit/spirv/spirv.h"
#include "emit/text/wgsl.h"
#include "kernel_cases.h"
#include "nnjit_eval.h"
#include "shapes.h"
#include "space/space.h"

#include "lower/lower.h"

#include <check.h>
#include <errno.h>
#include <spirv-tools/libspirv.h>

static void check_module(const struct op *op, const struct candidate *candidate, const char *where)
{
	struct ir_builder *builder;
	const struct ir_module *module;
	struct error err;

	ck_assert_int_eq(ir_builder_create(&builder), 0);
	ck_assert_int_eq(lower_kernel(builder, op, &candidate->schedule), 0);
	ck_assert_int_eq(ir_finish(builder, &module), 0);
	ck_assert_msg(ir_check(module, &err) == 0, "%s: %s", where, err.text);
	ir_builder_destroy(builder);
}

static void check_eval(struct nnjit *nnjit, const struct op *op, const struct candidate *candidate,
        const uint32_t dims[OP_DYNAMIC_MAX], struct case_buffers *buffers, const char *where)
{
	for (uint32_t round = 0; round < case_rounds(buffers); round++) {
		case_poison(buffers, round);
		struct nnjit_eval_params params = {buffers->data, dims, CASE_SUBGROUP_SIZE, NULL};
		int r = nnjit_eval(nnjit, op, &candidate->schedule, &params);
		ck_assert_msg(r == 0, "%s at %u,%u: eval returned %d", where, dims[0], dims[1], r);
		double error = case_error(buffers, round);
		ck_assert_msg(error <= buffers->tolerance, "%s at %u,%u: relative error %g", where,
		        dims[0], dims[1], error);
	}
}

static void check_spirv(struct nnjit *nnjit, spv_context context, const struct op *op,
        const struct candidate *candidate, const char *where)
{
	struct kernel kernel;
	spv_diagnostic diagnostic = NULL;

	ck_assert_int_eq(nnjit_generate(nnjit, op, &candidate->schedule, emit_spirv, &kernel), 0);
	struct spv_const_binary_t words = {(const uint32_t *)kernel.code, kernel.code_bytes / 4};
	int r = spvValidate(context, &words, &diagnostic);
	ck_assert_msg(r == SPV_SUCCESS, "%s: %s", where, diagnostic ? diagnostic->error : "?");
	spvDiagnosticDestroy(diagnostic);
}

static void describe(const char *text, const struct schedule *schedule, char *where, size_t room)
{
	char axes[SCHEDULE_TEXT_BYTES];

	schedule_print(schedule, axes);
	snprintf(where, room, "%s [%s]", text, axes);
}

/* All of the space in the interpreter, with one choice of dimensions. */
static void eval_space(struct nnjit *nnjit, const char *text, const struct op *op,
        const struct space *space, const uint32_t dims[OP_DYNAMIC_MAX])
{
	char where[OP_TEXT_BYTES + SCHEDULE_TEXT_BYTES];
	struct case_buffers buffers = case_make(op, dims, 1);

	for (uint32_t i = 0; i < space->count; i++) {
		describe(text, &space->candidates[i].schedule, where, sizeof where);
		check_eval(nnjit, op, &space->candidates[i], dims, &buffers, where);
	}
	case_free(&buffers);
}

/* Whether the features decide how its elements are read and multiplied. */
static bool is_narrow(const struct op *op)
{
	struct tensor tensors[OP_TENSORS_MAX];
	uint32_t count = op_tensors(op, tensors), narrow = 0;

	for (uint32_t i = 0; i < count; i++)
		narrow += dtype_bits(tensors[i].dtype) < 32;
	return narrow;
}

#define FEATURE_SETS 2 /* all, and none for what is narrow */

START_TEST(every_kernel)
{
	const char *text = shapes[_i / FEATURE_SETS / CASE_FACTS];
	const struct facts *facts = &case_facts[_i / FEATURE_SETS % CASE_FACTS];
	struct limits limits = _i % FEATURE_SETS ? limits_web_default : case_limits();
	spv_context context = spvContextCreate(SPV_ENV_VULKAN_1_1);
	uint32_t dims[OP_DYNAMIC_MAX];
	struct nnjit *nnjit;
	struct space space;
	struct op op;

	ck_assert_int_eq(op_parse(text, &op, NULL), 0);
	if (_i % FEATURE_SETS && !is_narrow(&op)) {
		spvContextDestroy(context);
		return;
	}
	ck_assert_int_eq(nnjit_create(&nnjit), 0);
	ck_assert_int_eq(space_enumerate(&op, &limits, facts, &space, NULL), 0);
	for (uint32_t i = 0; i < space.count; i++) {
		char where[OP_TEXT_BYTES + SCHEDULE_TEXT_BYTES];
		describe(text, &space.candidates[i].schedule, where, sizeof where);
		check_module(&op, &space.candidates[i], where);
		if (!case_is_foreign(&space.candidates[i].schedule))
			check_spirv(nnjit, context, &op, &space.candidates[i], where);
	}
	for (uint32_t i = 0; case_dims(&op, i, dims); i++)
		eval_space(nnjit, text, &op, &space, dims);
	nnjit_destroy(nnjit);
	spvContextDestroy(context);
}
END_TEST

START_TEST(same_bytes_every_time)
{
	static nnjit_emitter *const emitters[] = {
	        emit_wgsl, emit_spirv, emit_spirv_web, emit_spirv_web_clamped};
	struct nnjit *one, *two;
	struct op op, other;
	struct kernel a, b;

	ck_assert_int_eq(nnjit_create(&one), 0);
	ck_assert_int_eq(nnjit_create(&two), 0);
	ck_assert_int_eq(op_parse("matmul m=33 n=65 k=17 bias=1 act=gelu", &op, NULL), 0);
	ck_assert_int_eq(op_parse("matmul m=64 n=64 k=64", &other, NULL), 0);
	struct schedule schedule = space_baseline(&op);
	for (size_t i = 0; i < sizeof emitters / sizeof *emitters; i++) {
		ck_assert_int_eq(nnjit_generate(two, &other, &schedule, emit_spirv, &b), 0);
		ck_assert_int_eq(nnjit_generate(one, &op, &schedule, emitters[i], &a), 0);
		ck_assert_int_eq(nnjit_generate(two, &op, &schedule, emitters[i], &b), 0);
		ck_assert_uint_eq(a.code_bytes, b.code_bytes);
		ck_assert_mem_eq(a.code, b.code, a.code_bytes);
	}
	nnjit_destroy(one);
	nnjit_destroy(two);
}
END_TEST

START_TEST(malformed_schedules_are_refused)
{
	static const char *const square = "matmul m=64 n=64 k=64",
	                         *const odd = "matmul m=7 n=9 k=12 a=f16 b=f16 out=f16",
	                         *const words = "matmul_nbits m=4 n=8 k=64";
	static const struct {
		const char *op, *schedule;
	} cases[] = {{square, "vec=3 tile_n=3"}, {square, "tile_n=2 vec=4"}, {square, "tile_m=33"},
	        {square, "tile_m=32 tile_n=32"}, {square, "k_step=8 unroll=3"},
	        {square, "k_step=8 unroll=4"}, {square, "split_k=3"},
	        {square, "split_k=4 stage_a=1"}, {square, "subgroup=1 split_k=4 wg_x=2"},
	        {square, "k_step=128 unroll=128"}, {square, "subgroup=1"},
	        {square, "wg_x=64 wg_y=64"}, {square, "f16=1"}, {square, "dot4=1"},
	        {"matmul m=8 n=8 k=18 a=i8 b=i8 trans_b=1", "dot4=1"},
	        {"matmul m=8 n=8 k=16 a=i8 b=i8", "dot4=1"},
	        {"matmul m=8 n=8 k=?16 a=i8 b=i8 trans_b=1", "dot4=1"},
	        {"matmul m=8 n=8 k=8", "quad=1 tile_m=4"},
	        {"matmul m=8 n=8 k=8", "quad=1 wg_x=4 tile_m=2"},
	        {"matmul m=8 n=8 k=8", "quad=1 wg_x=4 wg_y=2 tile_m=4"},
	        {"matmul m=8 n=8 k=8 trans_a=1", "quad=1 wg_x=4 tile_m=4"},
	        {"matmul m=8 n=8 k=8", "quad=1 wg_x=4 tile_m=4 stage_b=1"},
	        {"matmul m=8 n=8 k=8", "ahead=1"},
	        {"matmul m=8 n=64 k=64", "tile_n=32 k_step=4 unroll=4 stage_a=1 stage_b=1 ahead=1"},
	        {"matmul m=8 n=8 k=?64", "stage_a=1 k_step=8"}, {odd, "vec=1"}, {odd, "tile_n=3"},
	        {odd, "tile_n=2 vec=2 tile_m=2"}, {odd, "tile_n=12 vec=4"},
	        {odd, "tile_n=2 vec=2 stage_a=1 stage_b=1"}, {words, "k_step=4 unroll=4"},
	        {words, "k_step=12 unroll=12"}, {words, "k_step=8 unroll=2 stage_a=1 stage_b=1"},
	        {words, "k_step=24 unroll=24"}};
	struct nnjit *nnjit;
	struct kernel kernel;
	struct op op;

	ck_assert_int_eq(nnjit_create(&nnjit), 0);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct schedule schedule;
		ck_assert_int_eq(op_parse(cases[i].op, &op, NULL), 0);
		ck_assert_int_eq(schedule_parse(cases[i].schedule, &schedule, NULL), 0);
		ck_assert_msg(nnjit_generate(nnjit, &op, &schedule, emit_wgsl, &kernel) == -EINVAL,
		        "%s [%s] was accepted", cases[i].op, cases[i].schedule);
	}
	nnjit_destroy(nnjit);
}
END_TEST

/* The code needs what the geometry says, no more: features, and bytes of workgroup memory. */
START_TEST(kernels_need_what_is_said)
{
	static const struct {
		const char *op, *schedule;
		uint32_t features;
	} cases[] = {{"matmul m=8 n=8 k=8 a=f16 b=f16 out=f16", "tile_n=2 vec=2", 0},
	        {"matmul m=8 n=8 k=8 a=f16 b=f16 out=f16", "f16=1", FEATURE_F16},
	        {"matmul m=8 n=8 k=8 a=f16 b=f16 out=f16 acc=f16", "tile_n=2 vec=2", 0},
	        {"matmul m=8 n=8 k=8 a=f16 b=f16 out=f16 acc=f16",
	                "f16=1 stage_a=1 stage_b=1 wg_x=2 wg_y=2 k_step=4 unroll=4", FEATURE_F16},
	        {"matmul m=8 n=8 k=8 a=i8 b=i8 trans_b=1", "", 0},
	        {"matmul m=8 n=8 k=8 a=i8 b=i8 trans_b=1", "dot4=1", FEATURE_DOT4},
	        {"matmul_nbits m=1 n=8 k=64 a=f16", "tile_n=2 vec=4 k_step=8 unroll=8 split_k=8",
	                0},
	        {"matmul m=8 n=16 k=8", "wg_x=4 tile_m=4 tile_n=4 vec=4 quad=1", FEATURE_SUBGROUPS},
	        {"matmul m=1 n=8 k=64", "split_k=4 subgroup=1", FEATURE_SUBGROUPS}};
	struct nnjit *nnjit;

	ck_assert_int_eq(nnjit_create(&nnjit), 0);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct schedule schedule;
		struct geometry geometry;
		struct kernel kernel;
		struct op op;
		ck_assert_int_eq(op_parse(cases[i].op, &op, NULL), 0);
		ck_assert_int_eq(schedule_parse(cases[i].schedule, &schedule, NULL), 0);
		ck_assert_int_eq(space_geometry(&op, &schedule, &geometry, NULL), 0);
		ck_assert_int_eq(nnjit_generate(nnjit, &op, &schedule, emit_wgsl, &kernel), 0);
		ck_assert_msg(kernel.features == cases[i].features &&
		                      geometry.features == cases[i].features,
		        "%s [%s]: features %x, %x said", cases[i].op, cases[i].schedule,
		        kernel.features, geometry.features);
		ck_assert_uint_eq(kernel.workgroup_bytes, geometry.workgroup_bytes);
	}
	nnjit_destroy(nnjit);
}
END_TEST

/* Where a dimension passes what a dispatch has, workgroups take several blocks each; pairs
 * of f16 fold into two dimensions of the grid. */
START_TEST(long_dimensions_are_covered)
{
	static const struct {
		const char *op, *schedule;
		uint32_t dims[OP_DYNAMIC_MAX], workgroups;
	} cases[] = {{"matmul m=?300 n=1 k=2", "", {66001}, 65535},
	        {"matmul m=?300 n=1 k=2", "wg_y=2 split_k=4", {133333}, 65535},
	        {"matmul m=1 n=?300 k=4 trans_b=1", "split_k=2", {66003}, 65535},
	        {"matmul m=1 n=1 k=4 batch=66001", "", {0}, 65535},
	        {"matmul m=66001 n=1 k=2 bias=1", "wg_y=1 split_k=4", {0}, 65535},
	        {"matmul m=2 n=1 k=3 batch=?3", "wg_y=2 stage_a=1 stage_b=1 k_step=2", {66003},
	                65535},
	        {"matmul m=?3 n=3 k=2 a=f16 b=f16 out=f16", "tile_n=2 vec=2", {44003}, 98304}};
	struct nnjit *nnjit;

	ck_assert_int_eq(nnjit_create(&nnjit), 0);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct candidate candidate;
		struct geometry g;
		struct op op;
		uint64_t workgroups = 1;
		ck_assert_int_eq(op_parse(cases[i].op, &op, NULL), 0);
		ck_assert_int_eq(schedule_parse(cases[i].schedule, &candidate.schedule, NULL), 0);
		ck_assert_int_eq(space_geometry(&op, &candidate.schedule, &g, NULL), 0);
		for (uint32_t d = 0; d < 3; d++)
			workgroups *= extent_at(&g.grid[d], cases[i].dims);
		ck_assert_uint_eq(workgroups, cases[i].workgroups);
		struct case_buffers buffers = case_make(&op, cases[i].dims, 1);
		check_eval(nnjit, &op, &candidate, cases[i].dims, &buffers, cases[i].op);
		case_free(&buffers);
	}
	nnjit_destroy(nnjit);
}
END_TEST

/* What small operators' spaces do not offer: long k, loaded ahead; quads of each kind of b. */
START_TEST(schedules_beyond_the_spaces_are_right)
{
	static const struct {
		const char *op, *schedule;
	} cases[] = {{"matmul m=33 n=37 k=65", "wg_x=4 wg_y=8 tile_m=2 tile_n=4 vec=4 k_step=16 "
	                                       "unroll=4 stage_a=1 stage_b=1 ahead=1"},
	        {"matmul m=9 n=20 k=?40 trans_b=1",
	                "wg_x=4 wg_y=2 tile_m=4 tile_n=4 vec=4 k_step=8 "
	                "unroll=4 stage_a=1 stage_b=1 ahead=1"},
	        {"matmul m=12 n=16 k=32 trans_a=1 batch=2", "wg_x=4 wg_y=2 tile_m=4 tile_n=4 vec=2 "
	                                                    "k_step=8 unroll=8 stage_b=1 ahead=1"},
	        {"matmul_nbits m=9 n=16 k=128", "wg_x=4 wg_y=4 tile_m=4 tile_n=4 vec=4 k_step=32 "
	                                        "unroll=4 stage_a=1 stage_b=1 ahead=1"},
	        {"matmul m=13 n=18 k=27",
	                "wg_x=4 tile_m=8 tile_n=4 vec=4 k_step=8 unroll=8 quad=1"},
	        {"matmul m=?9 n=20 k=?40 trans_b=1 batch=2",
	                "wg_x=4 tile_m=4 tile_n=2 vec=4 k_step=4 unroll=4 quad=1"},
	        {"matmul_nbits m=9 n=16 k=64",
	                "wg_x=4 tile_m=4 tile_n=2 vec=4 k_step=16 unroll=16 quad=1"}};
	uint32_t dims[OP_DYNAMIC_MAX];
	struct candidate candidate = {0};
	struct nnjit *nnjit;
	struct op op;

	ck_assert_int_eq(nnjit_create(&nnjit), 0);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		ck_assert_int_eq(op_parse(cases[i].op, &op, NULL), 0);
		ck_assert_int_eq(schedule_parse(cases[i].schedule, &candidate.schedule, NULL), 0);
		for (uint32_t d = 0; case_dims(&op, d, dims); d++) {
			struct case_buffers buffers = case_make(&op, dims, 1);
			check_eval(nnjit, &op, &candidate, dims, &buffers, cases[i].op);
			case_free(&buffers);
		}
	}
	nnjit_destroy(nnjit);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lower");
	TCase *kernels = tcase_create("kernels"), *door = tcase_create("door");

	tcase_set_timeout(kernels, 300);
	tcase_add_loop_test(kernels, every_kernel, 0, SHAPES * CASE_FACTS * FEATURE_SETS);
	suite_add_tcase(suite, kernels);
	tcase_set_timeout(door, 120);
	tcase_add_test(door, same_bytes_every_time);
	tcase_add_test(door, malformed_schedules_are_refused);
	tcase_add_test(door, kernels_need_what_is_said);
	tcase_add_test(door, long_dimensions_are_covered);
	tcase_add_test(door, schedules_beyond_the_spaces_are_right);
	suite_add_tcase(suite, door);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
