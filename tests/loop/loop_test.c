/* SPDX-License-Identifier: Apache-2.0
 *
 * The event loop: timers fire in order, watches see bytes and ends of file, and both may be ended
 * from within their own callbacks and each other's.
 */
#include "daemon/loop/loop.h"

#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MS_NS 1000000ull

static struct loop *loop;

static void setup(void)
{
	ck_assert_int_eq(loop_create(&loop), 0);
}

static void teardown(void)
{
	loop_destroy(loop);
}

/* ---- Timers. */

static char order[8];

static void note(char c)
{
	size_t n = strlen(order);

	ck_assert_uint_lt(n, sizeof order - 1);
	order[n] = c;
}

static void fired(void *context)
{
	note(*(const char *)context);
	if (*(const char *)context == 'z')
		loop_stop(loop);
}

START_TEST(timers_in_order)
{
	static const char names[] = "abcz";
	struct loop_timer *timers[4];
	uint64_t began = loop_now_ns();

	memset(order, 0, sizeof order);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(loop_timer_create(loop, fired, (void *)&names[i], &timers[i]), 0);
	loop_timer_set(timers[0], 30 * MS_NS);
	loop_timer_set(timers[1], 5 * MS_NS);
	loop_timer_set(timers[2], 1);
	loop_timer_set(timers[3], 60 * MS_NS);
	loop_timer_set(timers[2], 15 * MS_NS); /* moves it */
	ck_assert_int_eq(loop_run(loop), 0);
	ck_assert_str_eq(order, "bcaz");
	ck_assert_uint_ge(loop_now_ns() - began, 60 * MS_NS);
	loop_timer_set(timers[0], 1);
	loop_timer_stop(timers[0]);
	loop_timer_set(timers[3], 5 * MS_NS);
	ck_assert_int_eq(loop_run(loop), 0);
	ck_assert_str_eq(order, "bcazz");
	for (int i = 0; i < 4; i++)
		loop_timer_destroy(timers[i]);
	loop_timer_destroy(NULL);
}
END_TEST

static struct loop_timer *self;

static void fired_destroy(void *context)
{
	loop_timer_destroy(self);
	loop_stop(context);
}

START_TEST(timer_destroys_itself)
{
	ck_assert_int_eq(loop_timer_create(loop, fired_destroy, loop, &self), 0);
	loop_timer_set(self, 0);
	ck_assert_int_eq(loop_run(loop), 0);
}
END_TEST

/* ---- Watches. */

struct end {
	int fd;
	struct loop_watch *watch;
	struct end *other; /* unwatched when this one is read */
	int calls, read;
	bool stays; /* otherwise unwatches itself */
};

static void readable(void *context)
{
	struct end *end = context;
	char bytes[16];

	end->calls++;
	end->read = (int)recv(end->fd, bytes, sizeof bytes, MSG_DONTWAIT);
	if (end->other) {
		loop_unwatch(end->other->watch);
		end->other->watch = NULL;
		end->other = NULL;
	}
	if (!end->stays) {
		loop_unwatch(end->watch);
		end->watch = NULL;
	}
	loop_stop(loop);
}

static void watch(struct end *end, int fds[2])
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	end->fd = fds[0];
	ck_assert_int_eq(loop_watch(loop, fds[0], readable, end, &end->watch), 0);
}

START_TEST(watch_reads_and_ends)
{
	int fds[2];
	struct end end = {.stays = true};

	watch(&end, fds);
	ck_assert_int_eq(write(fds[1], "abc", 3), 3);
	loop_run(loop);
	ck_assert_int_eq(end.read, 3);
	close(fds[1]);
	loop_run(loop);
	ck_assert_int_eq(end.read, 0);
	loop_unwatch(end.watch);
	ck_assert_int_ge(fcntl(fds[0], F_GETFD), 0); /* still the owner's */
	close(fds[0]);
}
END_TEST

/* A pipe that hangs up empty raises no read event, only a hang-up. */
START_TEST(watch_hang_up)
{
	int fds[2];
	struct end end = {.stays = true};

	ck_assert_int_eq(pipe(fds), 0);
	end.fd = fds[0];
	ck_assert_int_eq(loop_watch(loop, fds[0], readable, &end, &end.watch), 0);
	close(fds[1]);
	loop_run(loop);
	ck_assert_int_eq(end.calls, 1);
	loop_unwatch(end.watch);
	close(fds[0]);
}
END_TEST

START_TEST(watch_ends_itself)
{
	int fds[2];
	struct end end = {0};

	watch(&end, fds);
	ck_assert_int_eq(write(fds[1], "abc", 3), 3);
	loop_run(loop);
	ck_assert_int_eq(end.calls, 1);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

START_TEST(watch_ends_another)
{
	int a[2], b[2];
	struct end first = {.stays = true}, second = {.stays = true};

	watch(&first, a);
	watch(&second, b);
	first.other = &second;
	second.other = &first;
	ck_assert_int_eq(write(a[1], "x", 1), 1);
	ck_assert_int_eq(write(b[1], "x", 1), 1);
	loop_run(loop);
	ck_assert_int_eq(first.calls + second.calls, 1);
	loop_unwatch(first.watch);
	loop_unwatch(second.watch);
	for (int i = 0; i < 2; i++) {
		close(a[i]);
		close(b[i]);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("loop");
	TCase *tcase = tcase_create("loop");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, timers_in_order);
	tcase_add_test(tcase, timer_destroys_itself);
	tcase_add_test(tcase, watch_reads_and_ends);
	tcase_add_test(tcase, watch_hang_up);
	tcase_add_test(tcase, watch_ends_itself);
	tcase_add_test(tcase, watch_ends_another);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
