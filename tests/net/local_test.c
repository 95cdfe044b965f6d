/* SPDX-License-Identifier: Apache-2.0
 *
 * The owner's unix socket: who is let in, what it answers, its mode, and that a revoked origin's
 * WebSocket ends at once.
 */
#include "daemon/net/local.h"
#include "tests/net/running.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- Who is let in. */

static const struct admitted_case {
	const char *name;
	struct local_peer peer;
	uid_t own;
	gid_t group;
	bool admitted;
} peers[] = {
        {"root", {0, NULL, 0}, 1000, (gid_t)-1, true},
        {"the daemon's user", {1000, NULL, 0}, 1000, (gid_t)-1, true},
        {"another user", {1001, (gid_t[]){1001, 27}, 2}, 1000, (gid_t)-1, false},
        {"of the group", {1001, (gid_t[]){1001, 27, 64}, 3}, 1000, 64, true},
        {"of another group", {1001, (gid_t[]){1001, 27}, 2}, 1000, 64, false},
        {"no group, and an id that means none", {1001, (gid_t[]){(gid_t)-1}, 1}, 1000, (gid_t)-1,
                false},
        {"the group's number as a user", {64, (gid_t[]){1001}, 1}, 1000, 64, false},
};

START_TEST(let_in)
{
	const struct admitted_case *c = &peers[_i];

	ck_assert_msg(local_admits(&c->peer, c->own, c->group) == c->admitted, "%s", c->name);
}
END_TEST

/* ---- A running daemon. */

static void socket_path(struct sockaddr_un *ret_address)
{
	*ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(
	        ret_address->sun_path, sizeof ret_address->sun_path, "%s/nnjitd.sock", running.dir);
}

/* The whole answer to one request over the socket, in running_space. */
static void say(const char *request)
{
	struct sockaddr_un address;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	socket_path(&address);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
	ck_assert(client_send(fd, request, strlen(request)));
	client_read_all(fd, running_space, sizeof running_space);
	close(fd);
}

#define LINE(verb, target) verb " " target " HTTP/1.1\r\nHost: localhost\r\n\r\n"

static const struct said_case {
	const char *name, *request, *said;
} said[] = {
        {"health", LINE("GET", "/v1/health"), "200 "},
        {"the list", LINE("GET", "/v1/origins"), "\"origins\":["},
        {"approve", LINE("POST", "/v1/origins/approve?origin=https%3A%2F%2Fa.example"),
                "\"served\":true"},
        {"approve once", LINE("POST", "/v1/origins/approve?origin=https://b.example&once=1"),
                "\"served\":true"},
        {"deny", LINE("POST", "/v1/origins/deny?origin=https://c.example"), "\"served\":false"},
        {"revoke what was not decided", LINE("POST", "/v1/origins/revoke?origin=https://d.example"),
                "\"unknown-origin\""},
        {"approve what is no origin", LINE("POST", "/v1/origins/approve?origin=a.example"),
                "\"bad-value\""},
        {"approve nothing", LINE("POST", "/v1/origins/approve"), "\"missing-field\""},
        {"twice",
                LINE("POST",
                        "/v1/origins/approve?origin=https://a.example&origin=https://b.example"),
                "\"duplicate-field\""},
        {"a bad %", LINE("POST", "/v1/origins/approve?origin=%zz"), "\"bad-value\""},
        {"half a %", LINE("POST", "/v1/origins/approve?origin=a%4"), "\"bad-value\""},
        {"NUL", LINE("POST", "/v1/origins/approve?origin=a%00"), "\"bad-value\""},
        {"no UTF-8", LINE("POST", "/v1/origins/approve?origin=%ff"), "\"bad-value\""},
        {"another parameter", LINE("GET", "/v1/origins?colour=red"), "\"unknown-field\""},
        {"a GET that would decide", LINE("GET", "/v1/origins/approve?origin=https://a.example"),
                "405 "},
        {"the secret", LINE("POST", "/v1/admin"), "\"secret\":\""},
        {"what belongs on a WebSocket", LINE("GET", "/v1/ws"), "404 "},
        {"no method", LINE("GET", "/"), "404 "},
        {"bare LF", "GET /v1/health HTTP/1.1\nHost: localhost\n\n", "\"bad-request\""},
        {"a body", "POST /v1/admin HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}",
                "\"bad-request\""},
};

START_TEST(answered)
{
	say(said[_i].request);
	ck_assert_msg(strstr(running_space, said[_i].said), "%s: no %s in: %s", said[_i].name,
	        said[_i].said, running_space);
	ck_assert_ptr_nonnull(strstr(running_space, "Cache-Control: no-store"));
	running_health();
}
END_TEST

START_TEST(for_owner_and_group_alone)
{
	struct sockaddr_un address;
	struct stat st;

	socket_path(&address);
	ck_assert_int_eq(stat(address.sun_path, &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0660);
}
END_TEST

/* ---- A page's life: pending, approved, served, revoked. */

#define PAGE "Origin: https://life.example\r\n"

static int open_page(void)
{
	int fd = running_connect();

	running_send(fd, "GET /v1/ws HTTP/1.1\r\nHost: 127.0.0.1:%P\r\nUpgrade: websocket\r\n"
	                 "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
	                 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	                 "Sec-WebSocket-Protocol: nnjit.v1\r\n"
	                 "Origin: https://life.example\t\r\n\r\n"); /* a tab is no part of it */
	return fd;
}

static void expect_health(int status, const char *word)
{
	int fd = running_connect();

	running_send(fd, "GET /v1/health HTTP/1.1\r\nHost: 127.0.0.1:%P\r\n" PAGE "\r\n");
	ck_assert_int_eq(client_read_response(fd, running_space, sizeof running_space), status);
	ck_assert_msg(strstr(running_space, word), "no %s in %s", word, running_space);
	close(fd);
}

START_TEST(pending_approved_served_revoked)
{
	int refused = open_page();

	ck_assert_int_eq(client_read_response(refused, running_space, sizeof running_space), 403);
	ck_assert_ptr_nonnull(strstr(running_space, "\"origin-pending\""));
	close(refused);
	expect_health(403, "\"origin-pending\"");
	say(LINE("GET", "/v1/origins"));
	ck_assert_ptr_nonnull(strstr(running_space, "https://life.example"));
	say(LINE("POST", "/v1/origins/approve?origin=https://life.example"));
	expect_health(200, "Access-Control-Allow-Origin: https://life.example\r\n");
	int fd = open_page();
	ck_assert_int_eq(client_read_response(fd, running_space, sizeof running_space), 101);
	int other = running_ws();
	say(LINE("POST", "/v1/origins/revoke?origin=https://life.example"));
	ck_assert(client_closed_within(fd, 1000));
	expect_health(403, "\"origin-pending\"");
	ck_assert(client_ws_text(other, "{\"id\":1,\"method\":\"status\"}"));
	size_t length;
	ck_assert_int_eq(client_ws_read(other, running_space, sizeof running_space, &length),
	        CLIENT_WS_TEXT);
	close(other);
	close(fd);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("local");
	TCase *alone = tcase_create("alone"), *tcase = tcase_create("running");

	running_or_skip();
	tcase_add_loop_test(alone, let_in, 0, (int)(sizeof peers / sizeof *peers));
	tcase_add_unchecked_fixture(tcase, running_start, running_stop);
	tcase_add_loop_test(tcase, answered, 0, (int)(sizeof said / sizeof *said));
	tcase_add_test(tcase, for_owner_and_group_alone);
	tcase_add_test(tcase, pending_approved_served_revoked);
	tcase_set_timeout(tcase, 60);
	suite_add_tcase(suite, alone);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
