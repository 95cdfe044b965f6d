/* SPDX-License-Identifier: Apache-2.0
 *
 * Cases that tests/libjit/property_test draws for the devices at hand, built and compared with the
 * reference by the real worker on every device that is here. NNJIT_DRAWN says how many, NNJIT_SEED
 * from which seed.
 */
#include "worker.h"

#include "base/error.h"
#include "space/space.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define DRAWN_INITIAL 48
#define LINE_BYTES    (OP_TEXT_BYTES + SCHEDULE_TEXT_BYTES + 128)

static unsigned int drawn = DRAWN_INITIAL, seed = 1;

/* What property_test lists: operator, schedule and dimensions, with tabs between. */
static FILE *list_open(void)
{
	const char *build = getenv("NNJIT_BUILD");
	char command[1024];

	snprintf(command, sizeof command, "'%s/tests/libjit/property_test' --list %u --seed %u",
	        build ? build : ".", drawn, seed);
	FILE *list = popen(command, "r");
	ck_assert_ptr_nonnull(list);
	return list;
}

/* Subgroups of SwiftShader's size are drawn; other devices have others. */
static bool is_legal(int device, const char *op_text, const char *schedule_text)
{
	struct schedule schedule;
	struct error err = {0};
	struct op op;

	ck_assert_msg(
	        !op_parse(op_text, &op, &err) && !schedule_parse(schedule_text, &schedule, &err),
	        "%s %s: %s", op_text, schedule_text, err.text);
	return !space_check(&op, &schedule, &devices[device].limits, NULL);
}

/* Whether the device could run it; then it was right. The dimensions listed are the interpreter's:
 * the worker tries those of daemon/gpu/points.h. */
static bool check_case(struct worker *worker, int device, char *line)
{
	char *op = strtok(line, "\t"), *schedule = strtok(NULL, "\t");

	ck_assert_msg(op && schedule, "property_test listed no case: %s", line);
	if (!is_legal(device, op, schedule))
		return false;
	worker_load(worker, op);
	worker_build_right(worker, 0, op, schedule);
	json_decref(worker_ask(worker, "{\"do\":\"unload\"}"));
	return true;
}

START_TEST(drawn_cases_are_right)
{
	unsigned int listed = 0, checked = 0;
	char line[LINE_BYTES];
	struct worker worker;
	FILE *list = list_open();

	worker_start(&worker, NULL);
	worker_open(&worker, _i, "web");
	for (; fgets(line, sizeof line, list); listed++)
		checked += check_case(&worker, _i, line);
	ck_assert_int_eq(pclose(list), 0);
	ck_assert_uint_eq(listed, drawn);
	ck_assert_uint_gt(checked, listed / 2);
	ck_assert_int_eq(worker_stop(&worker, 10), 0);
	printf("%s: %u of %u cases from seed %u, all right\n", devices[_i].name, checked, listed,
	        seed);
}
END_TEST

int main(void)
{
	const char *count = getenv("NNJIT_DRAWN"), *from = getenv("NNJIT_SEED");
	int status = worker_find_devices();

	if (status)
		return status;
	drawn = count && atoi(count) > 0 ? (unsigned int)atoi(count) : DRAWN_INITIAL;
	seed = from ? (unsigned int)atoi(from) : 1;
	Suite *suite = suite_create("drawn");
	tcase_set_timeout(worker_each_device(suite, "drawn", drawn_cases_are_right, 1), 7200);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
