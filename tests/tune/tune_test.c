/* SPDX-License-Identifier: Apache-2.0
 *
 * The tuner with the real worker on a real device (the processor's one where there is one), on
 * small operators: jobs, sharing, resumption, and what drivers do at their worst, planted by
 * NNJIT_TEST_FAULT. The devices are probed once and given to each test's own store.
 */
#include "daemon/loop/loop.h"
#include "daemon/log.h"
#include "daemon/tune/tune.h"

#include <check.h>
#include <errno.h>
#include <ftw.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define S_NS        1000000000ull
#define TICK_NS     2000000ull
#define STALL_NS    100000000ull /* what health may take */
#define DEVICES_MAX 16

static char worker_path[4096], folder[64];
static json_t *known[DEVICES_MAX]; /* probed before the first test */
static uint64_t known_id[DEVICES_MAX];
static uint32_t known_count;

/* One tuner on one loop, and what it told. */
static struct run {
	struct loop *loop;
	struct store *store;
	struct tune *tune;
	struct loop_timer *tick, *limit;
	uint64_t last_ns, last_wait_ns, stall_ns;
	bool (*done)(void);
	uint32_t told[TUNE_FAILED + 1];
	char why[300];
	struct tune_kernel last;
	bool late; /* the time limit passed */
	bool subscribing;
} now;

/* ---- The state folder. */

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

static void folder_make(void)
{
	strcpy(folder, "/tmp/nnjit-tune-XXXXXX");
	if (!mkdtemp(folder))
		abort();
	unsetenv("NNJIT_TEST_FAULT");
}

static void folder_remove(void)
{
	nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- The loop, and how long it was ever away. */

/* Time this process was ready to run but had no processor: not the loop's fault. */
static uint64_t waited_ns(void)
{
	unsigned long long ran, waited = 0;
	FILE *file = fopen("/proc/self/schedstat", "re");

	if (file && fscanf(file, "%llu %llu", &ran, &waited) != 2)
		waited = 0;
	if (file)
		fclose(file);
	return waited;
}

static void tick(void *context)
{
	uint64_t at_ns = loop_now_ns(), wait_ns = waited_ns();

	(void)context;
	if (now.last_ns) {
		uint64_t away_ns = at_ns - now.last_ns, excused_ns = wait_ns - now.last_wait_ns;
		if (away_ns > excused_ns && away_ns - excused_ns > now.stall_ns)
			now.stall_ns = away_ns - excused_ns;
	}
	now.last_ns = at_ns;
	now.last_wait_ns = wait_ns;
	if (now.done && now.done())
		loop_stop(now.loop);
	loop_timer_set(now.tick, TICK_NS);
}

static void too_late(void *context)
{
	(void)context;
	now.late = true;
	loop_stop(now.loop);
}

/* Without Check's assertions, as those only work within a test. */
static int start(const char *path, uint64_t budget_ns)
{
	const struct tune_options options = {
	        .worker_path = path, .budget_ns = budget_ns, .idle_ns = S_NS};
	int code;

	now = (struct run){0};
	code = store_open(folder, &now.store, NULL);
	for (uint32_t i = 0; !code && i < known_count; i++)
		code = store_put_device(now.store, known_id[i], known[i]);
	if (!code)
		code = loop_create(&now.loop);
	if (!code)
		code = loop_timer_create(now.loop, tick, NULL, &now.tick);
	if (!code)
		code = loop_timer_create(now.loop, too_late, NULL, &now.limit);
	return code ? code : tune_create(now.loop, now.store, &options, &now.tune);
}

static void begin_with(const char *path, uint64_t budget_ns)
{
	ck_assert_int_eq(start(path, budget_ns), 0);
}

static void begin(uint64_t budget_ns)
{
	begin_with(worker_path, budget_ns);
}

static void end(void)
{
	tune_destroy(now.tune);
	loop_timer_destroy(now.tick);
	loop_timer_destroy(now.limit);
	loop_destroy(now.loop);
	store_close(now.store);
}

/* Until done() or the limit. */
static void run_for(bool (*done)(void), uint64_t limit_ns)
{
	now.done = done;
	now.late = false;
	now.last_ns = 0;
	loop_timer_set(now.tick, 0);
	loop_timer_set(now.limit, limit_ns);
	loop_run(now.loop);
	loop_timer_stop(now.limit);
}

static void run_until(bool (*done)(void))
{
	run_for(done, 150 * S_NS);
	ck_assert_msg(!now.late, "the time limit passed");
}

static bool enumerated(void)
{
	return tune_enumerated(now.tune);
}

static bool over(void)
{
	return now.told[TUNE_FINISHED] || now.told[TUNE_FAILED];
}

static bool under_way(void)
{
	return now.last.measured >= 4;
}

static bool idle(void)
{
	struct tune_stats stats = tune_stats(now.tune);

	return tune_enumerated(now.tune) && !stats.jobs_queued && !stats.jobs_running;
}

/* ---- Asking. */

static void note(
        void *context, enum tune_event event, const struct tune_kernel *kernel, const char *why)
{
	(void)context;
	ck_assert(!now.subscribing);
	ck_assert(!over());
	now.told[event]++;
	now.last = *kernel;
	snprintf(now.why, sizeof now.why, "%s", why ? why : "");
}

static const struct tune_device *device(void)
{
	const struct tune_device *found = NULL;

	if (tune_find_device(now.tune, "llvmpipe", &found, NULL))
		ck_assert_int_eq(tune_find_device(now.tune, NULL, &found, NULL), 0);
	return found;
}

static struct op op_of(const char *text)
{
	struct op op;
	struct error err = {0};

	ck_assert_msg(!op_parse(text, &op, &err), "%s", err.text);
	return op;
}

static struct tune_subscription *ask(const char *text, bool again)
{
	struct op op = op_of(text);
	struct tune_subscription *subscription = NULL;
	struct error err = {0};

	now.subscribing = true;
	memset(now.told, 0, sizeof now.told);
	int code = tune_subscribe(now.tune, device(), &op, 0, TUNE_INTERACTIVE, 0, again, note,
	        NULL, &subscription, &err);
	now.subscribing = false;
	ck_assert_msg(!code, "%s", err.text);
	return subscription;
}

static struct tune_kernel known_of(const char *text)
{
	struct op op = op_of(text);
	struct tune_kernel kernel;
	struct error err = {0};

	ck_assert_msg(!tune_get(now.tune, device(), &op, 0, &kernel, &err), "%s", err.text);
	return kernel;
}

/* ---- The trials in the store. */

struct tally {
	uint32_t count, by_state[STORE_TRIAL_POISONED + 1];
	char poisoned[SCHEDULE_TEXT_BYTES], why[160];
};

static bool tally_one(void *context, const struct store_trial *trial)
{
	struct tally *tally = context;

	tally->count++;
	tally->by_state[trial->state]++;
	if (trial->state == STORE_TRIAL_POISONED) {
		strcpy(tally->poisoned, trial->schedule);
		strcpy(tally->why, trial->why);
	}
	return true;
}

static struct store_key key_of(const char *text)
{
	struct op op = op_of(text);

	return (struct store_key){device()->id, device()->driver, op_key(&op), 0};
}

static struct tally tally(const char *text)
{
	struct store_key key = key_of(text);
	struct tally result = {0};

	ck_assert_int_eq(store_each_trial(now.store, &key, tally_one, &result), 0);
	return result;
}

static bool count_job(
        void *context, const struct store_key *key, const char *op_text, uint32_t priority)
{
	(void)key, (void)op_text, (void)priority;
	++*(uint32_t *)context;
	return true;
}

static uint32_t stored_jobs(void)
{
	uint32_t count = 0;

	ck_assert_int_eq(store_each_job(now.store, count_job, &count), 0);
	return count;
}

/* ---- The ordinary way. */

#define SMALL "matmul m=24 n=20 k=12"

START_TEST(predicted_then_tuned)
{
	begin(8 * S_NS);
	run_until(enumerated);
	struct tune_kernel kernel = known_of(SMALL);
	ck_assert_int_eq(kernel.status, TUNE_PREDICTED);
	ck_assert_uint_gt(kernel.of, 0);
	ck_assert_uint_le(kernel.of, 64);
	ck_assert_uint_eq(kernel.measured, 0);
	uint64_t version = tune_version(now.tune);
	ask(SMALL, false);
	run_until(under_way);
	ck_assert_uint_eq(stored_jobs(), 1);
	run_until(over);
	ck_assert_msg(now.told[TUNE_FINISHED], "%s", now.why);
	ck_assert_uint_gt(now.told[TUNE_PROGRESS] + now.told[TUNE_IMPROVED], 0);
	ck_assert_uint_gt(tune_version(now.tune), version);
	ck_assert_uint_eq(stored_jobs(), 0);
	ck_assert_int_eq(now.last.status, TUNE_TUNED);
	kernel = known_of(SMALL);
	ck_assert_int_eq(kernel.status, TUNE_TUNED);
	ck_assert_str_eq(kernel.best.schedule, now.last.best.schedule);
	ck_assert_double_gt(kernel.best.median_ns, 0);
	ck_assert_double_gt(kernel.best.baseline_ns, 0);
	ck_assert_uint_gt(kernel.best.checked, 0);
	ck_assert_double_lt(kernel.best.max_rel_err, 1e-3);
	ck_assert_uint_gt(tally(SMALL).by_state[STORE_TRIAL_TIMED], 1);
	ck_assert_uint_eq(tally(SMALL).by_state[STORE_TRIAL_LAUNCHED], 0);
	ck_assert_uint_lt(now.stall_ns, STALL_NS);
	/* Asked again, it is told at once, but not from within; a restart knows it too. */
	ask(SMALL, false);
	ck_assert(!over());
	run_for(over, S_NS);
	ck_assert_uint_eq(now.told[TUNE_FINISHED], 1);
	end();
	begin(8 * S_NS);
	ck_assert_int_eq(known_of(SMALL).status, TUNE_TUNED);
	end();
}
END_TEST

/* How far a prediction is from the time measured, as a factor's logarithm. */
static double distance(const struct tune_kernel *kernel, const struct facts *facts)
{
	return fabs(log(
	        space_predict_ns(&kernel->op, &kernel->schedule, facts) / kernel->best.median_ns));
}

START_TEST(predictions_learn_from_trials)
{
	begin(4 * S_NS);
	run_until(enumerated);
	ask(SMALL, false);
	run_until(over);
	struct tune_kernel kernel = known_of(SMALL);
	struct facts facts = device()->facts;
	ck_assert_int_eq(kernel.status, TUNE_TUNED);
	ck_assert_ptr_nonnull(facts.correction);
	double learnt = distance(&kernel, &facts);
	facts.correction = NULL;
	ck_assert_double_lt(learnt, distance(&kernel, &facts) + 1e-9);
	end();
	begin(4 * S_NS); /* what was learnt is known again after a restart */
	ck_assert_double_eq_tol(distance(&kernel, &device()->facts), learnt, 1e-6);
	end();
}
END_TEST

/* What an older probe stored serves until it is measured again. */
START_TEST(old_facts_are_measured_again)
{
	json_t *was[DEVICES_MAX];

	for (uint32_t i = 0; i < known_count; i++) {
		was[i] = known[i];
		known[i] = json_deep_copy(was[i]);
		json_object_set_new(known[i], "facts",
		        json_pack("{s:f,s:f}", "fma_gflops", 1.0, "memory_gbps", 1.0));
	}
	begin(4 * S_NS);
	ck_assert_double_eq(device()->facts.fma_gflops, 1);
	run_until(enumerated);
	ck_assert_uint_eq(device()->facts.version, FACTS_VERSION);
	ck_assert_double_ne(device()->facts.fma_gflops, 1);
	ck_assert_double_gt(device()->facts.launch_ns, 0);
	end();
	for (uint32_t i = 0; i < known_count; i++) {
		json_decref(known[i]);
		known[i] = was[i];
	}
}
END_TEST

static uint32_t others_told;

static void note_other(
        void *context, enum tune_event event, const struct tune_kernel *kernel, const char *why)
{
	(void)context, (void)kernel, (void)why;
	others_told += event == TUNE_FINISHED;
}

START_TEST(one_job_for_all)
{
	struct tune_subscription *second, *third;
	struct op op = op_of(SMALL);

	begin(4 * S_NS);
	run_until(enumerated);
	ask(SMALL, false);
	ck_assert_int_eq(tune_subscribe(now.tune, device(), &op, 0, TUNE_BACKGROUND, 0, false,
	                         note_other, NULL, &second, NULL),
	        0);
	ck_assert_int_eq(tune_subscribe(now.tune, device(), &op, 0, TUNE_BACKGROUND, 0, false,
	                         note_other, NULL, &third, NULL),
	        0);
	struct tune_stats stats = tune_stats(now.tune);
	ck_assert_uint_eq(stats.jobs_queued + stats.jobs_running, 1);
	tune_unsubscribe(third);
	run_until(over);
	ck_assert_uint_eq(others_told, 1);
	ck_assert_uint_eq(tune_stats(now.tune).jobs_finished, 1);
	end();
}
END_TEST

START_TEST(nobody_waits_nothing_runs)
{
	begin(8 * S_NS);
	run_until(enumerated);
	tune_unsubscribe(ask(SMALL, false));
	ck_assert_uint_eq(stored_jobs(), 0);
	ck_assert(idle());
	/* Under way it ends at its next step. */
	struct tune_subscription *subscription = ask(SMALL, false);
	run_for(NULL, S_NS / 2);
	tune_unsubscribe(subscription);
	run_until(idle);
	ck_assert_uint_eq(stored_jobs(), 0);
	ck_assert_uint_eq(tally(SMALL).by_state[STORE_TRIAL_POISONED], 0);
	end();
}
END_TEST

START_TEST(urgent_goes_first)
{
	struct op slow = op_of("matmul m=40 n=40 k=40");

	begin(6 * S_NS);
	run_until(enumerated);
	ck_assert_int_eq(tune_subscribe(now.tune, device(), &slow, 0, TUNE_BACKGROUND, 0, false,
	                         NULL, NULL, NULL, NULL),
	        0);
	run_for(NULL, S_NS);
	ask(SMALL, false);
	run_until(over);
	ck_assert_int_ne(known_of("matmul m=40 n=40 k=40").status, TUNE_TUNED);
	run_until(idle);
	ck_assert_int_eq(known_of("matmul m=40 n=40 k=40").status, TUNE_TUNED);
	end();
}
END_TEST

START_TEST(resumes_after_a_restart)
{
	begin(10 * S_NS);
	run_until(enumerated);
	ask(SMALL, false);
	run_until(under_way);
	struct tally before = tally(SMALL);
	end();
	begin(10 * S_NS);
	ck_assert_uint_eq(stored_jobs(), 1);
	/* Stopped in an orderly way: nothing looks as if it had crashed. */
	ck_assert_uint_eq(tally(SMALL).by_state[STORE_TRIAL_LAUNCHED], 0);
	ck_assert_uint_ge(tally(SMALL).count + 1, before.count);
	run_until(idle);
	ck_assert_int_eq(known_of(SMALL).status, TUNE_TUNED);
	ck_assert_uint_ge(known_of(SMALL).measured, before.by_state[STORE_TRIAL_TIMED]);
	ck_assert_uint_eq(stored_jobs(), 0);
	end();
}
END_TEST

/* ---- Faults. */

static const char *const faults[] = {"crash:2", "lost:2", "hang:2"};

START_TEST(fault_is_poisoned_and_not_tried_again)
{
	setenv("NNJIT_TEST_FAULT", faults[_i], 1);
	begin(25 * S_NS);
	run_until(enumerated);
	ask(SMALL, false);
	run_until(over);
	ck_assert_msg(now.told[TUNE_FINISHED], "%s", now.why);
	struct tally first = tally(SMALL);
	ck_assert_uint_eq(first.by_state[STORE_TRIAL_POISONED], 1);
	ck_assert_uint_gt(strlen(first.why), 10);
	ck_assert_uint_gt(first.by_state[STORE_TRIAL_TIMED], 2); /* the search went on */
	ck_assert_str_ne(first.poisoned, now.last.best.schedule);
	ck_assert_uint_eq(tune_stats(now.tune).worker_restarts, 1);
	ck_assert_uint_lt(now.stall_ns, STALL_NS);
	end();
	/* A worker without the fault, everything measured again but this one. */
	unsetenv("NNJIT_TEST_FAULT");
	begin(4 * S_NS);
	run_until(enumerated);
	ask(SMALL, true);
	run_until(over);
	struct tally second = tally(SMALL);
	ck_assert_uint_eq(second.by_state[STORE_TRIAL_POISONED], 1);
	ck_assert_str_eq(second.poisoned, first.poisoned);
	ck_assert_str_eq(second.why, first.why);
	end();
}
END_TEST

START_TEST(wrong_results_are_not_served)
{
	setenv("NNJIT_TEST_FAULT", "wrong:0", 1);
	begin(4 * S_NS);
	run_until(enumerated);
	struct tune_kernel predicted = known_of(SMALL);
	ask(SMALL, false);
	run_until(over);
	ck_assert_msg(now.told[TUNE_FINISHED], "%s", now.why);
	ck_assert_uint_eq(tally(SMALL).by_state[STORE_TRIAL_WRONG], 1);
	ck_assert_str_ne(now.last.best.schedule, predicted.best.schedule);
	end();
}
END_TEST

START_TEST(a_worker_that_always_dies_fails_the_job)
{
	char all[1024] = "crash:0";

	for (int i = 1; i < 64; i++)
		snprintf(all + strlen(all), sizeof all - strlen(all), ",crash:%d", i);
	setenv("NNJIT_TEST_FAULT", all, 1);
	begin(20 * S_NS);
	run_until(enumerated);
	ask(SMALL, false);
	run_until(over);
	ck_assert_uint_eq(now.told[TUNE_FAILED], 1);
	ck_assert_ptr_nonnull(strstr(now.why, "3 times in a row"));
	ck_assert_uint_eq(stored_jobs(), 0);
	ck_assert_int_eq(known_of(SMALL).status, TUNE_PREDICTED);
	end();
}
END_TEST

/* What a daemon left that was killed while a candidate ran: in this boot it is tried again; after a
 * reboot it is to blame. */
START_TEST(leftover_launch)
{
	struct store_trial trial = {.state = STORE_TRIAL_LAUNCHED};
	char boot[40] = "0-another-boot";
	FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");

	bool rebooted = _i;

	if (!rebooted)
		ck_assert_int_eq(fscanf(file, "%39s", boot), 1);
	fclose(file);
	begin(4 * S_NS);
	run_until(enumerated);
	strcpy(trial.schedule, known_of(SMALL).best.schedule);
	snprintf(trial.why, sizeof trial.why, "%s", boot);
	struct store_key key = key_of(SMALL);
	ck_assert_int_eq(store_put_trial(now.store, &key, &trial), 0);
	ask(SMALL, false);
	run_until(over);
	ck_assert_uint_eq(tally(SMALL).by_state[STORE_TRIAL_POISONED], rebooted);
	if (rebooted)
		ck_assert_str_ne(now.last.best.schedule, trial.schedule);
	end();
}
END_TEST

START_TEST(no_worker_no_harm)
{
	struct op op = op_of(SMALL);
	struct tune_kernel kernel;
	struct error err = {0};

	begin_with("/nonexistent/nnjit-gpu", 4 * S_NS);
	run_until(enumerated);
	/* Devices known from before still answer; a job says what is wrong. */
	ck_assert_int_eq(tune_get(now.tune, device(), &op, 0, &kernel, &err), 0);
	ask(SMALL, false);
	run_until(over);
	ck_assert_uint_eq(now.told[TUNE_FAILED], 1);
	ck_assert_ptr_nonnull(strstr(now.why, "/nonexistent/nnjit-gpu"));
	end();
}
END_TEST

/* ---- Answers about devices and shapes. */

START_TEST(devices_are_found)
{
	const struct tune_device *found;
	struct error err = {0};
	char id[17];

	begin(4 * S_NS);
	run_until(enumerated);
	ck_assert_uint_ge(tune_device_count(now.tune), 1);
	for (uint32_t i = 0; i < tune_device_count(now.tune); i++) {
		const struct tune_device *one = tune_device(now.tune, i);
		snprintf(id, sizeof id, "%016llX", (unsigned long long)one->id);
		ck_assert_int_eq(tune_find_device(now.tune, id, &found, &err), 0);
		ck_assert_ptr_eq(found, one);
		ck_assert_int_eq(tune_find_device(now.tune, one->name, &found, &err), 0);
		ck_assert_ptr_eq(found, one);
		ck_assert_uint_le(one->limits.invocations, limits_web_default.invocations);
		ck_assert_double_gt(one->facts.fma_gflops, 0);
	}
	ck_assert_ptr_null(tune_device(now.tune, tune_device_count(now.tune)));
	found = NULL;
	ck_assert_int_eq(
	        tune_find_device(now.tune, "no such device", &found, &err), TUNE_UNKNOWN_DEVICE);
	ck_assert_ptr_null(found);
	ck_assert_ptr_nonnull(strstr(err.text, "no such device"));
	ck_assert_str_eq(err.field, "device");
	ck_assert_int_eq(tune_find_device(now.tune, "", &found, &err), TUNE_UNKNOWN_DEVICE);
	end();
}
END_TEST

START_TEST(shapes_beyond_the_limits)
{
	struct op op = op_of("matmul m=30000 n=30000 k=30000");
	struct tune_subscription *subscription = NULL;
	struct tune_kernel kernel;
	struct error err = {0};

	begin(4 * S_NS);
	run_until(enumerated);
	ck_assert_int_eq(tune_get(now.tune, device(), &op, 0, &kernel, &err), -ERANGE);
	ck_assert_uint_gt(strlen(err.text), 10);
	ck_assert_int_eq(tune_subscribe(now.tune, device(), &op, 0, TUNE_INTERACTIVE, 0, false,
	                         note, NULL, &subscription, &err),
	        -ERANGE);
	ck_assert(idle());
	end();
}
END_TEST

START_TEST(the_queue_is_bounded)
{
	struct error err = {0};
	char text[64];
	uint32_t n = 0;
	int code = 0;

	begin(4 * S_NS);
	while (!code && n < 1000) {
		snprintf(text, sizeof text, "matmul m=%u n=4 k=4", ++n);
		struct op op = op_of(text);
		code = tune_subscribe(now.tune, device(), &op, 0, TUNE_BACKGROUND, 0, false, NULL,
		        NULL, NULL, &err);
	}
	ck_assert_int_eq(code, -EAGAIN);
	ck_assert_uint_gt(n, 50);
	ck_assert_uint_gt(strlen(err.text), 10);
	ck_assert_uint_eq(tune_stats(now.tune).jobs_queued, n - 1);
	end();
}
END_TEST

/* ---- Before the tests. */

static bool keep_device(void *context, uint64_t id, const json_t *object)
{
	(void)context;
	known_id[known_count] = id;
	known[known_count++] = json_deep_copy(object);
	return known_count < DEVICES_MAX;
}

/* Everything is closed again: neither the loop nor the store may cross the forks of the tests. */
static void probe_all(void)
{
	folder_make();
	if (start(worker_path, S_NS))
		abort();
	run_for(enumerated, 100 * S_NS);
	if (!now.late)
		store_each_device(now.store, keep_device, NULL);
	end();
	folder_remove();
}

static void find_worker(void)
{
	const char *given = getenv("NNJIT_GPU"), *build = getenv("NNJIT_BUILD");

	if (given)
		snprintf(worker_path, sizeof worker_path, "%s", given);
	else
		snprintf(worker_path, sizeof worker_path, "%s/nnjit-gpu", build ? build : ".");
}

static Suite *make_suite(void)
{
	Suite *suite = suite_create("tune");
	TCase *tcase = tcase_create("tune");

	tcase_set_timeout(tcase, 240);
	tcase_add_checked_fixture(tcase, folder_make, folder_remove);
	tcase_add_test(tcase, predicted_then_tuned);
	tcase_add_test(tcase, predictions_learn_from_trials);
	tcase_add_test(tcase, old_facts_are_measured_again);
	tcase_add_test(tcase, one_job_for_all);
	tcase_add_test(tcase, nobody_waits_nothing_runs);
	tcase_add_test(tcase, urgent_goes_first);
	tcase_add_test(tcase, resumes_after_a_restart);
	tcase_add_loop_test(tcase, fault_is_poisoned_and_not_tried_again, 0, 3);
	tcase_add_test(tcase, wrong_results_are_not_served);
	tcase_add_test(tcase, a_worker_that_always_dies_fails_the_job);
	tcase_add_loop_test(tcase, leftover_launch, 0, 2);
	tcase_add_test(tcase, no_worker_no_harm);
	tcase_add_test(tcase, devices_are_found);
	tcase_add_test(tcase, shapes_beyond_the_limits);
	tcase_add_test(tcase, the_queue_is_bounded);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	log_open(LOG_LEVEL_ERROR);
	find_worker();
	if (access(worker_path, X_OK)) {
		printf("SKIP: %s is not there; build it first\n", worker_path);
		return 77;
	}
	probe_all();
	if (!known_count) {
		printf("SKIP: no Vulkan device was found; install mesa-vulkan-drivers\n");
		return 77;
	}
	SRunner *runner = srunner_create(make_suite());
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	for (uint32_t i = 0; i < known_count; i++)
		json_decref(known[i]);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
