/* SPDX-License-Identifier: Apache-2.0
 *
 * Which page a request is of, and what that page may: verdicts by Origin and by the Sec-Fetch
 * fields, the right to start work, the owner's secret, and who may read the answer.
 */
#include "daemon/net/head.h"

#include "daemon/log.h"
#include "daemon/origins/origins.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define PORT       6174
#define HOST       "Host: localhost:6174\r\n"
#define KERNEL     "GET /v1/kernel?op=relu%20shape=8 HTTP/1.1\r\n" HOST
#define PAGE       "GET / HTTP/1.1\r\n" HOST
#define SITE(word) "Sec-Fetch-Site: " word "\r\n"
#define NAVIGATE   "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n"
#define MOZILLA    "User-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n"
#define APPROVED   "Origin: https://approved.example\r\n"
#define DENIED     "Origin: https://denied.example\r\n"
#define UNKNOWN    "Origin: https://unknown.example\r\n"
#define LOCAL      "Origin: http://localhost:3000\r\n"
#define WS                                                                             \
	"GET /v1/ws HTTP/1.1\r\n" HOST "Upgrade: websocket\r\nConnection: Upgrade\r\n" \
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" \
	"Sec-WebSocket-Protocol: nnjit.v1\r\n"

static struct head_rules rules = {.port = PORT};

static void set_up(void)
{
	log_open(LOG_LEVEL_ERROR);
	ck_assert_int_eq(origins_create(NULL, "https://approved.example", &rules.origins, NULL), 0);
	ck_assert_int_eq(origins_decide(rules.origins, "https://denied.example", ORIGIN_DENY), 0);
}

static void tear_down(void)
{
	origins_destroy(rules.origins);
}

static int check(const char *text, struct head *ret_head)
{
	struct problem problem = {0};
	int r = head_parse(text, strlen(text), ret_head, &problem);

	ck_assert_msg(!r, "%s: %s", problem.detail, text);
	return head_check(ret_head, &rules, &problem);
}

static const struct judged_case {
	const char *name, *text;
	int problem; /* 0: served */
	bool starts;
} cases[] = {
        {"a program", KERNEL "\r\n", 0, true},
        {"curl", KERNEL "User-Agent: curl/7.88.1\r\n\r\n", 0, true},
        {"node's fetch", KERNEL "User-Agent: node\r\nSec-Fetch-Mode: cors\r\n\r\n", 0, true},
        {"an approved page", KERNEL APPROVED SITE("cross-site") "\r\n", 0, true},
        {"a page of this machine", KERNEL LOCAL SITE("cross-site") "\r\n", 0, true},
        {"an unknown page", KERNEL UNKNOWN SITE("cross-site") "\r\n", PROBLEM_ORIGIN_PENDING,
                false},
        {"a denied page", KERNEL DENIED SITE("cross-site") "\r\n", PROBLEM_ORIGIN_DENIED, false},
        {"an unknown page that says it is ours", KERNEL UNKNOWN SITE("same-origin") "\r\n",
                PROBLEM_ORIGIN_PENDING, false},
        {"a sandboxed frame", KERNEL "Origin: null\r\n" SITE("cross-site") "\r\n",
                PROBLEM_WRONG_ORIGIN, false},
        {"an insecure page", KERNEL "Origin: http://approved.example\r\n\r\n", PROBLEM_WRONG_ORIGIN,
                false},
        {"our own page", KERNEL SITE("same-origin") MOZILLA "\r\n", 0, true},
        {"a typed address", KERNEL SITE("none") NAVIGATE MOZILLA "\r\n", 0, false},
        {"an old browser", KERNEL MOZILLA "\r\n", 0, false},
        {"an old browser's image", KERNEL "Referer: https://evil.example/\r\n\r\n", 0, false},
        {"an image",
                KERNEL SITE(
                        "cross-site") "Sec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: image\r\n\r\n",
                PROBLEM_WRONG_ORIGIN, false},
        {"an image of a sibling", KERNEL SITE("same-site") "Sec-Fetch-Mode: no-cors\r\n\r\n",
                PROBLEM_WRONG_ORIGIN, false},
        {"a word that is not known", KERNEL SITE("elsewhere") "\r\n", PROBLEM_WRONG_ORIGIN, false},
        {"an empty word", KERNEL SITE("") "\r\n", PROBLEM_WRONG_ORIGIN, false},
        {"a link to a kernel", KERNEL SITE("cross-site") NAVIGATE "\r\n", PROBLEM_WRONG_ORIGIN,
                false},
        {"a link to the page", PAGE SITE("cross-site") NAVIGATE MOZILLA "\r\n", 0, false},
        {"a link to the page with shapes",
                "GET /?shapes=8x8x8 HTTP/1.1\r\n" HOST SITE("cross-site") NAVIGATE "\r\n", 0,
                false},
        {"a link to /admin", "GET /admin HTTP/1.1\r\n" HOST SITE("cross-site") NAVIGATE "\r\n",
                PROBLEM_WRONG_ORIGIN, false},
        {"the address of /admin, typed",
                "GET /admin HTTP/1.1\r\n" HOST SITE("none") NAVIGATE "\r\n", 0, false},
        {"a frame around the page",
                PAGE SITE(
                        "cross-site") "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: iframe\r\n\r\n",
                PROBLEM_WRONG_ORIGIN, false},
        {"the page as no document", PAGE SITE("cross-site") "\r\n", PROBLEM_WRONG_ORIGIN, false},
        {"a form that posts to the page",
                "POST / HTTP/1.1\r\n" HOST SITE("cross-site") NAVIGATE "\r\n", PROBLEM_WRONG_ORIGIN,
                false},
        {"the module for another site", "GET /nnjit.js HTTP/1.1\r\n" HOST SITE("cross-site") "\r\n",
                PROBLEM_WRONG_ORIGIN, false},
        {"the module for an approved page",
                "GET /nnjit.js HTTP/1.1\r\n" HOST APPROVED SITE("cross-site") "\r\n", 0, true},
        {"a program's WebSocket", WS "\r\n", 0, true},
        {"an approved page's WebSocket", WS APPROVED SITE("cross-site") "\r\n", 0, true},
        {"an unknown page's WebSocket", WS UNKNOWN "\r\n", PROBLEM_ORIGIN_PENDING, false},
        {"a browser's WebSocket without an origin", WS SITE("none") "\r\n", PROBLEM_WRONG_ORIGIN,
                false},
        {"an old browser's WebSocket without an origin", WS MOZILLA "\r\n", PROBLEM_WRONG_ORIGIN,
                false},
};

START_TEST(judged)
{
	const struct judged_case *c = &cases[_i];
	struct head head;
	int r = check(c->text, &head);

	ck_assert_msg(r == c->problem, "%s: %d", c->name, r);
	if (r)
		return;
	struct caller caller = head_caller(&head, &rules);
	ck_assert_msg(!!(caller.rights & 1u << CALLER_STARTER) == c->starts, "%s", c->name);
	ck_assert_msg(!(caller.rights & 1u << CALLER_ADMIN), "%s", c->name);
	ck_assert_msg(!(caller.rights & 1u << CALLER_OWNER), "%s", c->name);
}
END_TEST

/* ---- The owner's secret counts on the daemon's own page, and nowhere else. */

static const struct secret_case {
	const char *name, *fields;
	bool wrong, admin;
} secrets[] = {
        {"our page reads", SITE("same-origin"), false, true},
        {"our page posts", SITE("same-origin") "Origin: http://localhost:6174\r\n", false, true},
        {"our page, in a browser without Sec-Fetch", "Origin: http://localhost:6174\r\n", false,
                true},
        {"another name of this machine", "Origin: http://127.0.0.1:6174\r\n", false, false},
        {"another page of this machine", LOCAL SITE("same-site"), false, false},
        {"another page of this machine, without Sec-Fetch", LOCAL, false, false},
        {"an approved page", APPROVED SITE("cross-site"), false, false},
        {"a typed address", SITE("none"), false, false},
        {"a program", "", false, false},
        {"a wrong secret", SITE("same-origin"), true, false},
};

START_TEST(the_secret_counts_on_our_page)
{
	const struct secret_case *c = &secrets[_i];
	char secret[SECRET_TEXT_BYTES], text[1024];
	struct head head;

	ck_assert_int_eq(origins_secret_create(rules.origins, secret), 0);
	if (c->wrong)
		secret[10] ^= 1;
	snprintf(text, sizeof text, "GET /v1/origins HTTP/1.1\r\n" HOST "%sNnjit-Admin: %s\r\n\r\n",
	        c->fields, secret);
	ck_assert_msg(check(text, &head) == 0, "%s", c->name);
	struct caller caller = head_caller(&head, &rules);
	ck_assert_msg(!!(caller.rights & 1u << CALLER_ADMIN) == c->admin, "%s", c->name);
	ck_assert_msg(!(caller.rights & 1u << CALLER_OWNER), "%s", c->name);
}
END_TEST

/* ---- Who may read the answer. */

static const struct reader_case {
	const char *text, *reader;
} readers[] = {
        {KERNEL "\r\n", ""},
        {KERNEL APPROVED "\r\n", "https://approved.example"},
        {KERNEL LOCAL "\r\n", "http://localhost:3000"},
        {KERNEL UNKNOWN "\r\n", "https://unknown.example"},
        {KERNEL DENIED "\r\n", "https://denied.example"},
        {KERNEL "Origin: null\r\n\r\n", ""},
        {KERNEL "Origin: http://app.example\r\n\r\n", ""},
        {"GET / HTTP/1.1\r\nHost: evil.example\r\n" APPROVED "\r\n", ""},
};

START_TEST(read_by_those_it_is_for)
{
	char reader[CALLER_ORIGIN_BYTES];
	struct head head;
	int r = check(readers[_i].text, &head);

	head_reader(&head, r, reader);
	ck_assert_str_eq(reader, readers[_i].reader);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("rules");
	TCase *tcase = tcase_create("rules");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_loop_test(tcase, judged, 0, (int)(sizeof cases / sizeof *cases));
	tcase_add_loop_test(
	        tcase, the_secret_counts_on_our_page, 0, (int)(sizeof secrets / sizeof *secrets));
	tcase_add_loop_test(
	        tcase, read_by_those_it_is_for, 0, (int)(sizeof readers / sizeof *readers));
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
