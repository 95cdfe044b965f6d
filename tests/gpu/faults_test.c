/* SPDX-License-Identifier: Apache-2.0
 *
 * What can go wrong on a device, planted: wrong numbers of every element type, which must be
 * caught, and every way that a kernel can take the process down.
 */
#include "worker.h"

#include "space/space.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static const char plain[] = "matmul m=64 n=64 k=64";
static const char schedule_plain[] = "wg_x=4 wg_y=4";

static void start_loaded(struct worker *worker, int device, const char *fault)
{
	worker_start(worker, fault);
	worker_open(worker, device, "web");
	worker_load(worker, "matmul m=32 n=32 k=32");
	worker_build_right(worker, 2, plain, schedule_plain);
}

static void write_build(struct worker *worker, int candidate, const char *schedule)
{
	char line[128];

	snprintf(line, sizeof line, "{\"do\":\"build\",\"candidate\":%d,\"schedule\":\"%s\"}",
	        candidate, schedule);
	worker_write(worker, line);
}

static void launch_fault(struct worker *worker)
{
	write_build(worker, 3, schedule_plain);
}

/* How long a process may take to end: the kernel's driver first takes a hung GPU back. */
static unsigned int patience_s(int device)
{
	return devices[device].cpu ? 6 : 60;
}

static void expect_lost(struct worker *worker, int device)
{
	launch_fault(worker);
	json_t *message = worker_read(worker);
	ck_assert_str_eq(worker_text(json_object_get(message, "error"), "code"), "device-lost");
	json_decref(message);
	ck_assert_ptr_null(worker_read(worker));
	ck_assert_int_eq(worker_wait(worker, patience_s(device)), 3);
}

START_TEST(kernel_that_never_ends)
{
	struct worker worker;

	start_loaded(&worker, _i, "hang:3");
	expect_lost(&worker, _i);
}
END_TEST

START_TEST(lost_device)
{
	struct worker worker;

	start_loaded(&worker, _i, "crash:9,lost:3");
	expect_lost(&worker, _i);
}
END_TEST

START_TEST(crash)
{
	struct worker worker;

	start_loaded(&worker, _i, "crash:3");
	launch_fault(&worker);
	ck_assert_ptr_null(worker_read(&worker));
	ck_assert_int_eq(worker_wait(&worker, 10), 256 + SIGABRT);
}
END_TEST

/* ---- Compiling ahead: `time`, and a request behind it that is there before it is answered. */

static json_t *read_ok(struct worker *worker)
{
	json_t *message = worker_read(worker), *ok = json_incref(json_object_get(message, "ok"));

	ck_assert_msg(ok != NULL, "the answer is %s", json_dumps(message, 0));
	json_decref(message);
	return ok;
}

static void read_times(struct worker *worker)
{
	json_t *ok = read_ok(worker);

	ck_assert_ptr_nonnull(json_object_get(ok, "samples_ns"));
	json_decref(ok);
}

static void read_built(struct worker *worker, bool ahead)
{
	json_t *ok = read_ok(worker);

	ck_assert(json_is_true(json_object_get(ok, "right")));
	ck_assert_int_eq(json_is_true(json_object_get(ok, "ahead")), ahead);
	json_decref(ok);
}

static void read_refusal(struct worker *worker)
{
	json_t *message = worker_read(worker);

	ck_assert_str_eq(worker_text(json_object_get(message, "error"), "code"), "bad-request");
	json_decref(message);
}

#define TIME_2 "{\"do\":\"time\",\"candidates\":[2],\"samples\":20}"

/* Processors do so only where a test wants it; a GPU always. */
START_TEST(compiled_ahead)
{
	bool ahead = _i % 2 || !devices[_i / 2].cpu;
	struct worker worker;

	start_loaded(&worker, _i / 2, _i % 2 ? "ahead:0" : NULL);
	worker_write(&worker, TIME_2);
	write_build(&worker, 3, schedule_plain);
	read_times(&worker);
	read_built(&worker, ahead);
	worker_write(&worker, TIME_2); /* in place of one that is loaded */
	write_build(&worker, 3, "wg_x=2 wg_y=4");
	write_build(&worker, 4, schedule_plain);
	worker_write(&worker, "{\"do\":\"time\",\"candidates\":[3,4],\"samples\":2}");
	read_times(&worker);
	read_built(&worker, ahead);
	read_built(&worker, false);
	read_times(&worker);
	ck_assert_int_eq(worker_stop(&worker, 5), 0);
}
END_TEST

/* More of them than there is room for: who finds none is compiled when it is built. */
START_TEST(prepared)
{
	struct worker worker;

	start_loaded(&worker, _i, "ahead:0,wrong:6");
	for (int i = 3; i < 9; i++)
		json_decref(worker_ask(&worker,
		        "{\"do\":\"prepare\",\"candidate\":%d,\"schedule\":\"wg_x=%d\"}", i,
		        1 << (i - 3)));
	worker_refused(&worker, "bad-request",
	        "{\"do\":\"prepare\",\"candidate\":9,\"schedule\":\"wg_x=none\"}");
	for (int i = 3; i < 9; i++) {
		json_t *ok = worker_ask(&worker,
		        "{\"do\":\"build\",\"candidate\":%d,\"schedule\":\"wg_x=%d\"}", i,
		        1 << (i - 3));
		ck_assert_int_eq(json_is_true(json_object_get(ok, "right")), i != 6);
		json_decref(ok);
	}
	json_decref(worker_ask(
	        &worker, "{\"do\":\"prepare\",\"candidate\":3,\"schedule\":\"wg_x=2\"}"));
	write_build(&worker, 3, "wg_x=2");
	read_built(&worker, true);
	json_decref(worker_ask(
	        &worker, "{\"do\":\"prepare\",\"candidate\":3,\"schedule\":\"wg_x=4\"}"));
	worker_load(&worker, "matmul m=32 n=32 k=32"); /* and nothing of it stays */
	write_build(&worker, 3, schedule_plain);
	read_built(&worker, false);
	ck_assert_int_eq(worker_stop(&worker, 5), 0);
}
END_TEST

/* What comes behind is answered as if it had come later. */
START_TEST(asked_early)
{
	struct worker worker;

	start_loaded(&worker, _i, "ahead:0,wrong:5");
	worker_write(&worker, TIME_2);
	write_build(&worker, 3, "wg_x=60000"); /* no schedule, ... */
	read_times(&worker);
	read_refusal(&worker);
	worker_write(&worker, TIME_2);
	write_build(&worker, 3, "wg_x=4096 wg_y=4096"); /* ... or not legal here */
	read_times(&worker);
	read_refusal(&worker);
	worker_write(&worker, TIME_2);
	worker_write(&worker, "hello");
	read_times(&worker);
	read_refusal(&worker);
	worker_write(&worker, TIME_2);
	worker_write(&worker, "{\"do\":\"build\",\"candidate\":9,\"schedule\":\"wg_x=4\","
	                      "\"twin\":true}");
	worker_write(&worker, TIME_2);
	write_build(&worker, 5, schedule_plain);
	read_times(&worker);
	read_refusal(&worker); /* nothing to be the twin of */
	read_times(&worker);
	json_t *verdict = read_ok(&worker);
	ck_assert(json_is_false(json_object_get(verdict, "right")));
	json_decref(verdict);
	worker_write(&worker, TIME_2);
	worker_write(&worker, "{\"do\":\"drop\",\"candidates\":[2]}");
	worker_write(&worker, "{\"do\":\"unload\"}");
	write_build(&worker, 3, schedule_plain);
	read_times(&worker);
	json_decref(read_ok(&worker));
	json_decref(read_ok(&worker));
	read_refusal(&worker); /* nothing is loaded */
	worker_load(&worker, "softmax rows=8 n=16");
	ck_assert_int_eq(worker_stop(&worker, 5), 0);
}
END_TEST

START_TEST(dies_while_compiling_ahead)
{
	struct worker worker;

	start_loaded(&worker, _i, "ahead:0,compile:3");
	worker_write(&worker, "{\"do\":\"time\",\"candidates\":[2],\"samples\":1000}");
	write_build(&worker, 3, "wg_x=4");
	ck_assert_ptr_null(worker_read(&worker)); /* while the others are timed */
	ck_assert_int_eq(worker_wait(&worker, 20), 256 + SIGABRT);
}
END_TEST

/* Hanging up while a pipeline is being made ends it, too. */
START_TEST(hangs_up_while_compiling_ahead)
{
	struct worker worker;

	start_loaded(&worker, _i, "ahead:0");
	worker_write(&worker, "{\"do\":\"time\",\"candidates\":[2],\"samples\":1000}");
	write_build(&worker, 3, schedule_plain);
	usleep(100000);
	ck_assert_int_eq(worker_stop(&worker, 6), 0);
}
END_TEST

/* ---- Clocks. */

static const struct {
	const char *fault, *clock;
} clocks[] = {{NULL, "timestamp"}, {"untimed:0", "wall"}, {"jump:0", "wall"}};
#define CLOCKS ((int)(sizeof clocks / sizeof *clocks))

/* By whichever clock: the time of a kernel is what it was, within a factor that allows for a
 * machine that does other things too. */
START_TEST(clocks_agree)
{
	struct worker worker;
	char line[] = "{\"do\":\"time\",\"candidates\":[2],\"samples\":5}";

	start_loaded(&worker, _i / CLOCKS, clocks[_i % CLOCKS].fault);
	json_t *verdict = worker_build(&worker, 3, schedule_plain);
	double pilot_ns = worker_number(verdict, "pilot_ns");
	json_decref(verdict);
	json_t *ok = worker_ask(&worker, "%s", line);
	double ns = json_number_value(
	        json_array_get(json_object_get(json_object_get(ok, "samples_ns"), "2"), 2));
	if (clocks[_i % CLOCKS].fault)
		ck_assert_str_eq(worker_text(ok, "clock"), clocks[_i % CLOCKS].clock);
	ck_assert_double_gt(ns, pilot_ns / 30);
	ck_assert_double_lt(ns, pilot_ns * 30);
	json_decref(ok);
	ck_assert_int_eq(worker_stop(&worker, 5), 0);
}
END_TEST

static void check_awake(struct worker *worker, double kernel_ns)
{
	json_t *ok = worker_ask(worker, "{\"do\":\"time\",\"candidates\":[3],\"samples\":6}"), *ns;
	size_t i;

	ck_assert_uint_eq(
	        json_array_size(json_object_get(json_object_get(ok, "samples_ns"), "3")), 6);
	json_array_foreach(json_object_get(json_object_get(ok, "samples_ns"), "3"), i, ns)
	        ck_assert_double_eq(json_number_value(ns), kernel_ns);
	json_decref(ok);
}

/* Then times are taken as they come. */
START_TEST(no_memory_for_the_pace)
{
	struct worker worker;

	start_loaded(&worker, _i, "asleep:1,memory:65536");
	worker_build_right(&worker, 3, plain, schedule_plain);
	ck_assert_int_eq(worker_stop(&worker, 5), 0);
}
END_TEST

/* A device that idled takes five times as long until it has worked a little: no such time is told.
 */
START_TEST(times_of_a_device_that_sleeps)
{
	struct worker worker;

	start_loaded(&worker, _i, "even:200000,asleep:4");
	usleep(150000);
	worker_build_right(&worker, 3, plain, schedule_plain);
	check_awake(&worker, 200000);
	usleep(150000);
	check_awake(&worker, 200000);
	ck_assert_int_eq(worker_stop(&worker, 5), 0);
}
END_TEST

START_TEST(out_of_memory)
{
	struct worker worker;

	worker_start(&worker, "memory:4096");
	worker_open(&worker, _i, "web");
	worker_refused(&worker, "out-of-memory",
	        "{\"do\":\"load\",\"op\":\"matmul m=64 n=64 k=64\",\"seed\":1}");
	/* A matrix of weights that cannot be cut; one that can, and rows, are tried in part. */
	json_t *ok = worker_ask(
	        &worker, "{\"do\":\"load\",\"op\":\"softmax rows=64 n=64\",\"seed\":1}");
	ck_assert_double_eq_tol(worker_number(ok, "share"), 0.25, 0.01);
	json_decref(ok);
	worker_build_right(&worker, 1, "softmax rows=16 n=64", "wg_x=4 k_step=4");
	worker_load(&worker, "matmul m=8 n=8 k=8"); /* the device is as good as before */
	worker_build_right(&worker, 0, "matmul m=8 n=8 k=8", "wg_x=2");
	ck_assert_int_eq(worker_stop(&worker, 5), 0);
}
END_TEST

START_TEST(wrong_numbers)
{
	struct worker worker;

	start_loaded(&worker, _i, "wrong:3");
	json_t *verdict = worker_build(&worker, 3, schedule_plain);
	ck_assert(json_is_false(json_object_get(verdict, "right")));
	ck_assert_uint_gt(strlen(worker_text(verdict, "why")), 8);
	ck_assert_double_gt(worker_number(verdict, "max_rel_err"), 1);
	json_decref(verdict);
	worker_refused(
	        &worker, "bad-request", "{\"do\":\"time\",\"candidates\":[3],\"samples\":1}");
	worker_build_right(&worker, 4, plain, schedule_plain);
	ck_assert_int_eq(worker_stop(&worker, 5), 0);
}
END_TEST

/* One element of every element type, the first of the operator's schedules. */
static const char *const spoiled[] = {"softmax rows=?9 n=33", "softmax rows=4 n=64 dtype=f16",
        "argmax rows=50 n=9", "not shape=70", "cast shape=5,50 out=u8",
        "transpose shape=60,9 perm=1,0 dtype=i8"};
#define SPOILED ((int)(sizeof spoiled / sizeof *spoiled))

START_TEST(wrong_numbers_of_every_type)
{
	const struct facts facts = {.cpu = devices[_i / SPOILED].cpu};
	char schedule[SCHEDULE_TEXT_BYTES];
	struct worker worker;
	struct space space;
	struct op op;

	ck_assert_int_eq(op_parse(spoiled[_i % SPOILED], &op, NULL), 0);
	ck_assert_int_eq(
	        space_enumerate(&op, &devices[_i / SPOILED].limits, &facts, &space, NULL), 0);
	schedule_print(&space.candidates[0].schedule, schedule);
	worker_start(&worker, "wrong:3");
	worker_open(&worker, _i / SPOILED, "web");
	worker_load(&worker, spoiled[_i % SPOILED]);
	worker_build_right(&worker, 2, spoiled[_i % SPOILED], schedule);
	json_t *verdict = worker_build(&worker, 3, schedule);
	ck_assert_msg(json_is_false(json_object_get(verdict, "right")), "%s was taken for right",
	        spoiled[_i % SPOILED]);
	json_decref(verdict);
	ck_assert_int_eq(worker_stop(&worker, 5), 0);
}
END_TEST

/* Hanging up ends it although the main thread waits for a kernel that never ends. */
START_TEST(hanging_up_during_a_hang)
{
	struct worker worker;

	start_loaded(&worker, _i, "hang:3");
	launch_fault(&worker);
	usleep(300000);
	ck_assert_int_eq(worker_stop(&worker, patience_s(_i)), 0);
}
END_TEST

/* The parent dies while the socket stays open: the worker dies with it. */
START_TEST(orphan)
{
	struct worker worker = {.fd = -1};
	int ids[2];

	ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	ck_assert_int_eq(pipe(ids), 0);
	pid_t parent = fork();
	if (!parent) {
		struct worker child;
		worker_start(&child, NULL);
		json_decref(worker_ask(&child, "{\"do\":\"list\"}")); /* past its start */
		if (write(ids[1], &child.pid, sizeof child.pid) < 0)
			_exit(1);
		dup2(child.fd, 100); /* leaks to nobody: the worker has its own end */
		pause();
	}
	ck_assert_int_eq(read(ids[0], &worker.pid, sizeof worker.pid), sizeof worker.pid);
	kill(parent, SIGKILL);
	waitpid(parent, NULL, 0);
	int status = worker_wait(&worker, 5);
	ck_assert_msg(status == 256 + SIGKILL || status == 0, "status %d", status);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("faults");
	TCase *process = tcase_create("process");
	int status = worker_find_devices();

	if (status)
		return status;
	worker_each_device(suite, "wrong_numbers", wrong_numbers, 1);
	worker_each_device(
	        suite, "wrong_numbers_of_every_type", wrong_numbers_of_every_type, SPOILED);
	worker_each_device(suite, "kernel_that_never_ends", kernel_that_never_ends, 1);
	worker_each_device(suite, "lost_device", lost_device, 1);
	worker_each_device(suite, "crash", crash, 1);
	worker_each_device(suite, "compiled_ahead", compiled_ahead, 2);
	worker_each_device(suite, "prepared", prepared, 1);
	worker_each_device(suite, "asked_early", asked_early, 1);
	worker_each_device(
	        suite, "hangs_up_while_compiling_ahead", hangs_up_while_compiling_ahead, 1);
	worker_each_device(suite, "dies_while_compiling_ahead", dies_while_compiling_ahead, 1);
	worker_each_device(suite, "clocks_agree", clocks_agree, CLOCKS);
	worker_each_device(
	        suite, "times_of_a_device_that_sleeps", times_of_a_device_that_sleeps, 1);
	worker_each_device(suite, "no_memory_for_the_pace", no_memory_for_the_pace, 1);
	worker_each_device(suite, "out_of_memory", out_of_memory, 1);
	worker_each_device(suite, "hanging_up_during_a_hang", hanging_up_during_a_hang, 1);
	tcase_set_timeout(process, 60);
	tcase_add_test(process, orphan);
	suite_add_tcase(suite, process);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
