/* SPDX-License-Identifier: Apache-2.0
 *
 * The space, of every family: never empty, never over 64, every candidate legal and distinct, no
 * feature used that is not allowed, every kind of schedule present, best first; what a page can
 * bind can be dispatched, with any dimensions; schedule texts round-trip.
 */
#include "base/error.h"
#include "cost/roofline.h"
#include "emit/spirv/spirv.h"
#include "kernel_cases.h"
#include "lower/turns.h"
#include "shapes.h"
#include "space/space.h"

#include <check.h>
#include <errno.h>
#include <string.h>

static struct limits tiny_limits(void)
{
	struct limits limits = limits_web_default;

	limits.invocations = limits.size_x = limits.size_y = 64;
	limits.workgroup_bytes = 1024;
	return limits;
}

static void check_space(const struct op *op, const struct limits *limits, const struct facts *facts)
{
	struct space space;
	struct error err;

	ck_assert_msg(space_enumerate(op, limits, facts, &space, &err) == 0, "%s", err.text);
	ck_assert_uint_ge(space.count, 1);
	ck_assert_uint_le(space.count, SPACE_MAX);
	for (uint32_t i = 0; i < space.count; i++) {
		const struct candidate *c = &space.candidates[i];
		ck_assert_msg(space_check(op, &c->schedule, limits, &err) == 0, "%s", err.text);
		ck_assert(c->predicted_ns > 0);
		ck_assert(i == 0 || c[-1].predicted_ns <= c->predicted_ns);
		for (uint32_t j = 0; j < i; j++)
			ck_assert(memcmp(
			        &space.candidates[j].schedule, &c->schedule, sizeof c->schedule));
	}
	struct schedule baseline = space_baseline(op);
	if (!space_check(op, &baseline, limits, NULL)) {
		ck_assert_uint_lt(space.baseline, space.count);
		ck_assert_mem_eq(
		        &space.candidates[space.baseline].schedule, &baseline, sizeof baseline);
	} else {
		ck_assert_uint_eq(space.baseline, space.count);
	}
}

START_TEST(spaces_are_sound)
{
	struct limits all = case_limits(), tiny = tiny_limits();
	struct facts unknown = {0};
	struct op op;

	ck_assert_int_eq(op_parse(shapes[_i], &op, NULL), 0);
	for (size_t f = 0; f < CASE_FACTS; f++) {
		check_space(&op, &all, &case_facts[f]);
		check_space(&op, &tiny, &case_facts[f]);
	}
	check_space(&op, &all, &unknown);
}
END_TEST

/* One step of one axis away, but for k_step and unroll, which may step together. */
static uint32_t axes_apart(const struct schedule *a, const struct schedule *b)
{
	uint32_t apart = 0;

	for (uint32_t i = 0; i < AXIS_COUNT; i++)
		apart += a->axis[i] != b->axis[i];
	bool together = a->axis[AXIS_K_STEP] != b->axis[AXIS_K_STEP] &&
	                a->axis[AXIS_UNROLL] != b->axis[AXIS_UNROLL];
	return apart - together;
}

/* Of every candidate: legal, distinct, in order, near. */
START_TEST(neighbours_are_sound)
{
	struct candidate near[SPACE_NEIGHBOURS_MAX];
	struct limits all = case_limits();
	struct space space;
	struct op op;

	ck_assert_int_eq(op_parse(shapes[_i], &op, NULL), 0);
	ck_assert_int_eq(space_enumerate(&op, &all, &case_facts[0], &space, NULL), 0);
	for (uint32_t c = 0; c < space.count; c++) {
		const struct schedule *from = &space.candidates[c].schedule;
		uint32_t count = space_neighbours(&op, &all, &case_facts[0], from, near);
		ck_assert_uint_le(count, SPACE_NEIGHBOURS_MAX);
		for (uint32_t i = 0; i < count; i++) {
			ck_assert_int_eq(space_check(&op, &near[i].schedule, &all, NULL), 0);
			ck_assert_uint_eq(axes_apart(from, &near[i].schedule), 1);
			if (i)
				ck_assert_double_ge(near[i].predicted_ns, near[i - 1].predicted_ns);
			for (uint32_t j = 0; j < i; j++)
				ck_assert_mem_ne(&near[i].schedule, &near[j].schedule,
				        sizeof near[i].schedule);
		}
	}
}
END_TEST

/* No schedule is said to be slower than it can be: predictions respect the bound of the launch, and
 * the bound grows with the work. */
START_TEST(roofline_is_a_bound)
{
	const struct facts facts = {.fma_gflops = 1000, .memory_gbps = 100, .launch_ns = 2000};
	struct op small, large, half;

	ck_assert_int_eq(op_parse("matmul m=8 n=8 k=8", &small, NULL), 0);
	ck_assert_int_eq(op_parse("matmul m=1024 n=1024 k=1024", &large, NULL), 0);
	ck_assert_int_eq(op_parse("matmul m=1024 n=1024 k=1024 a=f16 b=f16", &half, NULL), 0);
	ck_assert_double_eq(roofline_ns(&small, &facts), 2000);
	ck_assert_double_eq_tol(roofline_ns(&large, &facts), 2.147e6, 1e4);
	ck_assert_double_eq(roofline_ns(&half, &facts), 2000); /* other units may do it */
	ck_assert_double_eq(roofline_ns(&large, &(struct facts){0}), 0);
	ck_assert_int_eq(op_parse("add shape=64000000", &large, NULL), 0);
	ck_assert_double_eq_tol(roofline_ns(&large, &facts), 7.68e6, 1e5);
}
END_TEST

/* What the code uses is what the geometry says, and no more than was allowed. */
static void check_features(struct nnjit *nnjit, const struct op *op, uint32_t features,
        const struct candidate *candidate, const char *text)
{
	struct geometry g;
	struct kernel k;

	ck_assert_int_eq(space_geometry(op, &candidate->schedule, &g, NULL), 0);
	ck_assert_msg(!(g.features & ~features), "%s has features %x", text, g.features);
	ck_assert_int_eq(nnjit_generate(nnjit, op, &candidate->schedule, emit_spirv, &k), 0);
	ck_assert_msg(!(k.features & ~g.features), "%s: the code has features %x, not %x", text,
	        k.features, g.features);
}

START_TEST(features_are_never_exceeded)
{
	struct nnjit *nnjit;
	struct space space;
	struct error err;
	struct op op;

	ck_assert_int_eq(nnjit_create(&nnjit), 0);
	ck_assert_int_eq(op_parse(shapes[_i], &op, NULL), 0);
	for (uint32_t features = 0; features < 1u << FEATURE_COUNT; features++) {
		struct limits limits = case_limits();
		limits.features = features;
		if (!(features & FEATURE_SUBGROUPS))
			limits.subgroup_min = limits.subgroup_max = 0;
		ck_assert_msg(space_enumerate(&op, &limits, &case_facts[features % CASE_FACTS],
		                      &space, &err) == 0,
		        "%s: %s", shapes[_i], err.text);
		for (uint32_t i = 0; i < space.count; i++)
			check_features(nnjit, &op, features, &space.candidates[i], shapes[_i]);
	}
	nnjit_destroy(nnjit);
}
END_TEST

static bool can_be_bound(const struct op *op, const uint32_t dims[OP_DYNAMIC_MAX])
{
	struct tensor tensors[OP_TENSORS_MAX];
	struct op at = op_at(op, dims);
	uint32_t count = op_tensors(&at, tensors);

	for (uint32_t i = 0; i < count; i++)
		if (tensors[i].elements > OP_ELEMENTS_MAX ||
		        tensor_bytes(&tensors[i]) > limits_web_default.binding_bytes)
			return false;
	return true;
}

/* The greatest that dimension n can be bound with, the others as they are tuned. */
static void find_greatest(const struct op *op, uint32_t n, uint32_t ret_dims[OP_DYNAMIC_MAX])
{
	uint32_t low, high;

	case_dims(op, 0, ret_dims);
	op_range(op, n, &low, &high);
	ret_dims[n] = high;
	while (ret_dims[n] > low && !can_be_bound(op, ret_dims))
		ret_dims[n] -= (ret_dims[n] - low + 15) / 16;
}

START_TEST(what_can_be_bound_can_be_dispatched)
{
	struct limits limits = case_limits();
	uint32_t dims[OP_DYNAMIC_MAX];
	struct space space;
	struct op op;

	ck_assert_int_eq(op_parse(shapes[_i], &op, NULL), 0);
	for (size_t f = 0; f < CASE_FACTS; f++) {
		ck_assert_int_eq(space_enumerate(&op, &limits, &case_facts[f], &space, NULL), 0);
		for (uint32_t n = 0; n < op.dynamic_count; n++) {
			find_greatest(&op, n, dims);
			for (uint32_t i = 0; i < space.count; i++) {
				char text[SCHEDULE_TEXT_BYTES];
				struct geometry g;
				space_geometry(&op, &space.candidates[i].schedule, &g, NULL);
				schedule_print(&space.candidates[i].schedule, text);
				for (uint32_t d = 0; d < 3; d++)
					ck_assert_msg(extent_at(&g.grid[d], dims) <= 65535,
					        "%s [%s] at %u,%u: %llu workgroups along %u",
					        shapes[_i], text, dims[0], dims[1],
					        (unsigned long long)extent_at(&g.grid[d], dims), d);
			}
		}
	}
}
END_TEST

START_TEST(huge_shapes_have_a_space_too)
{
	static const char *const texts[] = {"matmul m=33554432 n=1 k=1",
	        "matmul m=1 n=33554432 k=1", "matmul m=1 n=1 k=33554432",
	        "matmul m=5792 n=5792 k=5792", "matmul m=8 n=8 k=8 batch=65536",
	        "matmul m=1 n=1 k=4 batch=8388608", "matmul_nbits m=1 n=32000 k=4096",
	        "conv2d c=1 h=5792 w=5792 oc=1 kernel=3 pad=1", "conv2d c=33554432 h=1 w=1 oc=1",
	        "softmax rows=33554432 n=1", "softmax rows=1 n=33554432",
	        "softmax rows=1 n=1 inner=33554432", "layernorm rows=33554432 n=1",
	        "groupnorm c=2 groups=1 inner=16777216", "argmax rows=1 n=33554432",
	        "cumsum rows=1 n=33554432", "add shape=33554432",
	        "transpose shape=33554432,1 perm=1,0", "not shape=67108864",
	        "gather rows=1 inner=1 count=33554432", "resize h=1 w=1 oh=5792 ow=5792",
	        "attention heads=1 q=524288 kv=64 dim=64",
	        "attention heads=1 q=1 kv=524288 dim=64"};
	struct op op;

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		ck_assert_msg(op_parse(texts[i], &op, NULL) == 0, "%s", texts[i]);
		check_space(&op, &limits_web_default, &case_facts[0]);
	}
}
END_TEST

START_TEST(limits_refuse_with_a_reason)
{
	static const struct {
		const char *text, *field;
	} cases[] = {{"matmul m=33554433 n=1 k=1", "a"}};
	struct space space;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct error err = {0};
		struct op op;
		ck_assert_int_eq(op_parse(cases[i].text, &op, NULL), 0);
		ck_assert_int_eq(
		        space_enumerate(&op, &limits_web_default, &case_facts[0], &space, &err),
		        -ERANGE);
		ck_assert_msg(strstr(err.field, cases[i].field), "field is %s", err.field);
		ck_assert_msg(err.text[0], "a refusal says why");
	}
}
END_TEST

/* ---- A device that ends loops. */

#define TURNS 65535

static uint64_t turns_of(const char *op_text, const char *schedule_text, uint32_t dim)
{
	const uint32_t most[OP_DYNAMIC_MAX] = {dim};
	struct schedule schedule;
	uint64_t turns = 0;
	struct op op;

	ck_assert_int_eq(op_parse(op_text, &op, NULL), 0);
	ck_assert_int_eq(schedule_parse(schedule_text, &schedule, NULL), 0);
	ck_assert_int_eq(lower_turns(&op, &schedule, most, &turns), 0);
	return turns;
}

static const char *const long_ones[] = {
        "reduce_sum rows=1 n=65536 inner=4",
        "reduce_max rows=3 n=1000001",
        "softmax rows=4 n=70000",
        "cumsum rows=1 n=100000 inner=64",
        "layernorm rows=2 n=300000",
        "matmul m=1 n=8 k=400000",
        "matmul m=16 n=16 k=262144 a=f16 b=f16 out=f16",
        "conv2d c=16384 h=4 w=4 oc=4 kernel=3,3",
        "attention heads=1 q=1 kv=200000 dim=16",
};

START_TEST(loops_keep_within_turns)
{
	struct limits limits = limits_web_default;
	struct space space;
	struct error err;
	struct op op;

	limits.turns = TURNS;
	ck_assert_int_eq(op_parse(long_ones[_i], &op, NULL), 0);
	for (size_t f = 0; f < CASE_FACTS; f++) {
		ck_assert_msg(space_enumerate(&op, &limits, &case_facts[f], &space, &err) == 0,
		        "%s: %s", long_ones[_i], err.text);
		for (uint32_t i = 0; i < space.count; i++) {
			const uint32_t none[OP_DYNAMIC_MAX] = {0};
			uint64_t turns;
			ck_assert_int_eq(
			        lower_turns(&op, &space.candidates[i].schedule, none, &turns), 0);
			ck_assert_uint_le(turns, TURNS);
		}
	}
}
END_TEST

/* Whoever loops more than the device allows is refused by name, and a range ends where it does. */
START_TEST(turns_refuse_and_narrow)
{
	struct limits limits = limits_web_default;
	uint32_t most[OP_DYNAMIC_MAX];
	struct schedule schedule;
	struct error err;
	struct op op;

	limits.turns = TURNS;
	op_parse("reduce_sum rows=1 n=65536 inner=4", &op, NULL);
	schedule_parse("wg_y=4 vec=4", &schedule, NULL);
	ck_assert_int_eq(space_check(&op, &schedule, &limits, &err), -ERANGE);
	ck_assert_ptr_nonnull(strstr(err.text, "turns"));
	limits.turns = 0;
	ck_assert_int_eq(space_check(&op, &schedule, &limits, &err), 0);

	limits.turns = TURNS;
	op_parse("softmax rows=4 n=?8", &op, NULL);
	schedule_parse("wg_y=4", &schedule, NULL);
	ck_assert_int_eq(space_range(&op, &schedule, &limits, most), 0);
	ck_assert_uint_gt(most[0], 8);
	ck_assert_uint_le(turns_of("softmax rows=4 n=?8", "wg_y=4", most[0]), TURNS);
	ck_assert_uint_gt(turns_of("softmax rows=4 n=?8", "wg_y=4", most[0] + 1), TURNS);
	limits.turns = 0;
	ck_assert_int_eq(space_range(&op, &schedule, &limits, most), 0);
	ck_assert_uint_eq(most[0], OP_DIM_MAX);
}
END_TEST

START_TEST(kinds_are_all_there)
{
	struct limits limits = case_limits();
	struct space space;
	struct op op;
	uint32_t direct = 0, staged = 0, split = 0, subgroup = 0, quad = 0, ahead = 0, large = 0;

	ck_assert_int_eq(op_parse("matmul m=256 n=256 k=256", &op, NULL), 0);
	for (size_t f = 0; f < CASE_FACTS; f++) {
		ck_assert_int_eq(space_enumerate(&op, &limits, &case_facts[f], &space, NULL), 0);
		for (uint32_t i = 0; i < space.count; i++) {
			const uint16_t *a = space.candidates[i].schedule.axis;
			staged += a[AXIS_STAGE_A] || a[AXIS_STAGE_B];
			split += a[AXIS_SPLIT_K] > 1 && !a[AXIS_SUBGROUP];
			subgroup += a[AXIS_SUBGROUP];
			quad += a[AXIS_CONTRACTION_QUAD];
			ahead += a[AXIS_CONTRACTION_AHEAD];
			direct += !a[AXIS_STAGE_A] && !a[AXIS_STAGE_B] && a[AXIS_SPLIT_K] == 1;
			large += a[AXIS_TILE_M] * a[AXIS_TILE_N] >= 128;
		}
		ck_assert(direct && staged && split && subgroup);
	}
	ck_assert(quad && ahead && large); /* of one machine each */
}
END_TEST

START_TEST(schedule_text_round_trips)
{
	struct limits limits = case_limits();
	struct space space;
	struct op op;

	ck_assert_int_eq(op_parse("matmul m=256 n=256 k=256", &op, NULL), 0);
	ck_assert_int_eq(space_enumerate(&op, &limits, &case_facts[0], &space, NULL), 0);
	for (uint32_t i = 0; i < space.count; i++) {
		char text[SCHEDULE_TEXT_BYTES];
		struct schedule again;
		schedule_print(&space.candidates[i].schedule, text);
		ck_assert_int_eq(schedule_parse(text, &again, NULL), 0);
		ck_assert_mem_eq(&again, &space.candidates[i].schedule, sizeof again);
	}
}
END_TEST

START_TEST(schedule_text_refused)
{
	static const char *const texts[] = {"wg_x", "wg_x=", "wg_x=a", "wg_x=8x", "wg_x=70000",
	        "=3", "colour=3", "wg_x=8,wg_y=8", "wg_x=-1"};
	struct schedule schedule;
	struct error err;

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		ck_assert_msg(schedule_parse(texts[i], &schedule, &err) == -EINVAL, "%s", texts[i]);
}
END_TEST

START_TEST(limits_meet_is_the_tighter)
{
	struct limits a = limits_web_default, b = limits_web_default;

	a.invocations = 1024;
	a.features = FEATURE_SUBGROUPS;
	a.subgroup_min = a.subgroup_max = 32;
	b.workgroup_bytes = 1;
	struct limits met = limits_meet(&a, &b);
	ck_assert_uint_eq(met.invocations, 256);
	ck_assert_uint_eq(met.workgroup_bytes, 1);
	ck_assert_uint_eq(met.features, 0);
	ck_assert_uint_eq(met.subgroup_max, 0);
	met = limits_meet(&a, &a);
	ck_assert_uint_eq(met.subgroup_min, 32);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("space");
	TCase *tests = tcase_create("space");

	tcase_set_timeout(tests, 60);
	tcase_add_loop_test(tests, spaces_are_sound, 0, SHAPES);
	tcase_add_loop_test(tests, neighbours_are_sound, 0, SHAPES);
	tcase_add_test(tests, roofline_is_a_bound);
	tcase_add_loop_test(tests, features_are_never_exceeded, 0, SHAPES);
	tcase_add_loop_test(tests, what_can_be_bound_can_be_dispatched, 0, SHAPES);
	tcase_add_test(tests, huge_shapes_have_a_space_too);
	tcase_add_test(tests, limits_refuse_with_a_reason);
	tcase_add_loop_test(
	        tests, loops_keep_within_turns, 0, (int)(sizeof long_ones / sizeof *long_ones));
	tcase_add_test(tests, turns_refuse_and_narrow);
	tcase_add_test(tests, kinds_are_all_there);
	tcase_add_test(tests, schedule_text_round_trips);
	tcase_add_test(tests, schedule_text_refused);
	tcase_add_test(tests, limits_meet_is_the_tighter);
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
