/* SPDX-License-Identifier: Apache-2.0
 *
 * Levels of memory out of reading rates: plateaus, slopes between them, noise, and nothing at all.
 */
#include "daemon/gpu/probe_measures.h"

#include <check.h>
#include <stdlib.h>

#define KIB     1024.0
#define WINDOWS 10

/* Windows of 4 KiB, 8 KiB, ...; the levels expected, {0} at their end. */
static const struct {
	const char *what;
	double gbps[WINDOWS];
	struct cache levels[FACTS_CACHES];
} series[] = {
        {"nothing measured", {0}, {{0, 0}}},
        {"one window", {500}, {{0, 0}}},
        {"no level in sight", {30, 31, 30, 29, 30, 30}, {{128 * KIB, 31}}},
        {"two levels", {900, 900, 880, 300, 300, 290, 290, 40, 40},
                {{16 * KIB, 900}, {256 * KIB, 300}}},
        {"a slope between them", {900, 890, 600, 290, 300, 90, 40, 40},
                {{8 * KIB, 900}, {64 * KIB, 300}}},
        {"a slow first window", {100, 900, 900, 40, 41, 40}, {{16 * KIB, 900}}},
        {"a slow one within", {900, 900, 200, 900, 40, 40}, {{32 * KIB, 900}}},
        {"more than there is room for", {900, 900, 500, 500, 250, 250, 100, 100, 40, 40},
                {{8 * KIB, 900}, {32 * KIB, 500}, {128 * KIB, 250}}},
};

START_TEST(levels)
{
	double bytes[WINDOWS];
	struct cache found[FACTS_CACHES];
	uint32_t count = 0;

	for (; count < WINDOWS && series[_i].gbps[count] > 0; count++)
		bytes[count] = 4 * KIB * (1u << count);
	levels_find(bytes, series[_i].gbps, count, found);
	for (uint32_t i = 0; i < FACTS_CACHES; i++) {
		ck_assert_msg(found[i].bytes == series[_i].levels[i].bytes, "%s: level %u: %g KiB",
		        series[_i].what, i, found[i].bytes / KIB);
		ck_assert_double_eq(found[i].gbps, series[_i].levels[i].gbps);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("levels");
	TCase *all = tcase_create("levels");

	tcase_add_loop_test(all, levels, 0, sizeof series / sizeof *series);
	suite_add_tcase(suite, all);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
