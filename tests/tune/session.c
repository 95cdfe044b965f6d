/* SPDX-License-Identifier: Apache-2.0
 *
 * A tuner on a loop of its own, for tests: what it told, how long the loop was ever away, what is
 * in its store. The devices are probed once, before the first test, and given to each test's store,
 * but for the time of a launch: small operators take as long, and whether a search ends there, with
 * nothing left to gain, would be up to the noise.
 */
#include "session.h"

#include "daemon/log.h"

#include <errno.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TICK_NS     2000000ull
#define DEVICES_MAX 16

char worker_path[4096];
struct session now;

static char folder[64];
static json_t *known[DEVICES_MAX];   /* probed before the first test */
static json_t *current[DEVICES_MAX]; /* those, while `known` is outdated */
static uint64_t known_id[DEVICES_MAX];
static uint32_t known_count;

/* ---- The state folder. */

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

void folder_make(void)
{
	snprintf(folder, sizeof folder, "/tmp/nnjit-tune-XXXXXX");
	if (!mkdtemp(folder))
		abort();
	unsetenv("NNJIT_TEST_FAULT");
}

void folder_remove(void)
{
	nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void facts_outdate(void)
{
	for (uint32_t i = 0; i < known_count; i++) {
		current[i] = known[i];
		known[i] = json_deep_copy(current[i]);
		json_object_set_new(known[i], "facts",
		        json_pack("{s:f,s:f}", "fma_gflops", 1.0, "memory_gbps", 1.0));
	}
}

void facts_claim(double gflops, double gbps, int sure)
{
	for (uint32_t i = 0; i < known_count; i++) {
		current[i] = known[i];
		known[i] = json_deep_copy(current[i]);
		json_t *facts = json_object_get(known[i], "facts");
		json_object_set_new(facts, "fma_gflops", json_real(gflops));
		json_object_set_new(facts, "memory_gbps", json_real(gbps));
		json_object_set_new(facts, "sure", json_integer(sure));
	}
}

void facts_restore(void)
{
	for (uint32_t i = 0; i < known_count; i++) {
		json_decref(known[i]);
		known[i] = current[i];
	}
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
static int start(const char *path, uint64_t budget_ns, uint32_t trials)
{
	const struct tune_options options = {
	        .worker = path, .budget_s = budget_ns / S_NS, .trials = trials, .idle_s = 1};
	int code;

	now = (struct session){0};
	code = store_open(folder, &now.store, NULL);
	for (uint32_t i = 0; !code && i < known_count; i++)
		code = store_put_device(now.store, known_id[i], known[i]);
	if (!code)
		code = loop_create(&now.loop);
	if (!code)
		code = loop_timer_create(now.loop, tick, NULL, &now.tick);
	if (!code)
		code = loop_timer_create(now.loop, too_late, NULL, &now.limit);
	return code ? code : tune_create(now.loop, now.store, &now.metrics, &options, &now.tune);
}

void begin_with(const char *path, uint64_t budget_ns)
{
	ck_assert_int_eq(start(path, budget_ns, 0), 0);
}

void begin(uint64_t budget_ns)
{
	begin_with(worker_path, budget_ns);
}

void begin_brief(void)
{
	ck_assert_int_eq(start(worker_path, 60 * S_NS, 12), 0);
}

void end(void)
{
	tune_destroy(now.tune);
	loop_timer_destroy(now.tick);
	loop_timer_destroy(now.limit);
	loop_destroy(now.loop);
	store_close(now.store);
}

/* Until done() or the limit. */
void run_for(bool (*done)(void), uint64_t limit_ns)
{
	now.done = done;
	now.late = false;
	now.last_ns = 0;
	loop_timer_set(now.tick, 0);
	loop_timer_set(now.limit, limit_ns);
	loop_run(now.loop);
	loop_timer_stop(now.limit);
}

void run_until(bool (*done)(void))
{
	run_for(done, 150 * S_NS);
	ck_assert_msg(!now.late, "the time limit passed");
}

bool enumerated(void)
{
	return tune_enumerated(now.tune);
}

bool over(void)
{
	return now.told[TUNE_FINISHED] || now.told[TUNE_FAILED];
}

const struct metrics *counted(void)
{
	tune_count(now.tune);
	return &now.metrics;
}

bool begun(void)
{
	return now.last.measured || over();
}

bool under_way(void)
{
	return now.last.measured >= 4 || over();
}

bool idle(void)
{
	const struct metrics *metrics = counted();

	return tune_enumerated(now.tune) && !metrics->tuning_jobs_queued &&
	       !metrics->tuning_jobs_running;
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

const struct tune_device *device(void)
{
	for (uint32_t i = 0; i < tune_device_count(now.tune); i++)
		if (strstr(tune_device(now.tune, i)->name, "llvmpipe"))
			return tune_device(now.tune, i);
	ck_assert_uint_gt(tune_device_count(now.tune), 0);
	return tune_device(now.tune, 0);
}

struct op op_of(const char *text)
{
	struct op op;
	struct error err = {0};

	ck_assert_msg(!op_parse(text, &op, &err), "%s", err.text);
	return op;
}

struct tune_subscription *ask(const char *text, bool again)
{
	struct op op = op_of(text);
	struct tune_subscription *subscription = NULL;
	struct error err = {0};

	now.subscribing = true;
	memset(now.told, 0, sizeof now.told);
	int code = tune_subscribe(now.tune, &(struct kernel_id){.device = device(), .op = op},
	        &(struct tune_params){.again = again, .notify = note}, &subscription, &err);
	now.subscribing = false;
	ck_assert_msg(!code, "%s", err.text);
	return subscription;
}

struct tune_kernel known_of(const char *text)
{
	struct op op = op_of(text);
	struct tune_kernel kernel;
	struct error err = {0};

	ck_assert_msg(!tune_get(now.tune, &(struct kernel_id){.device = device(), .op = op},
	                      &kernel, &err),
	        "%s", err.text);
	return kernel;
}

/* ---- The trials in the store. */

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

struct store_key key_of(const char *text)
{
	struct op op = op_of(text);

	return (struct store_key){device()->class, device()->driver, op_key(&op), 0};
}

struct tally tally(const char *text)
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

uint32_t stored_jobs(void)
{
	uint32_t count = 0;

	ck_assert_int_eq(store_each_job(now.store, count_job, &count), 0);
	return count;
}

/* ---- Before the tests. */

static bool keep_device(void *context, uint64_t id, const json_t *object)
{
	(void)context;
	known_id[known_count] = id;
	known[known_count] = json_deep_copy(object);
	json_object_del(json_object_get(known[known_count++], "facts"), "launch_ns");
	return known_count < DEVICES_MAX;
}

/* Everything is closed again: neither the loop nor the store may cross the forks of the tests. */
static void probe_all(void)
{
	folder_make();
	if (start(worker_path, S_NS, 0))
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

int session_main(Suite *suite)
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
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	for (uint32_t i = 0; i < known_count; i++)
		json_decref(known[i]);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
