/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of pending origins under floods: whoever asked before still shows, so does who asks
 * after, and it stays small.
 */
#include "daemon/origins/pending.h"

#include <check.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#define FLOOD 10000

static struct pending *pending;

static void set_up(void)
{
	ck_assert_int_eq(pending_create(&pending), 0);
}

static void tear_down(void)
{
	pending_destroy(pending);
}

static bool ask(const char *text, uint64_t now_s)
{
	struct origin origin;

	ck_assert_msg(origin_read(text, strlen(text), &origin) == ORIGIN_SECURE, "%s", text);
	return pending_ask(pending, &origin, now_s);
}

struct wanted {
	const char *text;
	bool found;
	struct pending_row row;
};

static void look(void *context, const struct pending_row *row)
{
	struct wanted *wanted = context;

	if (strcmp(row->text, wanted->text))
		return;
	wanted->found = true;
	wanted->row = *row;
}

static struct wanted find(const char *text, uint64_t now_s)
{
	struct wanted wanted = {.text = text};

	pending_each(pending, now_s, look, &wanted);
	return wanted;
}

START_TEST(one_entry_however_often_it_asks)
{
	ck_assert(ask("https://app.example", 100));
	for (uint64_t i = 1; i < 50; i++)
		ck_assert(!ask("https://app.example", 100 + i));
	ck_assert_uint_eq(pending_count(pending), 1);
	struct wanted wanted = find("https://app.example", 200);
	ck_assert_uint_eq(wanted.row.requests, 50);
	ck_assert_uint_eq(wanted.row.asked_s, 100);
	ck_assert_uint_eq(wanted.row.heard_s, 149);
	pending_forget(pending, "https://app.example");
	pending_forget(pending, "https://app.example");
	ck_assert_uint_eq(pending_count(pending), 0);
}
END_TEST

START_TEST(forgotten_after_a_day)
{
	ask("https://one.example", 1000);
	ask("https://two.example", 1000);
	ask("https://two.example", 2000);
	ck_assert(find("https://one.example", 1000 + PENDING_S - 1).found);
	ck_assert(!find("https://one.example", 1000 + PENDING_S).found);
	ck_assert(find("https://two.example", 1000 + PENDING_S).found);
	ask("https://three.example", 2000 + PENDING_S);
	ck_assert_uint_eq(pending_count(pending), 1);
}
END_TEST

/* What a flood of 10,000 origins may look like. */
static const struct flood {
	const char *name, *form; /* with the number in it */
} floods[] = {
        {"names below one site", "https://n%d.evil.example"},
        {"names far below one site", "https://a.b.n%d.evil.co.uk"},
        {"ports of one host", "https://evil.example:%d"},
        {"sites of their own", "https://evil%d.example"},
        {"sites of their own, under a suffix that many share", "https://evil%d.github.io"},
        {"long names", "https://evil%d.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa."
                       "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb."
                       "cccccccccccccccccccccccccccccccccccccccccccc.evil%d.example"},
};

START_TEST(a_flood_hides_nobody)
{
	const struct flood *flood = &floods[_i];
	struct mallinfo2 before = mallinfo2();
	char text[ORIGIN_BYTES];

	ask("https://before.example", 1);
	for (int i = 1; i <= FLOOD; i++) {
		snprintf(text, sizeof text, flood->form, 1000 + i, i);
		ask(text, 2);
	}
	ask("https://after.example", 3);
	ck_assert_msg(find("https://before.example", 4).found, "%s: the one before", flood->name);
	ck_assert_msg(find("https://after.example", 4).found, "%s: the one after", flood->name);
	struct mallinfo2 after = mallinfo2();
	size_t grown = after.uordblks + after.hblkhd - before.uordblks - before.hblkhd;
	ck_assert_msg(grown < 1000000, "%s: %zu bytes", flood->name, grown);
}
END_TEST

/* Of one site the latest few show. */
START_TEST(a_site_has_its_bound)
{
	char text[ORIGIN_BYTES];

	ask("https://other.example", 1);
	for (int i = 0; i < 100; i++) {
		snprintf(text, sizeof text, "https://n%d.site.co.uk", i);
		ask(text, (uint64_t)i + 1);
	}
	ck_assert_uint_eq(pending_count(pending), PENDING_OF_SITE + 1);
	ck_assert(find("https://n99.site.co.uk", 200).found);
	ck_assert(!find("https://n0.site.co.uk", 200).found);
	ask("https://other.co.uk", 200); /* co.uk is nobody's site */
	ck_assert_uint_eq(pending_count(pending), PENDING_OF_SITE + 2);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pending");
	TCase *tcase = tcase_create("pending");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, one_entry_however_often_it_asks);
	tcase_add_test(tcase, forgotten_after_a_day);
	tcase_add_loop_test(tcase, a_flood_hides_nobody, 0, (int)(sizeof floods / sizeof *floods));
	tcase_add_test(tcase, a_site_has_its_bound);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
