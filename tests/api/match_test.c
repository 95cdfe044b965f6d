/* SPDX-License-Identifier: Apache-2.0
 *
 * Which device a page's adapter is, over machines with one, several and no fitting devices.
 */
#include "daemon/api/match.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* The machine: best first. */
static const char *const machine[] = {
        "{\"name\":\"NVIDIA GeForce RTX 3060\",\"vendor_id\":4318,\"device_id\":9475}",
        "{\"name\":\"NVIDIA GeForce GTX 1650\",\"vendor_id\":4318,\"device_id\":8065}",
        "{\"name\":\"AMD Radeon Graphics (RADV RENOIR)\",\"vendor_id\":4098,\"device_id\":5686}",
        "{\"name\":\"llvmpipe (LLVM 15.0.6, 256 bits)\",\"vendor_id\":65541,\"device_id\":0}",
        "{\"name\":\"SwiftShader Device (Subzero)\",\"vendor_id\":6880,\"device_id\":49374}",
        "{\"name\":\"Adreno (TM) 740\",\"vendor_id\":20803,\"device_id\":1124073472}",
};
#define MACHINE ((uint32_t)(sizeof machine / sizeof *machine))

static const struct {
	const char *adapter;
	uint32_t from, count; /* which part of the machine there is */
	int index;            /* within that part */
	const char *reason;   /* a part of it; NULL: none */
} rows[] = {
        {"{\"vendor\":\"google\",\"architecture\":\"swiftshader\"}", 0, MACHINE, 4, NULL},
        {"{\"vendor\":\"mesa\",\"architecture\":\"llvmpipe\"}", 0, MACHINE, 3, NULL},
        {"{\"vendor\":\"amd\",\"architecture\":\"gcn-5\"}", 0, MACHINE, 2, NULL},
        {"{\"vendor\":\"AMD\"}", 0, MACHINE, 2, NULL},
        {"{\"vendor\":\"qualcomm\",\"architecture\":\"adreno-7xx\"}", 0, MACHINE, 5, NULL},
        {"{\"vendor\":\"nvidia\",\"architecture\":\"ampere\"}", 0, MACHINE, 0, "2 devices"},
        {"{\"vendor\":\"nvidia\",\"description\":\"NVIDIA GeForce GTX 1650\"}", 0, MACHINE, 1,
                NULL},
        {"{\"vendor\":\"nvidia\",\"device\":\"0x1f81\"}", 0, MACHINE, 1, NULL},
        {"{\"vendor\":\"intel\",\"architecture\":\"xe\"}", 0, MACHINE, -1, "'intel'"},
        {"{\"vendor\":\"google\"}", 0, 4, -1, "'google'"},
        {"{\"vendor\":\"google\"}", 0, 0, -1, "none"},
        {"{\"vendor\":\"\"}", 0, MACHINE, -1, "does not say"},
        {"{\"vendor\":\"\"}", 3, 1, 0, NULL},
        {"{}", 3, 1, 0, NULL},
        {"{\"vendor\":7}", 0, MACHINE, -1, "does not say"},
        {"{\"vendor\":\"%s%n\"}", 0, MACHINE, -1, "%s%n"},
};

START_TEST(adapters_find_their_device)
{
	const json_t *devices[MACHINE];
	struct error reason = {0};
	json_t *adapter = json_loads(rows[_i].adapter, 0, NULL);

	for (uint32_t i = 0; i < rows[_i].count; i++)
		devices[i] = json_loads(machine[rows[_i].from + i], 0, NULL);
	int index = match_adapter(adapter, devices, rows[_i].count, &reason);
	ck_assert_msg(index == rows[_i].index, "%s: %d (%s)", rows[_i].adapter, index, reason.text);
	if (rows[_i].reason)
		ck_assert_msg(strstr(reason.text, rows[_i].reason) != NULL, "%s", reason.text);
	else
		ck_assert_str_eq(reason.text, "");
	for (uint32_t i = 0; i < rows[_i].count; i++)
		json_decref((json_t *)devices[i]);
	json_decref(adapter);
}
END_TEST

START_TEST(a_page_that_tells_nothing_matches_a_single_device)
{
	json_t *device = json_loads(machine[4], 0, NULL);
	const json_t *devices[] = {device};
	struct error reason = {0};

	ck_assert_int_eq(match_adapter(NULL, devices, 1, &reason), 0);
	json_decref(device);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("match");
	TCase *tests = tcase_create("match");

	tcase_add_loop_test(
	        tests, adapters_find_their_device, 0, (int)(sizeof rows / sizeof *rows));
	tcase_add_test(tests, a_page_that_tells_nothing_matches_a_single_device);
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
