/* SPDX-License-Identifier: Apache-2.0
 *
 * The cost model: what its predictions consist of, that more work never costs less, that each bound
 * can be reached, and what measured facts change. And what it learns from measured times.
 */
#include "kernel_cases.h"
#include "shapes.h"
#include "space/space.h"

#include "cost/calibrate.h"

#include <check.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

static const struct facts machines[] = {
        {.fma_gflops = 65000, .memory_gbps = 4000, .launch_ns = 2000, .barrier_ns = 20},
        {.fma_gflops = 500, .memory_gbps = 40, .launch_ns = 10000},
        {.fma_gflops = 60, .memory_gbps = 9, .launch_ns = 4000, .cpu = true, .cores = 2},
        {.fma_gflops = 13, .memory_gbps = 5, .launch_ns = 3000, .cpu = true},
        {.cpu = false}, /* of which nothing is known */
        {.cpu = true},
};
#define MACHINES (sizeof machines / sizeof *machines)

/* ---- Predictions. */

static void check_prediction(const struct prediction *p)
{
	double sum = 0;

	ck_assert(isfinite(p->ns) && p->ns > 0);
	ck_assert_uint_lt(p->bound, COST_BOUNDS);
	for (uint32_t i = 0; i < COST_PARTS; i++) {
		ck_assert(p->share[i] >= 0);
		sum += p->share[i];
	}
	ck_assert_double_eq_tol(sum, 1, 1e-9);
}

START_TEST(parts_add_up)
{
	struct limits limits = case_limits();
	struct prediction p;
	struct space space;
	struct op op;

	ck_assert_int_eq(op_parse(shapes[_i], &op, NULL), 0);
	for (size_t m = 0; m < MACHINES; m++) {
		ck_assert_int_eq(space_enumerate(&op, &limits, &machines[m], &space, NULL), 0);
		for (uint32_t i = 0; i < space.count; i++) {
			const struct candidate *c = &space.candidates[i];
			ck_assert_int_eq(space_predict(&op, &c->schedule, &machines[m], &p), 0);
			ck_assert_double_eq(p.ns, c->predicted_ns);
			check_prediction(&p);
		}
	}
}
END_TEST

/* Eight lanes cross rows of four, four do not. Which axis is the row depends on what lies side by
 * side in memory. */
static const struct {
	const char *op, *wide, *narrow;
} rows[] = {
        {"matmul m=128 n=128 k=128", "wg_x=8 wg_y=2 tile_m=8 tile_n=8 vec=4",
                "wg_x=4 wg_y=4 tile_m=8 tile_n=8 vec=4"},
        {"conv2d c=32 h=32 w=32 oc=32 kernel=3 pad=1", "wg_x=8 wg_y=2 tile_m=8 tile_n=4 vec=4",
                "wg_x=4 wg_y=4 tile_m=8 tile_n=4 vec=4"},
        {"conv2d c=64 h=32 w=32 oc=128 layout=nhwc", "wg_x=2 wg_y=8 tile_m=8 tile_n=4 vec=4",
                "wg_x=4 wg_y=4 tile_m=8 tile_n=4 vec=4"},
};

START_TEST(lanes_across_rows_cost)
{
	struct facts facts = machines[2];
	struct schedule wide, narrow;
	struct limits limits = case_limits();
	struct space space;
	struct op op;

	ck_assert_int_eq(op_parse(rows[_i].op, &op, NULL), 0);
	ck_assert_int_eq(schedule_parse(rows[_i].wide, &wide, NULL), 0);
	ck_assert_int_eq(schedule_parse(rows[_i].narrow, &narrow, NULL), 0);
	facts.lanes = 4;
	ck_assert_double_eq_tol(
	        space_predict_ns(&op, &narrow, &facts) / space_predict_ns(&op, &wide, &facts), 1,
	        0.05);
	facts.lanes = 8;
	ck_assert_double_gt(
	        space_predict_ns(&op, &narrow, &facts), 1.2 * space_predict_ns(&op, &wide, &facts));
	ck_assert_int_eq(space_enumerate(&op, &limits, &facts, &space, NULL), 0);
	const uint16_t *first = space.candidates[0].schedule.axis;
	ck_assert_uint_ge(
	        first[AXIS_WG_X] > first[AXIS_WG_Y] ? first[AXIS_WG_X] : first[AXIS_WG_Y], 8);
}
END_TEST

/* A dispatch of 4096 workgroups of 64, each invocation of which does this. */
static struct prediction predict(const struct work *work, const struct facts *facts)
{
	struct geometry g = {.workgroup_size = {64, 1, 1},
	        .grid = {{.times = 4096, .over = 1}, {.times = 1, .over = 1},
	                {.times = 1, .over = 1}}};
	struct op op;

	ck_assert_int_eq(op_parse("matmul m=64 n=64 k=64", &op, NULL), 0);
	struct prediction p = cost_predict(&op, &g, work, facts);
	check_prediction(&p);
	return p;
}

static const struct work ordinary = {.arithmetic = 2000,
        .loads = 30,
        .lanes = 100,
        .shared_loads = 20,
        .shared_lanes = 60,
        .barriers = 4,
        .turns = 16,
        .accumulators = 16,
        .registers = 24,
        .parallel = 2,
        .traffic_bytes = 1 << 22};

/* Members of struct work of which more is never cheaper, and twenty times much dearer. */
static const size_t grows[] = {offsetof(struct work, arithmetic), offsetof(struct work, lanes),
        offsetof(struct work, shared_lanes), offsetof(struct work, barriers),
        offsetof(struct work, turns), offsetof(struct work, traffic_bytes)};

START_TEST(more_work_costs_more)
{
	for (size_t m = 0; m < MACHINES; m++) {
		struct work work = ordinary;
		double *count = (double *)((char *)&work + grows[_i]), last = 0;
		for (int step = 0; step < 30; step++, *count *= 2) {
			double ns = predict(&work, &machines[m]).ns;
			ck_assert(ns >= last);
			last = ns;
		}
		ck_assert_double_gt(last, 100 * predict(&ordinary, &machines[m]).ns);
	}
}
END_TEST

START_TEST(faster_devices_take_less)
{
	for (size_t m = 0; m < MACHINES; m++) {
		struct facts fast = machines[m];
		fast.fma_gflops = 4 * fmax(fast.fma_gflops, 1000);
		fast.memory_gbps = 4 * fmax(fast.memory_gbps, 1000);
		struct work work = ordinary;
		work.arithmetic *= 1000;
		ck_assert_double_lt(predict(&work, &fast).ns, predict(&work, &machines[m]).ns);
	}
}
END_TEST

static const struct {
	enum cost_bound bound;
	struct work work;
} bounded[] = {
        {COST_COMPUTE, {.arithmetic = 1e6, .loads = 1, .lanes = 1, .parallel = 2}},
        {COST_GLOBAL, {.arithmetic = 10, .loads = 1e5, .lanes = 4e5, .parallel = 2}},
        {COST_GLOBAL, {.arithmetic = 10, .traffic_bytes = 1e12, .parallel = 2}},
        {COST_WORKGROUP, {.shared_loads = 1e5, .shared_lanes = 4e5, .parallel = 2}},
        {COST_WORKGROUP, {.barriers = 1e5, .parallel = 2}},
};

START_TEST(bounds_are_told_apart)
{
	for (size_t m = 0; m < MACHINES; m++) {
		struct prediction p = predict(&bounded[_i].work, &machines[m]);
		ck_assert_msg(p.bound == bounded[_i].bound, "machine %zu: %s, not %s", m,
		        cost_bound_name(p.bound), cost_bound_name(bounded[_i].bound));
	}
}
END_TEST

/* One invocation of a device that holds thousands; and a kernel that does nothing. */
START_TEST(idle_and_launch)
{
	struct facts facts = machines[0];
	struct geometry one = {.workgroup_size = {1, 1, 1},
	        .grid = {
	                {.times = 1, .over = 1}, {.times = 1, .over = 1}, {.times = 1, .over = 1}}};
	struct work work = {.arithmetic = 1e6, .parallel = 1};
	struct op op;

	ck_assert_int_eq(op_parse("matmul m=1 n=1 k=1", &op, NULL), 0);
	ck_assert_int_eq(cost_predict(&op, &one, &work, &facts).bound, COST_OCCUPANCY);
	work.arithmetic = 1;
	facts.launch_ns = 1e6;
	ck_assert_int_eq(cost_predict(&op, &one, &work, &facts).bound, COST_LAUNCH);
}
END_TEST

/* ---- Corrections. */

/* A device on which each part is worth something else than the model says. */
static const double truth[COST_PARTS] = {
        [PART_LANES] = 1.2, [PART_TURNS] = -0.8, [PART_SHARED] = 0.9, [PART_START] = 0.5};

static uint32_t dice(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

static double uniform(uint32_t *seed) /* -1 .. 1 */
{
	return dice(seed) / 8388608.0 - 1;
}

#define PER_OP 24
#define OPS    20
static struct observation seen[PER_OP * OPS];

/* Operators of all families with random mixtures; noise as a factor's logarithm. */
static void observe(const double worth[COST_PARTS], double noise, uint32_t seed)
{
	for (uint32_t i = 0; i < PER_OP * OPS; i++) {
		struct observation *o = &seen[i];
		double sum = 0, off = 0;
		*o = (struct observation){.group = i / PER_OP,
		        .family = (enum op_family)(i / PER_OP % OP_FAMILIES),
		        .predicted_ns = 1e6 * exp(0.3 * uniform(&seed))};
		for (uint32_t k = 0; k < COST_PARTS; k++)
			sum += o->share[k] = exp(2 * uniform(&seed));
		for (uint32_t k = 0; k < COST_PARTS; k++) {
			o->share[k] /= sum;
			off += worth[k] * o->share[k];
		}
		o->measured_ns = o->predicted_ns * exp(off + noise * uniform(&seed));
	}
}

static double spread(const struct correction *correction)
{
	double sum = 0;

	for (uint32_t i = 0; i < PER_OP * OPS; i++)
		sum += fabs(log(seen[i].measured_ns / seen[i].predicted_ns /
		                correction_factor(correction, seen[i].family, seen[i].share)));
	return sum / PER_OP / OPS;
}

START_TEST(learns_what_is_true)
{
	struct correction correction, again;

	observe(truth, 0.05, 7);
	calibrate(seen, PER_OP * OPS, &correction);
	ck_assert_double_lt(spread(&correction), 0.5 * spread(NULL));
	ck_assert_double_lt(calibrate_loss(seen, PER_OP * OPS, &correction),
	        calibrate_loss(seen, PER_OP * OPS, NULL));
	ck_assert_double_gt(correction.worth[0][PART_LANES], correction.worth[0][PART_TURNS]);
	calibrate(seen, PER_OP * OPS, &again);
	ck_assert_mem_eq(&again, &correction, sizeof again);
}
END_TEST

/* Each tenth time is off by a hundred, one way or the other. */
START_TEST(outliers_do_little)
{
	struct correction clean, dirty;

	observe(truth, 0.05, 11);
	calibrate(seen, PER_OP * OPS, &clean);
	double loss = calibrate_loss(seen, PER_OP * OPS, &clean), before = spread(&clean);
	for (uint32_t i = 3; i < PER_OP * OPS; i += 10)
		seen[i].measured_ns *= i % 20 == 3 ? 100 : 10;
	calibrate(seen, PER_OP * OPS, &dirty);
	observe(truth, 0.05, 11);
	ck_assert_double_lt(spread(&dirty), before + 0.1);
	ck_assert_double_lt(calibrate_loss(seen, PER_OP * OPS, &dirty), loss * 1.1);
}
END_TEST

/* Where there is nothing to learn but noise, choices do not become worse elsewhere. */
START_TEST(noise_does_no_harm)
{
	const double nothing[COST_PARTS] = {0};
	struct correction correction;

	for (uint32_t seed = 1; seed <= 10; seed++) {
		observe(nothing, 0.6, seed);
		calibrate(seen, PER_OP * OPS, &correction);
		observe(nothing, 0.05, seed + 100);
		ck_assert_double_lt(calibrate_loss(seen, PER_OP * OPS, &correction), 1.25);
	}
}
END_TEST

START_TEST(few_teach_little)
{
	struct correction correction;
	const double flat[COST_PARTS] = {1 / (double)COST_PARTS};

	calibrate(NULL, 0, &correction);
	for (int f = 0; f < OP_FAMILIES; f++)
		ck_assert_double_eq(correction_factor(&correction, (enum op_family)f, flat), 1);
	ck_assert_double_eq(correction_factor(NULL, FAMILY_MAP, flat), 1);
	ck_assert_double_eq(calibrate_loss(NULL, 0, &correction), 1);
	observe(truth, 0, 3);
	calibrate(seen, 1, &correction);
	ck_assert(fabs(log(correction_factor(&correction, seen[0].family, seen[0].share))) < 1);
}
END_TEST

/* Absurd times: every factor stays within its bound, and is a number. */
static const double absurd[] = {1e-300, 1e-3, 1e30, 1e300};

START_TEST(corrections_are_bounded)
{
	struct correction correction;

	observe(truth, 1, 5);
	for (uint32_t i = 0; i < PER_OP * OPS; i++)
		seen[i].measured_ns = i % 3 ? absurd[_i] : 1e6;
	calibrate(seen, PER_OP * OPS, &correction);
	for (uint32_t i = 0; i < PER_OP * OPS; i++) {
		double factor = correction_factor(&correction, seen[i].family, seen[i].share);
		ck_assert(factor <= CORRECTION_LEVEL * CORRECTION_BEND * 1.0001 &&
		          factor >= 1 / CORRECTION_LEVEL / CORRECTION_BEND / 1.0001);
	}
}
END_TEST

/* The space stays whole under the worst of corrections. */
START_TEST(spaces_survive_corrections)
{
	struct limits limits = case_limits();
	struct correction correction = {0};
	struct facts facts = case_facts[_i];
	struct space with, without;
	struct op op;

	for (int f = 0; f < OP_FAMILIES; f++)
		for (uint32_t k = 0; k < COST_PARTS; k++)
			correction.worth[f][k] = k % 2 ? 100 : -100;
	for (size_t s = 0; s < SHAPES; s += 5) {
		ck_assert_int_eq(op_parse(shapes[s], &op, NULL), 0);
		facts.correction = NULL;
		ck_assert_int_eq(space_enumerate(&op, &limits, &facts, &without, NULL), 0);
		facts.correction = &correction;
		ck_assert_int_eq(space_enumerate(&op, &limits, &facts, &with, NULL), 0);
		ck_assert_uint_ge(2 * with.count, without.count);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("cost");
	TCase *cost = tcase_create("predictions"), *learnt = tcase_create("corrections");

	tcase_add_loop_test(cost, parts_add_up, 0, SHAPES);
	tcase_add_loop_test(cost, lanes_across_rows_cost, 0, sizeof rows / sizeof *rows);
	tcase_add_loop_test(cost, more_work_costs_more, 0, sizeof grows / sizeof *grows);
	tcase_add_test(cost, faster_devices_take_less);
	tcase_add_loop_test(cost, bounds_are_told_apart, 0, sizeof bounded / sizeof *bounded);
	tcase_add_test(cost, idle_and_launch);
	tcase_add_test(learnt, learns_what_is_true);
	tcase_add_test(learnt, outliers_do_little);
	tcase_add_test(learnt, noise_does_no_harm);
	tcase_add_test(learnt, few_teach_little);
	tcase_add_loop_test(learnt, corrections_are_bounded, 0, sizeof absurd / sizeof *absurd);
	tcase_add_loop_test(learnt, spaces_survive_corrections, 0, CASE_FACTS);
	suite_add_tcase(suite, cost);
	suite_add_tcase(suite, learnt);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
