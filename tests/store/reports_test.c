/* SPDX-License-Identifier: Apache-2.0
 *
 * Pages' reports when many origins have filled the table: another origin still gets its share.
 */
#include "tests/store/fixture.h"

#include "base/hash.h"
#include "daemon/store/environment.h"
#include "protocol/metrics.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define OP        "relu shape=8"
#define KEY_BYTES (STORE_REPORT_PREFIX_BYTES + STORE_KEY_BYTES)

static struct store *store;

static void set_up(void)
{
	folder_make();
	store = open_here();
}

static void tear_down(void)
{
	store_close(store);
	folder_remove();
}

/* Records of `origins` origins until the table is full. What they hold does not matter here. */
static void fill(uint32_t origins)
{
	static uint8_t keys[STORE_REPORT_RECORDS_MAX][KEY_BYTES];
	static struct store_edit edits[STORE_REPORT_RECORDS_MAX];

	for (uint32_t i = 0; i < STORE_REPORT_RECORDS_MAX; i++) {
		record_encode_u64(keys[i], hash_mix(i % origins + 1));
		record_encode_u64(keys[i] + 8, i);
		edits[i] = (struct store_edit){STORE_REPORTS, {keys[i], KEY_BYTES}, {"x", 1}};
	}
	ck_assert_int_eq(store_commit(store, edits, STORE_REPORT_RECORDS_MAX), 0);
}

static uint64_t records(void)
{
	struct metrics metrics = {0};

	ck_assert_int_eq(store_count(store, &metrics), 0);
	return metrics.report_kernels;
}

static void put(const char *origin, uint64_t op)
{
	struct store_reports reports = {
	        .op = OP, .generation = nnjit_generation, .count = 1, .heard = op + 1};

	snprintf(reports.origin, sizeof reports.origin, "%s", origin);
	snprintf(reports.rows[0].schedule, sizeof reports.rows[0].schedule, "wg_x=8");
	ck_assert_int_eq(store_put_reports(store, &(struct store_key){1, 2, op, 0}, &reports), 0);
}

static uint32_t held(const char *origin, uint64_t first, uint64_t count)
{
	struct store_reports reports;
	uint32_t found = 0;

	for (uint64_t op = first; op < first + count; op++)
		found += !store_get_reports(
		        store, origin, &(struct store_key){1, 2, op, 0}, OP, &reports);
	return found;
}

static const uint32_t floods[] = {64, 1000, 16384};

START_TEST(a_full_table_has_room_for_another_origin)
{
	fill(floods[_i]);
	ck_assert_uint_eq(records(), STORE_REPORT_RECORDS_MAX);
	put("https://honest.example", 0);
	ck_assert_uint_eq(held("https://honest.example", 0, 1), 1);
	for (uint64_t op = 1; op < 12; op++)
		put("https://honest.example", op);
	/* Where all others have one record, its own oldest ones make room for its new ones. */
	ck_assert_uint_ge(held("https://honest.example", 0, 12), floods[_i] == 16384 ? 1 : 12);
	ck_assert_uint_eq(held("https://honest.example", 11, 1), 1);
	ck_assert_uint_eq(records(), STORE_REPORT_RECORDS_MAX);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("reports");
	TCase *tests = tcase_create("reports");

	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_loop_test(tests, a_full_table_has_room_for_another_origin, 0,
	        (int)(sizeof floods / sizeof *floods));
	tcase_set_timeout(tests, 60);
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
