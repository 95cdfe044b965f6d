/* SPDX-License-Identifier: Apache-2.0
 *
 * The real nnjit-gpu on every device that is here: listing, opening, probing, building right
 * kernels, timing, and bad requests. What goes wrong on a device is faults_test.c's.
 */
#include "worker.h"
#include "nnjit.h"
#include "space/space.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const profiles[] = {"web", "native"};

/* ---- Finding devices. */

START_TEST(listing)
{
	static const char *const kinds = "discrete integrated virtual cpu other";
	struct worker worker;

	worker_start(&worker, NULL);
	json_t *answer = worker_ask(&worker, "{\"do\":\"list\"}");
	json_t *device = json_array_get(json_object_get(answer, "devices"), (size_t)_i);
	ck_assert_str_eq(worker_text(device, "id"), devices[_i].id); /* as another process saw it */
	ck_assert_ptr_nonnull(strstr(kinds, worker_text(device, "kind")));
	ck_assert_str_eq(worker_text(device, "api"), "vulkan");
	ck_assert_uint_gt(strlen(worker_text(device, "name")), 0);
	ck_assert_uint_ne(
	        wire_hex_parse(json_object_get(json_object_get(device, "driver"), "id")), 0);
	ck_assert(json_is_null(json_object_get(device, "facts")));
	ck_assert_uint_ge(devices[_i].limits.invocations, 128); /* what Vulkan promises */
	ck_assert_uint_ge(devices[_i].limits.workgroup_bytes, 16384);
	ck_assert_uint_ge(devices[_i].limits.binding_bytes, 1u << 27);
	ck_assert_uint_ge(devices[_i].limits.workgroups, 65535);
	if (devices[_i].limits.features & FEATURE_SUBGROUPS)
		ck_assert_uint_ge(devices[_i].limits.subgroup_min, 1);
	json_decref(answer);
	ck_assert_int_eq(worker_stop(&worker, 5), 0);
}
END_TEST

/* Whoever names the drivers gets those and no others. */
START_TEST(no_driver)
{
	struct worker worker;

	setenv("VK_DRIVER_FILES", "/nonexistent/icd.json", 1);
	setenv("VK_ICD_FILENAMES", "/nonexistent/icd.json", 1);
	worker_start(&worker, NULL);
	json_t *answer = worker_ask(&worker, "{\"do\":\"list\"}");
	ck_assert_uint_eq(json_array_size(json_object_get(answer, "devices")), 0);
	json_decref(answer);
	worker_refused(&worker, "no-device",
	        "{\"do\":\"open\",\"device\":\"0123456789abcdef\",\"profile\":\"web\"}");
	ck_assert_int_eq(worker_stop(&worker, 5), 0);
}
END_TEST

/* Out to long rows, and back in to where they are right: a driver that ends loops is found out by
 * what comes of it, too. */
START_TEST(reaching)
{
	static const char op[] = "softmax rows=4 n=?8", plain[] = "wg_y=4";
	struct worker worker;

	worker_start(&worker, NULL);
	worker_open(&worker, _i, "web");
	worker_load(&worker, op);
	worker_build_right(&worker, 0, op, plain);
	json_t *answer = worker_ask(&worker,
	        "{\"do\":\"reach\",\"candidate\":0,\"schedule\":\"%s\",\"most\":[131072,0,0,0]}",
	        plain);
	double reach = json_number_value(json_array_get(json_object_get(answer, "dims"), 0));
	const char *why = json_string_value(json_object_get(answer, "why"));
	printf("%s: right up to n=%.0f%s%s\n", devices[_i].name, reach, *why ? "; " : "", why);
	ck_assert_double_ge(reach, 8);
	ck_assert_double_le(reach, 131072);
	if (strstr(devices[_i].name, "llvmpipe"))
		ck_assert_double_lt(reach, 65536);
	if (reach > 8)
		ck_assert_double_gt(worker_number(answer, "checked"), 0);
	json_decref(answer);
	ck_assert_int_eq(worker_stop(&worker, 5), 0);
}
END_TEST

/* What a fact is at least and at most on any device of today, where it is known. */
static const struct {
	const char *name;
	double least, most;
} plausible[] = {
        {"fma_gflops", 0.1, 1e6},
        {"memory_gbps", 0.1, 1e5},
        {"launch_ns", 10, 1e7},
        {"cores", 1, 1e5},
        {"lanes", 1, 128},
        {"workgroup_gbps", 0.05, 1e6},
        {"barrier_ns", 0.5, 1e6},
        {"registers", 16, 256},
        {"fma16_gflops", 0.01, 1e7},
        {"dot4_gops", 0.01, 1e7},
        {"turns", 1000, 1e9},
        {"workgroup_bytes", 1024, 1e6},
};

static void check_facts(const json_t *facts, bool cpu)
{
	const json_t *caches = json_object_get(facts, "caches"), *cache;
	double bytes = 0;
	size_t i;

	ck_assert_uint_eq(sizeof plausible / sizeof *plausible, FACT_COUNT);
	for (i = 0; i < FACT_COUNT; i++) {
		double value = worker_number(facts, plausible[i].name);
		ck_assert_msg((i >= 3 && value == 0) ||
		                      (value >= plausible[i].least && value <= plausible[i].most),
		        "%s is %g", plausible[i].name, value);
	}
	json_array_foreach(caches, i, cache)
	{
		ck_assert_double_gt(worker_number(cache, "bytes"), bytes);
		ck_assert_double_gt(worker_number(cache, "gbps"), 0.05);
		bytes = worker_number(cache, "bytes");
	}
	ck_assert(json_is_true(json_object_get(facts, "cpu")) == cpu);
	ck_assert_int_eq(worker_number(facts, "version"), FACTS_VERSION);
}

/* Seconds at most, and what a device lacks stays unknown. */
START_TEST(probing)
{
	struct worker worker;

	worker_start(&worker, NULL);
	worker_open(&worker, _i, "web");
	json_t *answer = worker_ask(&worker, "{\"do\":\"probe\"}");
	json_t *facts = json_object_get(answer, "facts");
	char *text = json_dumps(facts, JSON_COMPACT | JSON_REAL_PRECISION(4));
	printf("%s: %s\n", devices[_i].name, text);
	free(text);
	check_facts(facts, devices[_i].cpu);
	if (!(devices[_i].limits.features & FEATURE_F16))
		ck_assert_double_eq(worker_number(facts, "fma16_gflops"), 0);
	if (!(devices[_i].limits.features & FEATURE_DOT4))
		ck_assert_double_eq(worker_number(facts, "dot4_gops"), 0);
	json_decref(answer);
	ck_assert_int_eq(worker_stop(&worker, 5), 0);
}
END_TEST

/* ---- Building and timing. */

static const char *const ops[] = {
        "matmul m=1 n=1 k=1",
        "matmul m=64 n=64 k=64",
        "matmul m=97 n=131 k=65 bias=1 act=gelu",
        "matmul m=1 n=300 k=77 trans_b=1 residual=1 act=silu",
        "matmul m=33 n=1 k=129 batch=3 trans_a=1 act=gelu_tanh",
        "matmul m=128 n=128 k=300 act=relu",
        "matmul m=?20 n=48 k=33 a=f16 b=f16 out=f16",
        "softmax rows=?4..60 n=100",
        "argmax rows=30 n=77",
        "attention heads=2 q=3 kv=?1..64 dim=32 capacity=64",
        "add shape=4,?50 y=1",
        "cast shape=7,9 out=u8",
        "transpose shape=5,6,7 perm=2,0,1 dtype=i8",
        "not shape=33",
        "conv2d batch=?2 c=3 h=9 w=9 oc=8 kernel=3 pad=1 bias=1",
};
#define OPS  ((int)(sizeof ops / sizeof *ops))
#define EACH 3 /* candidates of each operator, spread over its space */

/* Loop index: device, then profile, then operator. */
START_TEST(right_kernels)
{
	int device = _i / OPS / 2;
	const struct facts facts = {.cpu = devices[device].cpu};
	char schedule[SCHEDULE_TEXT_BYTES];
	struct worker worker;
	struct space space;
	struct op op;

	ck_assert_int_eq(op_parse(ops[_i % OPS], &op, NULL), 0);
	ck_assert_int_eq(space_enumerate(&op, &devices[device].limits, &facts, &space, NULL), 0);
	worker_start(&worker, NULL);
	worker_open(&worker, device, profiles[_i / OPS % 2]);
	worker_load(&worker, ops[_i % OPS]);
	for (uint32_t i = 0; i < EACH && i < space.count; i++) {
		uint32_t candidate = i * (space.count - 1) / (EACH - 1);
		schedule_print(&space.candidates[candidate].schedule, schedule);
		worker_build_right(&worker, (int)candidate, ops[_i % OPS], schedule);
	}
	ck_assert_int_eq(worker_stop(&worker, 5), 0);
}
END_TEST

static const char plain[] = "matmul m=64 n=64 k=64";

static void check_samples(const json_t *answer, const char *candidate, size_t most)
{
	const json_t *samples = json_object_get(json_object_get(answer, "samples_ns"), candidate);

	ck_assert_uint_ge(json_array_size(samples), 1);
	ck_assert_uint_le(json_array_size(samples), most);
	for (size_t i = 0; i < json_array_size(samples); i++) {
		double ns = json_number_value(json_array_get(samples, i));
		ck_assert_double_gt(ns, 1);
		ck_assert_double_lt(ns, 10e9);
	}
}

START_TEST(timing)
{
	struct worker worker;

	worker_start(&worker, NULL);
	worker_open(&worker, _i, "web");
	worker_load(&worker, "matmul m=64 n=64 k=64");
	worker_build_right(&worker, 0, plain, "wg_x=4 wg_y=4 tile_m=4 tile_n=4 vec=4");
	worker_build_right(&worker, 200, plain, "wg_x=8 wg_y=8");
	json_t *answer = worker_ask(
	        &worker, "{\"do\":\"time\",\"candidates\":[200,0],\"samples\":5}");
	ck_assert(!strcmp(worker_text(answer, "clock"), "timestamp") ||
	          !strcmp(worker_text(answer, "clock"), "wall"));
	ck_assert_uint_eq(json_object_size(json_object_get(answer, "samples_ns")), 2);
	check_samples(answer, "0", 5);
	check_samples(answer, "200", 5);
	json_decref(answer);
	answer = worker_ask(&worker, "{\"do\":\"build\",\"candidate\":0,\"schedule\":"
	                             "\"wg_x=4 wg_y=4 tile_m=4 tile_n=4 vec=4\",\"twin\":true}");
	ck_assert(json_is_true(json_object_get(answer, "right")));
	json_decref(answer);
	answer = worker_ask(&worker, "{\"do\":\"time\",\"candidates\":[200,0],\"samples\":3}");
	check_samples(answer, "0", 3);
	check_samples(answer, "200", 3);
	json_decref(answer);
	worker_refused(&worker, "bad-request",
	        "{\"do\":\"build\",\"candidate\":9,\"schedule\":\"wg_x=4\",\"twin\":true}");
	json_decref(worker_ask(&worker, "{\"do\":\"drop\",\"candidates\":[200,17]}"));
	worker_refused(
	        &worker, "bad-request", "{\"do\":\"time\",\"candidates\":[200],\"samples\":5}");
	answer = worker_ask(&worker, "{\"do\":\"time\",\"candidates\":[0],\"samples\":1}");
	check_samples(answer, "0", 1);
	json_decref(answer);
	json_decref(worker_ask(&worker, "{\"do\":\"unload\"}"));
	worker_refused(
	        &worker, "bad-request", "{\"do\":\"time\",\"candidates\":[0],\"samples\":5}");
	ck_assert_int_eq(worker_stop(&worker, 5), 0);
}
END_TEST

/* A sample is the better build's, once there are two. */
START_TEST(timing_a_twin)
{
	struct worker worker;

	worker_start(&worker, "lame:1000");
	worker_open(&worker, _i, "web");
	worker_load(&worker, "matmul m=64 n=64 k=64");
	worker_build_right(&worker, 0, plain, "wg_x=8 wg_y=8");
	worker_build_right(&worker, 1, plain, "wg_x=8 wg_y=8");
	json_decref(worker_ask(&worker, "{\"do\":\"build\",\"candidate\":1,\"schedule\":"
	                                "\"wg_x=8 wg_y=8\",\"twin\":true}"));
	json_t *answer = worker_ask(
	        &worker, "{\"do\":\"time\",\"candidates\":[0,1],\"samples\":3}");
	const json_t *samples = json_object_get(answer, "samples_ns");
	const json_t *lame = json_object_get(samples, "0"), *twin = json_object_get(samples, "1");
	for (size_t i = 0; i < 3; i++)
		ck_assert_double_gt(json_number_value(json_array_get(lame, i)),
		        20 * json_number_value(json_array_get(twin, i)));
	json_decref(answer);
	ck_assert_int_eq(worker_stop(&worker, 5), 0);
}
END_TEST

/* A dynamic operator's time is the mean over its points. */
START_TEST(timing_a_range)
{
	struct worker worker;

	worker_start(&worker, NULL);
	worker_open(&worker, _i, "web");
	worker_load(&worker, "matmul m=?1..200 n=64 k=64");
	worker_build_right(&worker, 0, plain, "wg_x=4 wg_y=4 tile_m=4 tile_n=4 vec=4");
	json_t *answer = worker_ask(&worker, "{\"do\":\"time\",\"candidates\":[0],\"samples\":3}");
	check_samples(answer, "0", 3);
	json_decref(answer);
	ck_assert_int_eq(worker_stop(&worker, 5), 0);
}
END_TEST

/* Loading and opening again replaces what was there; nothing piles up. */
START_TEST(again)
{
	struct worker worker;

	worker_start(&worker, NULL);
	for (int i = 0; i < 6; i++) {
		worker_open(&worker, (_i + i) % device_count, profiles[i % 2]);
		worker_load(&worker, "matmul m=16 n=16 k=16");
		worker_load(&worker, "matmul m=5 n=6 k=7");
		worker_build_right(&worker, 1, plain, "wg_x=4 wg_y=4");
		worker_build_right(&worker, 1, plain, "wg_x=8");
	}
	ck_assert_int_eq(worker_stop(&worker, 5), 0);
}
END_TEST

/* ---- Requests that make no sense. */

static const struct {
	const char *code, *line;
} refusals[] = {
        {"bad-request", "hello"},
        {"bad-request", "[]"},
        {"bad-request", "{}"},
        {"bad-request", "{\"do\":3}"},
        {"bad-request", "{\"do\":\"fly\"}"},
        {"bad-request", "{\"do\":\"list\",\"do\":\"list\"}"},
        {"bad-request", "{\"do\":\"open\"}"},
        {"bad-request", "{\"do\":\"open\",\"device\":\"llvmpipe\",\"profile\":\"web\"}"},
        {"bad-request", "{\"do\":\"open\",\"device\":\"0123456789abcdef\"}"},
        {"bad-request", "{\"do\":\"open\",\"device\":\"0123456789abcdef\",\"profile\":\"page\"}"},
        {"no-device", "{\"do\":\"open\",\"device\":\"0123456789abcdef\",\"profile\":\"web\"}"},
        {"bad-request", "{\"do\":\"load\"}"},
        {"bad-request", "{\"do\":\"load\",\"op\":{\"op\":\"matmul\"},\"seed\":1}"},
        {"bad-request", "{\"do\":\"load\",\"op\":\"matmul m=2 n=2\",\"seed\":1}"},
        {"bad-request", "{\"do\":\"load\",\"op\":\"matmul m=2 n=2 k=2\"}"},
        {"bad-request", "{\"do\":\"load\",\"op\":\"matmul m=2 n=2 k=2\",\"seed\":-1}"},
        {"bad-request", "{\"do\":\"load\",\"op\":\"matmul m=46000 n=46000 k=2\",\"seed\":1}"},
        {"bad-request", "{\"do\":\"load\",\"op\":\"matmul m=?46000 n=46000 k=2\",\"seed\":1}"},
        {"bad-request", "{\"do\":\"build\"}"},
        {"bad-request", "{\"do\":\"build\",\"candidate\":0}"},
        {"bad-request", "{\"do\":\"build\",\"candidate\":256,\"schedule\":\"wg_x=4\"}"},
        {"bad-request", "{\"do\":\"build\",\"candidate\":-1,\"schedule\":\"wg_x=4\"}"},
        {"bad-request", "{\"do\":\"build\",\"candidate\":0.5,\"schedule\":\"wg_x=4\"}"},
        {"bad-request", "{\"do\":\"build\",\"candidate\":0,\"schedule\":\"wg_w=4\"}"},
        {"bad-request", "{\"do\":\"build\",\"candidate\":0,\"schedule\":\"wg_x=4096 wg_y=4096\"}"},
        {"bad-request", "{\"do\":\"build\",\"candidate\":9,\"schedule\":\"wg_x=4\",\"twin\":true}"},
        {"bad-request", "{\"do\":\"time\"}"},
        {"bad-request", "{\"do\":\"time\",\"candidates\":[],\"samples\":1}"},
        {"bad-request", "{\"do\":\"time\",\"candidates\":[5],\"samples\":1}"},
        {"bad-request", "{\"do\":\"time\",\"candidates\":[0,0],\"samples\":1}"},
        {"bad-request", "{\"do\":\"time\",\"candidates\":[0],\"samples\":1000000}"},
        {"bad-request", "{\"do\":\"drop\"}"},
        {"bad-request", "{\"do\":\"drop\",\"candidates\":[\"0\"]}"},
};

START_TEST(refusing)
{
	struct worker worker;

	worker_start(&worker, NULL);
	for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
		worker_refused(&worker, refusals[i].code, refusals[i].line);
	worker_refused(&worker, "bad-request", "{\"do\":\"probe\"}");
	worker_open(&worker, _i, "web");
	for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
		worker_refused(&worker, refusals[i].code, refusals[i].line);
	worker_load(&worker, "matmul m=16 n=16 k=16"); /* none the worse */
	worker_build_right(&worker, 0, plain, "wg_x=4 wg_y=4");
	worker_refused(
	        &worker, "bad-request", "{\"do\":\"load\",\"op\":\"matmul m=2\",\"seed\":1}");
	json_t *answer = worker_ask(&worker, "{\"do\":\"time\",\"candidates\":[0],\"samples\":1}");
	check_samples(answer, "0", 1); /* what was loaded stays */
	json_decref(answer);
	ck_assert_int_eq(worker_stop(&worker, 5), 0);
}
END_TEST

/* ---- The command line. */

static const struct {
	const char *arguments;
	int status;
	const char *output;
} commands[] = {
        {"--version", 0, "nnjit-gpu "},
        {"--help", 0, "Usage: nnjit-gpu"},
        {"--list", 0, "KIND"},
        {"--list --json", 0, "\"devices\""},
        {"--json", 2, ""},
        {"--colour 2>/dev/null", 2, ""},
        {"extra 2>/dev/null", 2, ""},
        {"3</dev/null 2>/dev/null", 2, ""},
};

START_TEST(command_line)
{
	char command[256], output[4096];

	snprintf(command, sizeof command, "%s %s", worker_program(), commands[_i].arguments);
	FILE *pipe = popen(command, "r");
	ck_assert_ptr_nonnull(pipe);
	output[fread(output, 1, sizeof output - 1, pipe)] = '\0';
	while (fgetc(pipe) != EOF)
		;
	int status = pclose(pipe);
	ck_assert_int_eq(WEXITSTATUS(status), commands[_i].status);
	ck_assert_msg(strstr(output, commands[_i].output) != NULL, "printed: %s", output);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("worker");
	TCase *process = tcase_create("process");
	int status = worker_find_devices();

	if (status)
		return status;
	worker_each_device(suite, "listing", listing, 1);
	worker_each_device(suite, "probing", probing, 1);
	worker_each_device(suite, "reaching", reaching, 1);
	worker_each_device(suite, "right_kernels", right_kernels, 2 * OPS);
	worker_each_device(suite, "timing", timing, 1);
	worker_each_device(suite, "timing_a_twin", timing_a_twin, 1);
	worker_each_device(suite, "timing_a_range", timing_a_range, 1);
	worker_each_device(suite, "again", again, 1);
	worker_each_device(suite, "refusing", refusing, 1);
	tcase_set_timeout(process, 60);
	tcase_add_test(process, no_driver);
	tcase_add_loop_test(process, command_line, 0, sizeof commands / sizeof *commands);
	suite_add_tcase(suite, process);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
