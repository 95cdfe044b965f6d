/* SPDX-License-Identifier: Apache-2.0
 *
 * The full space, of every family: every lite candidate is in it; a number and its schedule are
 * each other's; a walk visits every number once, gives legal schedules only, depends on its seed
 * alone, and counts what there is; neighbours are legal and near.
 */
#include "emit/spirv/spirv.h"
#include "space/space.h"
#include "tests/libjit/kernel_cases.h"
#include "tests/libjit/shapes.h"
#include "tools/lab/full.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLE 32

static struct full *full_of(const char *text, uint32_t instructions_most, struct op *ret_op)
{
	struct limits limits = case_limits();
	struct full *full;

	ck_assert_int_eq(op_parse(text, ret_op, NULL), 0);
	ck_assert_int_eq(full_create(ret_op, &limits, instructions_most, &full), 0);
	return full;
}

START_TEST(lite_is_part_of_full)
{
	struct limits limits = case_limits();
	struct schedule same;
	struct space space;
	struct op op;
	struct full *full = full_of(shapes[_i], 0, &op);

	for (size_t f = 0; f < CASE_FACTS; f++) {
		ck_assert_int_eq(space_enumerate(&op, &limits, &case_facts[f], &space, NULL), 0);
		for (uint32_t i = 0; i < space.count; i++) {
			const struct schedule *schedule = &space.candidates[i].schedule;
			uint64_t index = full_find(full, schedule);
			char text[SCHEDULE_TEXT_BYTES];
			schedule_print(schedule, text);
			ck_assert_msg(index < full_size(full), "%s: [%s] is not in full.def",
			        shapes[_i], text);
			ck_assert_int_eq(full_at(full, index, &same), 0);
			ck_assert_mem_eq(&same, schedule, sizeof same);
		}
	}
	full_destroy(full);
}
END_TEST

static uint32_t draw(const struct full *full, uint64_t seed, struct schedule sample[SAMPLE])
{
	struct full_walk walk = {.full = full, .seed = seed};
	uint32_t count = 0;

	while (count < SAMPLE && walk.visited < 200000 && !full_next(&walk, &sample[count]))
		count++;
	ck_assert_uint_eq(walk.legal, count);
	return count;
}

static bool is_in(const struct schedule *schedule, const struct schedule sample[], uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (!memcmp(&sample[i], schedule, sizeof *schedule))
			return true;
	return false;
}

/* What is drawn can be generated. */
static void check_code(const struct op *op, const struct schedule sample[], uint32_t count)
{
	struct nnjit *nnjit;
	struct kernel kernel;

	ck_assert_int_eq(nnjit_create(&nnjit), 0);
	for (uint32_t i = 0; i < count; i += 4)
		ck_assert_int_eq(nnjit_generate(nnjit, op, &sample[i], emit_spirv, &kernel), 0);
	nnjit_destroy(nnjit);
}

START_TEST(a_sample_is_legal_distinct_and_the_seeds)
{
	static struct schedule sample[SAMPLE], again[SAMPLE], other[SAMPLE];
	struct limits limits = case_limits();
	struct op op;
	struct full *full = full_of(shapes[_i], SPACE_INSTRUCTIONS_MAX, &op);
	uint32_t count = draw(full, 7, sample);

	ck_assert_uint_ge(count, 1);
	ck_assert_uint_eq(draw(full, 7, again), count);
	ck_assert_mem_eq(sample, again, count * sizeof *sample);
	for (uint32_t i = 0; i < count; i++) {
		struct work work;
		ck_assert_int_eq(space_check(&op, &sample[i], &limits, NULL), 0);
		space_work(&op, &sample[i], &work);
		ck_assert_uint_le(work.instructions, SPACE_INSTRUCTIONS_MAX);
		ck_assert(!is_in(&sample[i], sample, i));
	}
	if (count == SAMPLE && draw(full, 8, other) == SAMPLE)
		ck_assert(memcmp(sample, other, sizeof sample));
	check_code(&op, sample, count);
	full_destroy(full);
}
END_TEST

START_TEST(a_walk_visits_every_number_once)
{
	struct op op;
	struct full *full = full_of("attention heads=1 q=3 kv=3 dim=3", 0, &op);
	struct full_walk walk = {.full = full, .seed = 99};
	unsigned char *seen = calloc(full_size(full), 1);
	struct schedule schedule;
	bool exact;

	ck_assert_ptr_nonnull(seen);
	while (!full_next(&walk, &schedule)) {
		uint64_t index = full_find(full, &schedule);
		ck_assert_uint_lt(index, full_size(full));
		ck_assert(!seen[index]);
		seen[index] = 1;
	}
	ck_assert_uint_eq(walk.visited, full_size(full));
	for (uint64_t i = 0; i < full_size(full); i++)
		ck_assert(seen[i] == !full_at(full, i, &schedule));
	ck_assert_double_eq(full_count(full, UINT64_MAX, &exact), (double)walk.legal);
	ck_assert(exact);
	double estimate = full_count(full, full_size(full) / 4, &exact);
	ck_assert(!exact);
	ck_assert_double_gt(estimate, 0.8 * (double)walk.legal);
	ck_assert_double_lt(estimate, 1.2 * (double)walk.legal);
	free(seen);
	full_destroy(full);
}
END_TEST

START_TEST(neighbours_are_legal_and_near)
{
	struct limits limits = case_limits();
	struct op op;
	struct full *full = full_of("matmul m=64 n=64 k=64", 0, &op);
	struct schedule from = space_baseline(&op), to;
	uint32_t found = 0;

	for (uint32_t i = 0; i < FULL_NEIGHBOURS; i++) {
		if (full_neighbour(full, &from, i, &to))
			continue;
		uint32_t changed = 0;
		for (uint32_t axis = 0; axis < AXIS_COUNT; axis++)
			changed += to.axis[axis] != from.axis[axis];
		ck_assert(changed == 1 || changed == 2);
		ck_assert_int_eq(space_check(&op, &to, &limits, NULL), 0);
		found++;
	}
	ck_assert_uint_gt(found, 20);
	full_destroy(full);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("full");
	TCase *tests = tcase_create("full");

	tcase_set_timeout(tests, 120);
	tcase_add_loop_test(tests, lite_is_part_of_full, 0, SHAPES);
	tcase_add_loop_test(tests, a_sample_is_legal_distinct_and_the_seeds, 0, SHAPES);
	tcase_add_test(tests, a_walk_visits_every_number_once);
	tcase_add_test(tests, neighbours_are_legal_and_near);
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
