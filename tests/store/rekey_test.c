/* SPDX-License-Identifier: Apache-2.0
 *
 * A store of format 1, whose keys have the id of one card, opened by this nnjitd: every record of a
 * known card is found under its class, none is lost, and what no card explains stays.
 */
#include "tests/store/fixture.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "daemon/store/environment.h"
#include "daemon/store/record.h"
#include "device/class.h"
#include "protocol/wire/message.h"
#include "protocol/wire/wire.h"

#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define CARD    0x0123456789abcdefull
#define TWIN    0x1123456789abcdefull /* another card of the same kind */
#define UNKNOWN 0x2123456789abcdefull /* the store does not describe it */
#define TRIALS  300                   /* more than one transaction moves */
#define OP      "matmul m=1 n=2 k=3"
#define ORIGIN  "http://localhost:8080"

static uint64_t class_of_cards(void)
{
	return device_class(0x10de, 0x2335, &limits_web_default);
}

static json_t *card_json(uint64_t id)
{
	const struct wire_device card = {.id = id,
	        .name = "a card",
	        .kind = "discrete",
	        .api = "vulkan",
	        .api_version = "1.3.0",
	        .vendor_id = 0x10de,
	        .device_id = 0x2335,
	        .driver = {.id = 0xd1, .name = "driver", .version = "1", .info = ""},
	        .limits = limits_web_default};

	return wire_write_device(&card);
}

static void put_card(struct store *store, uint64_t id)
{
	json_t *card = card_json(id);

	ck_assert_ptr_nonnull(card);
	ck_assert_int_eq(store_put_device(store, id, card), 0);
	json_decref(card);
}

static struct store_key key_of(uint64_t device)
{
	return (struct store_key){.class = device, .driver = 0xd1, .op = 7, .features = 1};
}

static void put_kernel(struct store *store, uint64_t device, uint32_t n)
{
	struct store_key key = key_of(device);
	struct store_kernel kernel = kernel_make(OP, n);

	ck_assert_int_eq(store_put_kernel(store, &key, &kernel), 0);
}

static void put_the_rest(struct store *store)
{
	struct store_key key = key_of(CARD);
	struct store_reports reports = {
	        .origin = ORIGIN, .op = OP, .generation = nnjit_generation, .count = 1};

	snprintf(reports.rows[0].schedule, sizeof reports.rows[0].schedule, "wg_x=8");
	for (uint32_t i = 0; i < TRIALS; i++) {
		struct store_trial trial = trial_make(i + 1, STORE_TRIAL_TIMED);
		ck_assert_int_eq(store_put_trial(store, &key, &trial), 0);
	}
	ck_assert_int_eq(store_put_job(store, &key, OP, 2), 0);
	ck_assert_int_eq(store_put_reports(store, &key, &reports), 0);
}

/* The last thing a daemon of format 1 would leave. */
static void close_as_format_1(struct store *store)
{
	AUTO(buffer_free) struct buffer record = {0};

	record_begin(&record, RECORD_META);
	record_put_u32(&record, 1);
	ck_assert_int_eq(
	        store_put(store, STORE_META, (struct store_bytes){"format", 6}, &record), 0);
	store_close(store);
}

static void check_kernel(struct store *store, uint64_t class, uint32_t n)
{
	struct store_key key = key_of(class);
	struct store_kernel put = kernel_make(OP, n), got;
	bool stale;

	ck_assert_int_eq(store_get_kernel(store, &key, OP, &got, &stale), 0);
	ck_assert(!stale);
	kernel_same(&put, &got);
}

static bool count_trial(void *context, const struct store_trial *trial)
{
	ck_assert_int_eq(trial->state, STORE_TRIAL_TIMED);
	++*(uint32_t *)context;
	return true;
}

static uint32_t count_trials(struct store *store, uint64_t class)
{
	struct store_key key = key_of(class);
	uint32_t count = 0;

	ck_assert_int_eq(store_each_trial(store, &key, count_trial, &count), 0);
	return count;
}

static bool note_job(
        void *context, const struct store_key *key, const char *op_text, uint32_t priority)
{
	ck_assert_str_eq(op_text, OP);
	ck_assert_uint_eq(priority, 2);
	*(uint64_t *)context = key->class;
	return true;
}

START_TEST(records_of_a_known_card_move)
{
	struct store *store = open_here();
	struct store_key key = key_of(class_of_cards());
	struct store_reports reports;
	uint64_t job = 0;

	put_card(store, CARD);
	put_kernel(store, CARD, 3);
	put_kernel(store, UNKNOWN, 4);
	put_the_rest(store);
	close_as_format_1(store);
	for (int i = 0; i < 2; i++) { /* the second opening has nothing to do */
		store = open_here();
		check_kernel(store, class_of_cards(), 3);
		check_kernel(store, UNKNOWN, 4);
		ck_assert_uint_eq(count_trials(store, class_of_cards()), TRIALS);
		ck_assert_uint_eq(count_trials(store, CARD), 0);
		ck_assert_int_eq(store_each_job(store, note_job, &job), 0);
		ck_assert_uint_eq(job, class_of_cards());
		ck_assert_int_eq(store_get_reports(store, ORIGIN, &key, OP, &reports), 0);
		ck_assert_uint_eq(reports.count, 1);
		store_close(store);
	}
}
END_TEST

/* The worker of then did not say all that one says today. */
START_TEST(a_card_told_in_fewer_words_moves)
{
	struct store *store = open_here();
	json_t *card = card_json(CARD);

	json_object_del(card, "api");
	json_object_del(card, "api_version");
	json_object_del(card, "timestamps");
	json_object_del(card, "facts");
	ck_assert_int_eq(store_put_device(store, CARD, card), 0);
	json_decref(card);
	put_kernel(store, CARD, 3);
	close_as_format_1(store);
	store = open_here();
	check_kernel(store, class_of_cards(), 3);
	store_close(store);
}
END_TEST

START_TEST(of_two_equal_cards_one_record_stays)
{
	struct store *store = open_here();
	struct store_key gone = key_of(TWIN);
	struct store_kernel got;
	bool stale;

	put_card(store, CARD);
	put_card(store, TWIN);
	put_kernel(store, CARD, 3);
	put_kernel(store, TWIN, 5);
	close_as_format_1(store);
	store = open_here();
	check_kernel(store, class_of_cards(), 3);
	ck_assert_int_eq(store_get_kernel(store, &gone, OP, &got, &stale), -ENOENT);
	store_close(store);
}
END_TEST

/* Half of them had moved when the power went. */
START_TEST(a_move_cut_short_goes_on)
{
	struct store *store = open_here();
	struct store_key moved = key_of(class_of_cards());

	put_card(store, CARD);
	put_the_rest(store);
	for (uint32_t i = 0; i < TRIALS / 2; i++) {
		struct store_key key = key_of(CARD);
		struct store_trial trial = trial_make(i + 1, STORE_TRIAL_TIMED);
		ck_assert_int_eq(store_delete_trial(store, &key, trial.schedule), 0);
		ck_assert_int_eq(store_put_trial(store, &moved, &trial), 0);
	}
	close_as_format_1(store);
	store = open_here();
	ck_assert_uint_eq(count_trials(store, class_of_cards()), TRIALS);
	store_close(store);
}
END_TEST

static bool serves_nothing(struct store *store)
{
	struct store_key key = key_of(class_of_cards());
	struct store_kernel got;
	bool stale;

	return store_get_kernel(store, &key, OP, &got, &stale) == -ENOENT &&
	       store_put_job(store, &key, OP, 1) == -ENOSPC;
}

/* The disk is full: the store says so instead of serving a part, and nothing is lost. */
START_TEST(a_move_without_room_waits)
{
	struct store *store = open_here();
	struct rlimit limit;
	struct stat file;
	char name[96];

	put_card(store, CARD);
	put_kernel(store, CARD, 3);
	put_the_rest(store);
	close_as_format_1(store);
	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
	snprintf(name, sizeof name, "%s/data.mdb", folder);
	ck_assert_int_eq(stat(name, &file), 0);
	for (int i = 0; i < 2; i++) { /* no room at all, and room for some */
		limit.rlim_cur = i ? (rlim_t)file.st_size : 8192;
		ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
		store = open_here();
		ck_assert_ptr_nonnull(strstr(store_notice(store), "none is lost"));
		ck_assert(serves_nothing(store));
		store_close(store);
	}
	limit.rlim_cur = RLIM_INFINITY;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	store = open_here();
	check_kernel(store, class_of_cards(), 3);
	ck_assert_uint_eq(count_trials(store, class_of_cards()), TRIALS);
	store_close(store);
}
END_TEST

/* While records move the format is the new one already: an older nnjitd, which would take half of
 * them for the whole, refuses the store. */
START_TEST(a_move_under_way_goes_on_once)
{
	AUTO(buffer_free) struct buffer moving = {0};
	struct store *store = open_here();

	put_card(store, CARD);
	put_the_rest(store);
	record_begin(&moving, RECORD_META);
	record_put_u32(&moving, 1);
	ck_assert_int_eq(
	        store_put(store, STORE_META, (struct store_bytes){"moving", 6}, &moving), 0);
	store_close(store);
	store = open_here();
	ck_assert_uint_eq(count_trials(store, class_of_cards()), TRIALS);
	put_the_rest(store);
	store_close(store);
	store = open_here();
	ck_assert_uint_eq(count_trials(store, CARD), TRIALS); /* nothing moves any more */
	store_close(store);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("rekey");
	TCase *tcase = tcase_create("rekey");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, folder_make, folder_remove);
	tcase_add_test(tcase, records_of_a_known_card_move);
	tcase_add_test(tcase, a_card_told_in_fewer_words_moves);
	tcase_add_test(tcase, of_two_equal_cards_one_record_stays);
	tcase_add_test(tcase, a_move_cut_short_goes_on);
	tcase_add_test(tcase, a_move_without_room_waits);
	tcase_add_test(tcase, a_move_under_way_goes_on_once);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
