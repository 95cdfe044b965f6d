/* SPDX-License-Identifier: Apache-2.0
 *
 * The WebSocket face of a running nnjitd against clients that misbehave: what is wrong with a
 * message costs that message, and the connection and the daemon go on.
 */
#include "tests/net/running.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define LARGE 70000

static const char *ws_answer(int fd)
{
	size_t length;

	ck_assert_int_eq(
	        client_ws_read(fd, running_space, sizeof running_space, &length), CLIENT_WS_TEXT);
	return running_space;
}

/* The same of one that may take as long as looking for devices does. */
static const char *ws_answer_late(int fd)
{
	const struct timeval patience = {.tv_sec = 50};

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	return ws_answer(fd);
}

static void check_usable(int fd)
{
	ck_assert(client_ws_text(fd, "{\"id\":77,\"method\":\"status\"}"));
	const char *answer = ws_answer(fd);
	ck_assert_msg(strstr(answer, "\"id\":77") && strstr(answer, "\"result\""), "%s", answer);
}

static const struct message_case {
	const char *name, *text, *said;
} messages[] = {
        {"status", "{\"id\":1,\"method\":\"status\"}", "\"result\""},
        {"counters", "{\"id\":1,\"method\":\"status\"}", "\"ws_open\":1,\"ws_messages\":"},
        {"not JSON", "{\"id\":1,", "\"bad-json\""},
        {"empty", "", "\"bad-json\""},
        {"an array", "[1,2]", "\"bad-message\""},
        {"a name twice", "{\"id\":1,\"id\":2,\"method\":\"status\"}", "\"duplicate-field\""},
        {"no method", "{\"id\":1}", "\"bad-message\""},
        {"unknown method", "{\"id\":1,\"method\":\"fly\"}", "\"unknown-method\""},
        {"unknown parameter", "{\"id\":1,\"method\":\"kernel\",\"params\":{\"colour\":1}}",
                "\"unknown-field\""},
        {"unknown operator", "{\"id\":1,\"method\":\"kernel\",\"params\":{\"op\":\"fly m=1\"}}",
                "\"unknown-operator\""},
        {"not UTF-8", "{\"id\":1,\"method\":\"\xff\"}", "\"bad-json\""},
};

START_TEST(ws_messages)
{
	const struct message_case *m = &messages[_i];
	int fd = running_ws();

	ck_assert(client_ws_text(fd, m->text));
	const char *answer = ws_answer(fd);
	ck_assert_msg(strstr(answer, m->said), "%s: %s", m->name, answer);
	check_usable(fd);
	close(fd);
	running_health();
}
END_TEST

/* In the first seconds nobody knows which devices there are: what is about them waits, and what
 * comes behind it on the connection. Health never does. */
START_TEST(ws_first_seconds)
{
	int fd;

	running_start();
	fd = running_ws();
	ck_assert(client_ws_text(fd, "{\"id\":1,\"method\":\"hello\"}"));
	ck_assert(client_ws_text(fd, "{\"id\":2,\"method\":\"status\"}"));
	running_health();
	const char *answer = ws_answer_late(fd);
	ck_assert_msg(strstr(answer, "\"id\":1"), "%s", answer);
	ck_assert_msg(!strstr(answer, "looked for"), "%s", answer);
	answer = ws_answer(fd);
	ck_assert_msg(
	        strstr(answer, "\"id\":2") && strstr(answer, "\"enumerated\":true"), "%s", answer);
	close(fd);
	running_stop();
}
END_TEST

START_TEST(ws_too_large)
{
	char *large = malloc(LARGE);
	int fd = running_ws();

	ck_assert_ptr_nonnull(large);
	memset(large, 'x', LARGE);
	ck_assert(client_ws_send(fd, CLIENT_WS_TEXT, true, large, LARGE));
	ck_assert_ptr_nonnull(strstr(ws_answer(fd), "\"frame-too-large\""));
	check_usable(fd);
	for (int i = 0; i < 20; i++)
		ck_assert(client_ws_send(
		        fd, i ? CLIENT_WS_MORE : CLIENT_WS_TEXT, i == 19, large, LARGE / 10));
	ck_assert_ptr_nonnull(strstr(ws_answer(fd), "\"frame-too-large\""));
	check_usable(fd);
	free(large);
	close(fd);
	running_health();
}
END_TEST

START_TEST(ws_frames)
{
	static const char *const parts[] = {"{\"id\":5,", "\"method\":", "\"status\"}"};
	int fd = running_ws();
	size_t length;

	for (int i = 0; i < 3; i++) {
		ck_assert(client_ws_send(fd, i ? CLIENT_WS_MORE : CLIENT_WS_TEXT, i == 2, parts[i],
		        strlen(parts[i])));
		if (i == 1)
			ck_assert(client_ws_send(fd, CLIENT_WS_PING, true, "hello", 5));
	}
	for (int i = 0; i < 2; i++) {
		int opcode = client_ws_read(fd, running_space, sizeof running_space, &length);
		ck_assert(opcode == CLIENT_WS_PONG || opcode == CLIENT_WS_TEXT);
		ck_assert_ptr_nonnull(
		        strstr(running_space, opcode == CLIENT_WS_PONG ? "hello" : "\"id\":5"));
	}
	ck_assert(client_ws_send(fd, CLIENT_WS_BINARY, true, "\1\2\3", 3));
	ck_assert_ptr_nonnull(strstr(ws_answer(fd), "\"bad-message\""));
	check_usable(fd);
	close(fd);
}
END_TEST

/* RFC 6455, 5.2: a reserved bit or opcode ends the connection. */
START_TEST(ws_broken_frames)
{
	static const char *const broken[] = {"\xf1\x80zzzz", "\x8f\x80zzzz"};

	for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
		int fd = running_ws();
		client_send(fd, broken[i], 6);
		ck_assert_msg(client_closed_within(fd, RUNNING_SLOW_S * 1000), "frame %zu", i);
		close(fd);
	}
	running_health();
}
END_TEST

START_TEST(ws_in_bytes)
{
	static const char text[] = "{\"id\":9,\"method\":\"status\"}";
	unsigned char frame[64] = {0x81, 0x80 | (sizeof text - 1)}; /* the mask is zero */
	int fd = running_ws();

	memcpy(frame + 6, text, sizeof text - 1);
	for (size_t i = 0; i < 6 + sizeof text - 1; i++) {
		ck_assert(client_send(fd, frame + i, 1));
		usleep(1000);
	}
	ck_assert_ptr_nonnull(strstr(ws_answer(fd), "\"id\":9"));
	close(fd);
}
END_TEST

/* Asks and asks and never reads: the daemon must not keep the answers without bound. The kernel's
 * buffers alone may take 40 MB of questions (tcp_rmem and tcp_wmem), hence so many. */
#define ASKED_MAX 2000000
START_TEST(ws_never_reads)
{
	static const char ask[] = "{\"id\":1,\"method\":\"status\"}";
	struct timeval soon = {.tv_sec = 2};
	int fd = running_ws(), sent = 0;

	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof soon);
	while (sent < ASKED_MAX && client_ws_send(fd, CLIENT_WS_TEXT, true, ask, sizeof ask - 1))
		sent++;
	ck_assert_msg(sent < ASKED_MAX, "all were taken");
	running_health();
	ck_assert_msg(
	        client_daemon_rss_mb(&running) < 200, "%.0f MB", client_daemon_rss_mb(&running));
	close(fd);
	running_health();
}
END_TEST

START_TEST(ws_many)
{
	int fds[RUNNING_MANY];

	for (int i = 0; i < RUNNING_MANY; i++)
		fds[i] = running_ws();
	for (int i = 0; i < RUNNING_MANY; i++)
		ck_assert(client_ws_text(fds[i], "{\"id\":77,\"method\":\"status\"}"));
	for (int i = 0; i < RUNNING_MANY; i++)
		ck_assert_ptr_nonnull(strstr(ws_answer(fds[i]), "\"result\""));
	for (int i = 0; i < RUNNING_MANY; i++)
		close(fds[i]);
	running_health();
}
END_TEST

int main(void)
{
	running_or_skip();
	Suite *suite = suite_create("ws");
	TCase *tcase = tcase_create("ws");
	tcase_add_unchecked_fixture(tcase, running_start, running_stop);
	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, ws_messages, 0, (int)(sizeof messages / sizeof *messages));
	tcase_add_test(tcase, ws_too_large);
	tcase_add_test(tcase, ws_frames);
	tcase_add_test(tcase, ws_broken_frames);
	tcase_add_test(tcase, ws_in_bytes);
	tcase_add_test(tcase, ws_never_reads);
	tcase_add_test(tcase, ws_many);
	suite_add_tcase(suite, tcase);
	TCase *first = tcase_create("first seconds");
	tcase_set_timeout(first, 120);
	tcase_add_test(first, ws_first_seconds);
	suite_add_tcase(suite, first);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
