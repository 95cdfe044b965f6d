/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernels of every shape's spaces on every device that is here, with the features it has, built
 * and compared with the reference by the real worker. All of them take many minutes, so a run takes
 * every STRIDE-th: NNJIT_KERNELS_STRIDE=1 takes all, and NNJIT_KERNELS_FIRST says where to begin.
 * Prints what it covered.
 */
#include "worker.h"
#include "tests/libjit/kernel_cases.h"
#include "tests/libjit/shapes.h"
#include "base/error.h"
#include "space/space.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define STRIDE 128

static uint32_t stride = STRIDE, first;

/* As the daemon takes them for pages: WebGPU's defaults, with the device's features. */
static struct limits limits_for_pages(int device)
{
	const struct limits *own = &devices[device].limits;
	struct limits limits = limits_meet(own, &limits_web_default);

	limits.features = own->features;
	limits.subgroup_min = own->subgroup_min;
	limits.subgroup_max = own->subgroup_max;
	return limits;
}

static void check_kernel(struct worker *worker, const char *op, const struct schedule *schedule)
{
	char text[SCHEDULE_TEXT_BYTES];

	schedule_print(schedule, text);
	json_t *verdict = worker_ask(
	        worker, "{\"do\":\"build\",\"candidate\":0,\"schedule\":\"%s\"}", text);
	ck_assert_msg(json_is_true(json_object_get(verdict, "right")), "%s [%s]: %s", op, text,
	        json_string_value(json_object_get(verdict, "why")));
	json_decref(verdict);
	json_decref(worker_ask(worker, "{\"do\":\"drop\",\"candidates\":[0]}"));
}

/* Every stride-th kernel of one shape's spaces; returns how many. */
static uint32_t check_shape(struct worker *worker, int device, size_t shape)
{
	struct limits limits = limits_for_pages(device);
	uint32_t checked = 0, at = (uint32_t)shape * 7 + first;
	struct op op;

	ck_assert_int_eq(op_parse(shapes[shape], &op, NULL), 0);
	json_decref(
	        worker_ask(worker, "{\"do\":\"load\",\"op\":\"%s\",\"seed\":1}", shapes[shape]));
	for (size_t f = 0; f < CASE_FACTS; f++) {
		struct space space;
		struct error err;
		ck_assert_msg(!space_enumerate(&op, &limits, &case_facts[f], &space, &err),
		        "%s: %s", shapes[shape], err.text);
		for (uint32_t i = 0; i < space.count; i++) {
			if (at++ % stride)
				continue;
			check_kernel(worker, shapes[shape], &space.candidates[i].schedule);
			checked++;
		}
	}
	json_decref(worker_ask(worker, "{\"do\":\"unload\"}"));
	return checked;
}

START_TEST(kernels_are_right)
{
	struct worker worker;
	uint32_t checked = 0;

	worker_start(&worker, NULL);
	worker_open(&worker, _i, "web");
	for (size_t shape = 0; shape < SHAPES; shape++)
		checked += check_shape(&worker, _i, shape);
	ck_assert_uint_gt(checked, 0);
	ck_assert_int_eq(worker_stop(&worker, 10), 0);
	printf("%s: %u kernels right (every %u)\n", devices[_i].name, checked, stride);
}
END_TEST

int main(void)
{
	const char *every = getenv("NNJIT_KERNELS_STRIDE"), *begin = getenv("NNJIT_KERNELS_FIRST");

	stride = every && atoi(every) > 0 ? (uint32_t)atoi(every) : STRIDE;
	first = begin ? (uint32_t)atoi(begin) : 0;
	int status = worker_find_devices();
	if (status)
		return status;
	Suite *suite = suite_create("kernels");
	TCase *kernels = tcase_create("kernels");
	tcase_set_timeout(kernels, 7200);
	tcase_add_loop_test(kernels, kernels_are_right, 0, device_count);
	suite_add_tcase(suite, kernels);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
