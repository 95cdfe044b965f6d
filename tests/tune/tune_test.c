/* SPDX-License-Identifier: Apache-2.0
 *
 * The tuner with the real worker, on small operators: jobs, sharing, resumption, and its answers
 * about devices and shapes.
 */
#include "session.h"

#include "space/space.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- The ordinary way. */

START_TEST(predicted_then_tuned)
{
	begin(30 * S_NS);
	run_until(enumerated);
	struct tune_kernel kernel = known_of(SMALL);
	ck_assert_int_eq(kernel.status, TUNE_PREDICTED);
	ck_assert_uint_gt(kernel.of, 0);
	ck_assert_uint_le(kernel.of, 64);
	ck_assert_uint_eq(kernel.measured, 0);
	uint64_t version = tune_version(now.tune);
	ask(SMALL, false);
	run_until(begun);
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
	begin(30 * S_NS);
	ck_assert_int_eq(known_of(SMALL).status, TUNE_TUNED);
	end();
}
END_TEST

/* A dynamic kernel is served for what was verified: while predicted for what the device's loops
 * take, once tuned for how far out its finalist was right. Far out lie rows longer than lavapipe's
 * loops turn. */
START_TEST(ranges_are_verified)
{
	static const char dynamic[] = "reduce_sum rows=2 n=?8";

	begin(6 * S_NS);
	run_until(enumerated);
	ck_assert_int_eq(known_of(dynamic).status, TUNE_PREDICTED);
	uint32_t predicted = known_of(dynamic).most[0];
	ck_assert_uint_ge(predicted, 8);
	if (device()->facts.turns > 0)
		ck_assert_uint_lt(predicted, OP_DIM_MAX);
	ask(dynamic, false);
	run_until(over);
	ck_assert_msg(now.told[TUNE_FINISHED], "%s", now.why);
	struct tune_kernel kernel = known_of(dynamic);
	ck_assert_uint_gt(kernel.best.reach[0], 8);
	ck_assert_uint_le(kernel.most[0], kernel.best.reach[0]);
	ck_assert_uint_gt(kernel.most[0], 1000);
	end();
}
END_TEST

/* Which of the trials is predicted to be the fastest, and what it took. */
struct favourite {
	struct op op;
	const struct facts *facts;
	double predicted_ns, measured_ns;
};

static bool prefer(void *context, const struct store_trial *trial)
{
	struct favourite *favourite = context;
	struct schedule schedule;

	ck_assert_int_eq(schedule_parse(trial->schedule, &schedule, NULL), 0);
	double ns = space_predict_ns(&favourite->op, &schedule, favourite->facts);
	if (trial->samples && (!favourite->measured_ns || ns < favourite->predicted_ns)) {
		favourite->predicted_ns = ns;
		favourite->measured_ns = trial->median_ns;
	}
	return true;
}

static struct favourite favourite(const struct facts *facts)
{
	struct favourite favourite = {.op = op_of(SMALL), .facts = facts};
	struct store_key key = key_of(SMALL);

	ck_assert_int_eq(store_each_trial(now.store, &key, prefer, &favourite), 0);
	return favourite;
}

START_TEST(predictions_learn_from_trials)
{
	begin(4 * S_NS);
	run_until(enumerated);
	ask(SMALL, false);
	run_until(over);
	struct facts facts = device()->facts;
	ck_assert_int_eq(known_of(SMALL).status, TUNE_TUNED);
	ck_assert_ptr_nonnull(facts.correction);
	struct favourite learnt = favourite(&facts);
	facts.correction = NULL;
	ck_assert_double_le(learnt.measured_ns, favourite(&facts).measured_ns);
	ck_assert_double_ne(learnt.predicted_ns, favourite(&facts).predicted_ns);
	end();
	begin(4 * S_NS); /* what was learnt is known again after a restart */
	ck_assert_double_eq_tol(
	        favourite(&device()->facts).predicted_ns, learnt.predicted_ns, 1e-6);
	end();
}
END_TEST

/* What an older probe stored serves until it is measured again. */
START_TEST(old_facts_are_measured_again)
{
	facts_outdate();
	begin(4 * S_NS);
	ck_assert_double_eq(device()->facts.fma_gflops, 1);
	run_until(enumerated);
	ck_assert_uint_eq(device()->facts.version, FACTS_VERSION);
	ck_assert_double_ne(device()->facts.fma_gflops, 1);
	ck_assert_double_gt(device()->facts.launch_ns, 0);
	end();
	facts_restore();
}
END_TEST

static const json_t *first_facts;

static bool probed_again(void)
{
	return json_object_get(device()->object, "facts") != first_facts;
}

/* What a busy machine's probe left is measured again when the device is idle, and the better of two
 * kept. A kernel that is faster than facts allow is reason enough, however sure they seemed. */
static const struct {
	double gflops, gbps;
	int sure;
	bool stays;
} claims[] = {{1, 1, 2, false}, {1e6, 1e6, 0, true}, {1, 1, 0, false}};

START_TEST(doubted_facts_are_measured_again)
{
	facts_claim(claims[_i].gflops, claims[_i].gbps, claims[_i].sure);
	begin_brief();
	run_until(enumerated);
	ck_assert_double_eq(device()->facts.fma_gflops, claims[_i].gflops);
	first_facts = json_object_get(device()->object, "facts");
	ask(LONGER, false);
	run_until(over);
	run_until(probed_again);
	if (claims[_i].stays)
		ck_assert_double_eq(device()->facts.fma_gflops, claims[_i].gflops);
	else
		ck_assert_double_gt(device()->facts.fma_gflops, claims[_i].gflops);
	end();
	facts_restore();
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
	ck_assert_int_eq(
	        tune_subscribe(now.tune, &(struct kernel_id){.device = device(), .op = op},
	                &(struct tune_params){.priority = TUNE_BACKGROUND, .notify = note_other},
	                &second, NULL),
	        0);
	ck_assert_int_eq(
	        tune_subscribe(now.tune, &(struct kernel_id){.device = device(), .op = op},
	                &(struct tune_params){.priority = TUNE_BACKGROUND, .notify = note_other},
	                &third, NULL),
	        0);
	const struct metrics *metrics = counted();
	ck_assert_uint_eq(metrics->tuning_jobs_queued + metrics->tuning_jobs_running, 1);
	tune_unsubscribe(third);
	run_until(over);
	ck_assert_uint_eq(others_told, 1);
	ck_assert_uint_eq(counted()->tuning_jobs_finished, 1);
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
	ck_assert_int_eq(
	        tune_subscribe(now.tune, &(struct kernel_id){.device = device(), .op = slow},
	                &(struct tune_params){.priority = TUNE_BACKGROUND}, NULL, NULL),
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

static void ignore(
        void *context, enum tune_event event, const struct tune_kernel *kernel, const char *why)
{
	(void)context, (void)event, (void)kernel, (void)why;
}

static bool has_stored_job(void)
{
	return stored_jobs() > 0;
}

/* Puts another card of the first one's kind into the store. */
static void plant_twin(uint64_t id)
{
	char hex[17];

	begin(S_NS);
	json_t *twin = json_deep_copy(device()->object);
	snprintf(hex, sizeof hex, "%016llx", (unsigned long long)id);
	json_object_set_new(twin, "id", json_string(hex));
	ck_assert_int_eq(store_put_device(now.store, id, twin), 0);
	json_decref(twin);
	end();
}

/* Equal cards share a job's record: it stays until the last of their jobs has ended. */
START_TEST(equal_cards_share_a_stored_job)
{
	struct tune_subscription *subscriptions[2];
	const struct tune_params params = {.notify = ignore};
	const struct tune_device *cards[2];
	uint32_t count = 0;

	plant_twin(0x7777);
	begin(S_NS);
	for (uint32_t i = 0; i < tune_device_count(now.tune); i++)
		if (tune_device(now.tune, i)->class == device()->class && count < 2)
			cards[count++] = tune_device(now.tune, i);
	ck_assert_uint_eq(count, 2);
	for (uint32_t i = 0; i < 2; i++)
		ck_assert_int_eq(
		        tune_subscribe(now.tune,
		                &(struct kernel_id){.device = cards[i], .op = op_of(SMALL)},
		                &params, &subscriptions[i], NULL),
		        0);
	run_until(has_stored_job);
	ck_assert_uint_eq(stored_jobs(), 1);
	tune_unsubscribe(subscriptions[0]);
	ck_assert_uint_eq(stored_jobs(), 1);
	tune_unsubscribe(subscriptions[1]);
	ck_assert_uint_eq(stored_jobs(), 0);
	end();
}
END_TEST

static bool several_launched(void)
{
	return tally(LONGER).by_state[STORE_TRIAL_LAUNCHED] >= 2;
}

/* Candidates that are built and wait to be timed were no fault of anybody, however the session
 * ends: the daemon stops, or nobody waits any more. */
START_TEST(nothing_stays_launched)
{
	begin(60 * S_NS);
	run_until(enumerated);
	struct tune_subscription *asked = ask(LONGER, false);
	run_until(several_launched);
	if (_i)
		tune_unsubscribe(asked);
	if (_i)
		run_until(idle);
	end();
	begin(60 * S_NS);
	ck_assert_uint_eq(tally(LONGER).by_state[STORE_TRIAL_LAUNCHED], 0);
	end();
}
END_TEST

/* A device that was there: what is known of it is served and no work is begun for it. */
START_TEST(an_absent_device_is_not_tuned_for)
{
	struct tune_subscription *subscription = NULL;
	struct error err = {0};

	begin_brief();
	run_until(enumerated);
	ask(SMALL, false);
	run_until(over);
	end();
	setenv("VK_DRIVER_FILES", "/nonexistent", 1);
	setenv("VK_ICD_FILENAMES", "/nonexistent", 1);
	begin(S_NS);
	run_until(enumerated);
	unsetenv("VK_DRIVER_FILES");
	unsetenv("VK_ICD_FILENAMES");
	if (tune_device_count(now.tune) && !device()->present) {
		struct kernel_id id = {
		        .device = device(), .op = op_of(LONGER), .features = UINT32_MAX};
		ck_assert_int_eq(known_of(SMALL).status, TUNE_TUNED);
		ck_assert_int_eq(known_of(LONGER).status, TUNE_PREDICTED);
		ck_assert_int_eq(tune_subscribe(now.tune, &id, &(struct tune_params){0},
		                         &subscription, &err),
		        -ENODEV);
		ck_assert_ptr_nonnull(strstr(err.text, "not there"));
		ck_assert(idle());
	}
	end();
}
END_TEST

START_TEST(resumes_after_a_restart)
{
	begin(30 * S_NS);
	run_until(enumerated);
	ask(LONGER, false);
	run_until(under_way);
	struct tally before = tally(LONGER);
	end();
	begin(30 * S_NS);
	ck_assert_uint_eq(stored_jobs(), 1);
	/* Stopped in an orderly way: nothing looks as if it had crashed. */
	ck_assert_uint_eq(tally(LONGER).by_state[STORE_TRIAL_LAUNCHED], 0);
	ck_assert_uint_ge(tally(LONGER).count + 1, before.count);
	run_until(idle);
	ck_assert_int_eq(known_of(LONGER).status, TUNE_TUNED);
	ck_assert_uint_ge(known_of(LONGER).measured, before.by_state[STORE_TRIAL_TIMED]);
	ck_assert_uint_eq(stored_jobs(), 0);
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
	ck_assert_int_eq(tune_get(now.tune, &(struct kernel_id){.device = device(), .op = op},
	                         &kernel, &err),
	        0);
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
	ck_assert_int_eq(tune_get(now.tune, &(struct kernel_id){.device = device(), .op = op},
	                         &kernel, &err),
	        -ERANGE);
	ck_assert_uint_gt(strlen(err.text), 10);
	ck_assert_int_eq(
	        tune_subscribe(now.tune, &(struct kernel_id){.device = device(), .op = op},
	                &(struct tune_params){.priority = TUNE_INTERACTIVE}, &subscription, &err),
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
		code = tune_subscribe(now.tune, &(struct kernel_id){.device = device(), .op = op},
		        &(struct tune_params){.priority = TUNE_BACKGROUND}, NULL, &err);
	}
	ck_assert_int_eq(code, -EAGAIN);
	ck_assert_uint_gt(n, 50);
	ck_assert_uint_gt(strlen(err.text), 10);
	ck_assert_uint_eq(counted()->tuning_jobs_queued, n - 1);
	end();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tune");
	TCase *tcase = tcase_create("tune");

	tcase_set_timeout(tcase, 240);
	tcase_add_checked_fixture(tcase, folder_make, folder_remove);
	tcase_add_test(tcase, predicted_then_tuned);
	tcase_add_test(tcase, ranges_are_verified);
	tcase_add_test(tcase, predictions_learn_from_trials);
	tcase_add_test(tcase, old_facts_are_measured_again);
	tcase_add_loop_test(
	        tcase, doubted_facts_are_measured_again, 0, sizeof claims / sizeof *claims);
	tcase_add_test(tcase, one_job_for_all);
	tcase_add_test(tcase, nobody_waits_nothing_runs);
	tcase_add_test(tcase, urgent_goes_first);
	tcase_add_test(tcase, equal_cards_share_a_stored_job);
	tcase_add_loop_test(tcase, nothing_stays_launched, 0, 2);
	tcase_add_test(tcase, an_absent_device_is_not_tuned_for);
	tcase_add_test(tcase, resumes_after_a_restart);
	tcase_add_test(tcase, no_worker_no_harm);
	tcase_add_test(tcase, devices_are_found);
	tcase_add_test(tcase, shapes_beyond_the_limits);
	tcase_add_test(tcase, the_queue_is_bounded);
	suite_add_tcase(suite, tcase);
	return session_main(suite);
}
