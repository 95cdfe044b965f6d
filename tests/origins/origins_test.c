/* SPDX-License-Identifier: Apache-2.0
 *
 * Origins: how they are read, what is due to each, what the owner's decisions change, what outlives
 * the daemon, and the secret of /admin.
 */
#include "daemon/origins/origins.h"

#include "daemon/log.h"
#include "daemon/store/store.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define APP "https://app.example"

/* ---- Reading. */

static const struct reading {
	const char *text;
	enum origin_kind kind;
	const char *site; /* NULL: not looked at */
} readings[] = {
        {"http://localhost", ORIGIN_LOCAL, NULL},
        {"http://localhost:3000", ORIGIN_LOCAL, NULL},
        {"HTTP://LocalHost:3000", ORIGIN_LOCAL, NULL},
        {"https://127.0.0.1:8443", ORIGIN_LOCAL, NULL},
        {"http://127.255.255.254", ORIGIN_LOCAL, NULL},
        {"http://[::1]", ORIGIN_LOCAL, NULL},
        {"http://[::ffff:7f00:1]", ORIGIN_LOCAL, NULL},
        {"http://a.b.localhost", ORIGIN_LOCAL, NULL},
        {"https://app.example", ORIGIN_SECURE, "app.example"},
        {"https://a.b.app.example:8443", ORIGIN_SECURE, "app.example"},
        {"https://shop.co.uk", ORIGIN_SECURE, "shop.co.uk"},
        {"https://www.shop.co.uk", ORIGIN_SECURE, "shop.co.uk"},
        {"https://user.github.io", ORIGIN_SECURE, "user.github.io"},
        {"https://co.uk", ORIGIN_SECURE, "co.uk"},
        {"https://intranet", ORIGIN_SECURE, "intranet"},
        {"https://xn--bcher-kva.example", ORIGIN_SECURE, "xn--bcher-kva.example"},
        {"https://192.168.1.5:8443", ORIGIN_SECURE, "192.168.1.5"},
        {"https://[2001:db8::1]:8443", ORIGIN_SECURE, "2001:db8::1"},
        {"https://localhost.evil.example", ORIGIN_SECURE, "evil.example"},
        {"https://127.0.0.1.evil.example", ORIGIN_SECURE, "evil.example"},
        {"", ORIGIN_UNFIT, NULL},
        {"null", ORIGIN_UNFIT, NULL},
        {"https://", ORIGIN_UNFIT, NULL},
        {"https://:1", ORIGIN_UNFIT, NULL},
        {"http://app.example", ORIGIN_UNFIT, NULL},
        {"https://app.example/", ORIGIN_UNFIT, NULL},
        {"https://app.example?x", ORIGIN_UNFIT, NULL},
        {"https://app.example:443", ORIGIN_UNFIT, NULL},
        {"https://app.example:0443", ORIGIN_UNFIT, NULL},
        {"https://app.example:65536", ORIGIN_UNFIT, NULL},
        {"https://App.example", ORIGIN_UNFIT, NULL},
        {"HTTPS://app.example", ORIGIN_UNFIT, NULL},
        {"https://app.example.", ORIGIN_UNFIT, NULL},
        {"https://app..example", ORIGIN_UNFIT, NULL},
        {"https://.example", ORIGIN_UNFIT, NULL},
        {"https://a@app.example", ORIGIN_UNFIT, NULL},
        {"https://app.example https://b.example", ORIGIN_UNFIT, NULL},
        {"https://app%2eexample", ORIGIN_UNFIT, NULL},
        {"https://b\xc3\xbc"
         "cher.example",
                ORIGIN_UNFIT, NULL},
        {"https://127.1", ORIGIN_UNFIT, NULL},
        {"https://0x7f000001", ORIGIN_UNFIT, NULL},
        {"https://2130706433", ORIGIN_UNFIT, NULL},
        {"https://[::1%25lo]", ORIGIN_UNFIT, NULL},
        {"https://[evil.example]", ORIGIN_UNFIT, NULL},
        {"http://evil/x.localhost", ORIGIN_UNFIT, NULL},
        {"ftp://localhost", ORIGIN_UNFIT, NULL},
        {"chrome-extension://abcdefghijklmnop", ORIGIN_UNFIT, NULL},
        {"file://", ORIGIN_UNFIT, NULL},
};

START_TEST(read_as_browsers_write_them)
{
	const struct reading *r = &readings[_i];
	struct origin origin;
	uint16_t at, bytes;
	enum origin_kind kind = origin_read(r->text, strlen(r->text), &origin);

	ck_assert_msg(kind == r->kind, "%s is of kind %d", r->text, kind);
	if (!r->site)
		return;
	origin_site(&origin, &at, &bytes);
	ck_assert_msg(bytes == strlen(r->site) && !memcmp(origin.text + at, r->site, bytes),
	        "%s has the site %.*s", r->text, bytes, origin.text + at);
}
END_TEST

START_TEST(a_long_origin_is_unfit)
{
	char text[ORIGIN_BYTES + 1] = "https://";
	struct origin origin;

	memset(text + 8, 'a', ORIGIN_BYTES - 8);
	ck_assert_int_eq(origin_read(text, ORIGIN_BYTES - 1, &origin), ORIGIN_SECURE);
	ck_assert_int_eq(origin_read(text, ORIGIN_BYTES, &origin), ORIGIN_UNFIT);
	ck_assert_int_eq(origin_read("https://a\0.example", 18, &origin), ORIGIN_UNFIT);
}
END_TEST

/* ---- Decisions. */

static char dir[] = "/tmp/nnjit-origins-test-XXXXXX";
static struct store *store;
static struct origins *origins;
static char lost[ORIGIN_BYTES];
static uint32_t losses;

static void hear(void *context, const char *origin)
{
	(void)context;
	snprintf(lost, sizeof lost, "%s", origin);
	losses++;
}

static void start(void)
{
	struct error err = {0};

	ck_assert_msg(!store_open(dir, &store, &err), "%s", err.text);
	ck_assert_int_eq(origins_create(store, "https://fleet.example https://two.fleet.example",
	                         &origins, &err),
	        0);
	origins_listen(origins, hear, NULL);
	losses = 0;
}

static void stop(void)
{
	origins_destroy(origins);
	store_close(store);
}

static void set_up(void)
{
	log_open(LOG_LEVEL_ERROR);
	memcpy(dir + sizeof dir - 7, "XXXXXX", 6);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	start();
}

static void tear_down(void)
{
	static const char *const files[] = {"data.mdb", "lock.mdb", "lock"};
	char path[64];

	stop();
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		snprintf(path, sizeof path, "%s/%s", dir, files[i]);
		unlink(path);
	}
	rmdir(dir);
}

static enum origin_verdict judge(const char *text)
{
	return origins_judge(origins, text, strlen(text));
}

static void count(void *context, const struct origin_row *row)
{
	uint32_t *counts = context;

	counts[row->status]++;
}

START_TEST(unknown_approved_revoked_denied)
{
	uint32_t counts[3] = {0};

	ck_assert_int_eq(judge("null"), ORIGIN_NEVER);
	ck_assert_int_eq(judge("http://localhost:3000"), ORIGIN_SERVED);
	ck_assert_int_eq(judge("https://fleet.example"), ORIGIN_SERVED);
	ck_assert_int_eq(judge("https://two.fleet.example"), ORIGIN_SERVED);
	ck_assert_int_eq(judge("https://not.fleet.example"), ORIGIN_PENDING);
	ck_assert_int_eq(judge(APP), ORIGIN_PENDING);
	ck_assert_int_eq(origins_decide(origins, APP, ORIGIN_APPROVE), 0);
	ck_assert_int_eq(judge(APP), ORIGIN_SERVED);
	ck_assert_int_eq(judge(APP ":8443"), ORIGIN_PENDING);
	ck_assert_uint_eq(losses, 0);
	ck_assert_int_eq(origins_decide(origins, APP, ORIGIN_REVOKE), 0);
	ck_assert_uint_eq(losses, 1);
	ck_assert_str_eq(lost, APP);
	ck_assert_int_eq(judge(APP), ORIGIN_PENDING);
	ck_assert_int_eq(origins_decide(origins, APP, ORIGIN_DENY), 0);
	ck_assert_int_eq(judge(APP), ORIGIN_DENIED);
	ck_assert_uint_eq(losses, 1);
	origins_each(origins, count, counts);
	ck_assert_uint_eq(counts[ORIGIN_IS_PENDING], 2);
	ck_assert_uint_eq(counts[ORIGIN_IS_APPROVED], 2);
	ck_assert_uint_eq(counts[ORIGIN_IS_DENIED], 1);
}
END_TEST

START_TEST(a_denial_goes_before_all_else)
{
	ck_assert_int_eq(origins_decide(origins, "https://fleet.example", ORIGIN_DENY), 0);
	ck_assert_int_eq(judge("https://fleet.example"), ORIGIN_DENIED);
	ck_assert_str_eq(lost, "https://fleet.example");
	ck_assert_int_eq(origins_decide(origins, "http://localhost:3000", ORIGIN_DENY), 0);
	ck_assert_int_eq(judge("http://localhost:3000"), ORIGIN_DENIED);
	ck_assert_int_eq(judge("HTTP://LOCALHOST:3000"), ORIGIN_DENIED);
	ck_assert_int_eq(judge("http://localhost:3001"), ORIGIN_SERVED);
	ck_assert_int_eq(origins_decide(origins, "https://fleet.example", ORIGIN_REVOKE), 0);
	ck_assert_int_eq(judge("https://fleet.example"), ORIGIN_SERVED);
	ck_assert_int_eq(origins_decide(origins, "https://fleet.example", ORIGIN_REVOKE), -EPERM);
	ck_assert_int_eq(origins_decide(origins, APP, ORIGIN_REVOKE), -ENOENT);
	ck_assert_int_eq(origins_decide(origins, "null", ORIGIN_APPROVE), -EINVAL);
	ck_assert_int_eq(origins_decide(origins, "http://app.example", ORIGIN_APPROVE), -EINVAL);
}
END_TEST

START_TEST(for_good_outlives_the_daemon_once_does_not)
{
	ck_assert_int_eq(origins_decide(origins, "https://good.example", ORIGIN_APPROVE), 0);
	ck_assert_int_eq(origins_decide(origins, "https://bad.example", ORIGIN_DENY), 0);
	ck_assert_int_eq(origins_decide(origins, "https://once.example", ORIGIN_APPROVE_ONCE), 0);
	ck_assert_int_eq(origins_decide(origins, "https://less.example", ORIGIN_APPROVE), 0);
	ck_assert_int_eq(origins_decide(origins, "https://less.example", ORIGIN_APPROVE_ONCE), 0);
	ck_assert_int_eq(origins_decide(origins, "http://localhost:3000", ORIGIN_DENY), 0);
	ck_assert_int_eq(origins_decide(origins, "http://localhost:3000", ORIGIN_APPROVE_ONCE), 0);
	ck_assert_int_eq(judge("https://once.example"), ORIGIN_SERVED);
	ck_assert_int_eq(judge("https://less.example"), ORIGIN_SERVED);
	ck_assert_int_eq(judge("http://localhost:3000"), ORIGIN_SERVED);
	stop();
	start();
	ck_assert_int_eq(judge("https://good.example"), ORIGIN_SERVED);
	ck_assert_int_eq(judge("https://bad.example"), ORIGIN_DENIED);
	ck_assert_int_eq(judge("https://once.example"), ORIGIN_PENDING);
	ck_assert_int_eq(judge("https://less.example"), ORIGIN_PENDING);
	ck_assert_int_eq(judge("http://localhost:3000"), ORIGIN_DENIED);
	ck_assert_int_eq(origins_decide(origins, "https://good.example", ORIGIN_REVOKE), 0);
	stop();
	start();
	ck_assert_int_eq(judge("https://good.example"), ORIGIN_PENDING);
}
END_TEST

START_TEST(decisions_are_bounded)
{
	char text[64];
	int r = 0;

	for (int i = 0; !r && i < 5000; i++) {
		snprintf(text, sizeof text, "https://n%d.example", i);
		r = origins_decide(origins, text, ORIGIN_APPROVE_ONCE);
	}
	ck_assert_int_eq(r, -ENOSPC);
	ck_assert_int_eq(judge("https://n7.example"), ORIGIN_SERVED);
	ck_assert_int_eq(origins_decide(origins, "https://n7.example", ORIGIN_REVOKE), 0);
	ck_assert_int_eq(origins_decide(origins, text, ORIGIN_APPROVE_ONCE), 0);
}
END_TEST

START_TEST(configured_origins_are_checked)
{
	static const char *const wrong[] = {"http://app.example", "app.example",
	        "https://app.example/", "https://good.example *"};
	struct origins *none = NULL;

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct error err = {0};
		ck_assert_int_eq(origins_create(NULL, wrong[i], &none, &err), -EINVAL);
		ck_assert_str_eq(err.field, "origin");
	}
	ck_assert_ptr_null(none);
}
END_TEST

/* ---- The secret. */

START_TEST(a_secret_works_until_its_time)
{
	struct secrets secrets = {0};
	char first[SECRET_TEXT_BYTES], second[SECRET_TEXT_BYTES];
	const size_t length = SECRET_TEXT_BYTES - 1;

	memset(first, 0, sizeof first);
	ck_assert(!secrets_check(&secrets, 0, first, length));
	ck_assert_int_eq(secrets_create(&secrets, 1000, first), 0);
	ck_assert_int_eq(secrets_create(&secrets, 1500, second), 0);
	ck_assert_str_ne(first, second);
	ck_assert(secrets_check(&secrets, 1000 + SECRET_S - 1, first, length));
	ck_assert(!secrets_check(&secrets, 1000 + SECRET_S, first, length));
	ck_assert(secrets_check(&secrets, 1000 + SECRET_S, second, length));
	ck_assert(!secrets_check(&secrets, 1501, second, length - 1));
	second[length - 1] ^= 1;
	ck_assert(!secrets_check(&secrets, 1501, second, length));
	for (int i = 0; i < SECRETS_MAX; i++)
		ck_assert_int_eq(secrets_create(&secrets, 1502, second), 0);
	ck_assert(!secrets_check(&secrets, 1503, first, length));
	ck_assert(secrets_check(&secrets, 1503, second, length));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("origins");
	TCase *reading = tcase_create("reading"), *deciding = tcase_create("deciding");

	tcase_add_loop_test(
	        reading, read_as_browsers_write_them, 0, (int)(sizeof readings / sizeof *readings));
	tcase_add_test(reading, a_long_origin_is_unfit);
	tcase_add_test(reading, configured_origins_are_checked);
	tcase_add_test(reading, a_secret_works_until_its_time);
	tcase_add_checked_fixture(deciding, set_up, tear_down);
	tcase_add_test(deciding, unknown_approved_revoked_denied);
	tcase_add_test(deciding, a_denial_goes_before_all_else);
	tcase_add_test(deciding, for_good_outlives_the_daemon_once_does_not);
	tcase_add_test(deciding, decisions_are_bounded);
	suite_add_tcase(suite, reading);
	suite_add_tcase(suite, deciding);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
