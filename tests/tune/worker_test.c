/* SPDX-License-Identifier: Apache-2.0
 *
 * The calls of a worker, with a shell script in the worker's place: several may be under way, they
 * are answered in order, patience counts from a call's turn, and of those that a dying worker
 * leaves only the first hears of it.
 */
#include "daemon/log.h"
#include "daemon/loop/loop.h"
#include "daemon/tune/worker.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MS_NS 1000000ull

static char script[] = "/tmp/nnjit-worker-test-XXXXXX";
static struct loop *loop;
static struct worker *worker;
static struct loop_timer *limit;
static char
        heard[64]; /* a letter a call, in the order of the answers: upper case where it is lost */
static size_t awaited; /* answers */
static bool stop_in_answer;

/* `body` is run for each line that is asked, in $line; descriptor 3 is the daemon. */
static void start(const char *body)
{
	FILE *file = fopen(script, "we");

	ck_assert_ptr_nonnull(file);
	fprintf(file, "#!/bin/sh\nwhile read -r line <&3; do\n%s\ndone\n", body);
	fclose(file);
	ck_assert_int_eq(chmod(script, 0700), 0);
	ck_assert_int_eq(worker_create(loop, script, &worker), 0);
}

static void late(void *context)
{
	(void)context;
	loop_stop(loop);
}

static void set_up(void)
{
	log_open(LOG_LEVEL_ERROR);
	close(mkstemp(script));
	heard[0] = '\0';
	stop_in_answer = false;
	ck_assert_int_eq(loop_create(&loop), 0);
	ck_assert_int_eq(loop_timer_create(loop, late, NULL, &limit), 0);
}

static void tear_down(void)
{
	worker_destroy(worker);
	loop_timer_destroy(limit);
	loop_destroy(loop);
	unlink(script);
}

static void done(void *context, const struct worker_reply *reply)
{
	size_t length = strlen(heard);
	char letter = *(const char *)context;

	heard[length] = reply->answer == WORKER_LOST ? (char)(letter - 'a' + 'A') : letter;
	heard[length + 1] = '\0';
	if (stop_in_answer)
		worker_stop(worker);
	if (strlen(heard) == awaited)
		loop_stop(loop);
}

static void ask(const char *letter, uint64_t deadline_ns)
{
	worker_call(worker, json_pack("{s:s}", "do", letter), deadline_ns, done,
	        (void *)(uintptr_t)letter);
}

/* What was heard until there were so many answers, or that time was over. */
static const char *listen_for(size_t answers, uint64_t ns)
{
	awaited = answers;
	loop_timer_set(limit, ns);
	loop_run(loop);
	return heard;
}

#define OK "printf '{\"ok\":{}}\\n' >&3"

START_TEST(answers_come_in_order)
{
	start(OK);
	ask("a", 9000 * MS_NS);
	ask("b", 9000 * MS_NS);
	ask("c", 9000 * MS_NS);
	ck_assert_str_eq(heard, ""); /* never from within */
	ck_assert_str_eq(listen_for(3, 10000 * MS_NS), "abc");
	ck_assert_uint_eq(worker_starts(worker), 1);
}
END_TEST

/* Two answers in one write: the second does not wait for more to be read. */
START_TEST(answers_that_come_together)
{
	start("case $line in *b*) printf '{\"ok\":{}}\\n{\"ok\":{}}\\n' >&3;; esac");
	ask("a", 9000 * MS_NS);
	ask("b", 9000 * MS_NS);
	ck_assert_str_eq(listen_for(2, 10000 * MS_NS), "ab");
}
END_TEST

/* Each takes 1 s of its 1.8: the second would be late if its patience began at once. */
START_TEST(patience_counts_from_the_turn)
{
	start("sleep 1\n" OK);
	ask("a", 1800 * MS_NS);
	ask("b", 1800 * MS_NS);
	ck_assert_str_eq(listen_for(2, 10000 * MS_NS), "ab");
}
END_TEST

START_TEST(death_is_told_once)
{
	start("case $line in *b*) kill -9 $$;; esac\n" OK);
	ask("a", 9000 * MS_NS);
	ask("b", 9000 * MS_NS);
	ask("c", 9000 * MS_NS);
	ck_assert_str_eq(listen_for(3, 500 * MS_NS), "aB");
	ask("d", 9000 * MS_NS); /* in a new process */
	ck_assert_str_eq(listen_for(3, 10000 * MS_NS), "aBd");
	ck_assert_uint_eq(worker_starts(worker), 2);
}
END_TEST

START_TEST(stopped_calls_are_never_answered)
{
	start(OK);
	stop_in_answer = true;
	ask("a", 9000 * MS_NS);
	ask("b", 9000 * MS_NS);
	ck_assert_str_eq(listen_for(2, 500 * MS_NS), "a");
	ck_assert(!worker_runs(worker));
}
END_TEST

START_TEST(a_worker_that_cannot_start)
{
	ck_assert_int_eq(worker_create(loop, "/nonexistent/nnjit-gpu", &worker), 0);
	ask("a", 9000 * MS_NS);
	ask("b", 9000 * MS_NS);
	ck_assert_str_eq(heard, "");
	ck_assert_str_eq(listen_for(2, 300 * MS_NS), "A");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("worker");
	TCase *tcase = tcase_create("worker");

	tcase_set_timeout(tcase, 30);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, answers_come_in_order);
	tcase_add_test(tcase, answers_that_come_together);
	tcase_add_test(tcase, patience_counts_from_the_turn);
	tcase_add_test(tcase, death_is_told_once);
	tcase_add_test(tcase, stopped_calls_are_never_answered);
	tcase_add_test(tcase, a_worker_that_cannot_start);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
