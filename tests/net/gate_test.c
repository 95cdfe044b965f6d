/* SPDX-License-Identifier: Apache-2.0
 *
 * The network side of a running nnjitd against clients that misbehave, over raw sockets: after
 * each of them health must answer. One daemon serves all tests of a case.
 */
#include "tests/net/client.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SPACE   (1 << 17)
#define MANY    200
#define LIMIT   "16"
#define LIMITED 16
#define LARGE   70000
#define SLOW_S  8

static struct client_daemon daemon_;
static char space[SPACE];

static void start_with(const char *const *more)
{
	int r = client_daemon_start(more, &daemon_);

	ck_assert_msg(!r, "nnjitd did not start: %s", strerror(-r));
}

static void start(void)
{
	start_with(NULL);
}

static void start_limited(void)
{
	static const char *const more[] = {"--connections", LIMIT, NULL};

	start_with(more);
}

static void stop(void)
{
	int status = client_daemon_stop(&daemon_);

	ck_assert_msg(status == 0, "nnjitd ended with status %#x", (unsigned)status);
}

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void check_health(void)
{
	char answer[4096];
	double began = now_ms();
	int status = client_get(daemon_.port, "/v1/health", answer, sizeof answer);

	ck_assert_int_eq(status, 200);
	ck_assert_msg(now_ms() - began < 1000, "health took %.0f ms", now_ms() - began);
}

static int connected(void)
{
	int fd = client_connect(daemon_.port);

	ck_assert_int_ge(fd, 0);
	return fd;
}

/* Sends text in which %P stands for the port. */
static void send_text(int fd, const char *text)
{
	char out[4096], port[8];
	size_t at = 0;

	snprintf(port, sizeof port, "%u", daemon_.port);
	for (; *text && at < sizeof out - 8; text++) {
		if (text[0] != '%' || text[1] != 'P') {
			out[at++] = *text;
			continue;
		}
		memcpy(out + at, port, strlen(port));
		at += strlen(port);
		text++;
	}
	ck_assert(client_send(fd, out, at));
}

#define HOST  "Host: 127.0.0.1:%P\r\n"
#define GET   "GET /v1/health HTTP/1.1\r\n" HOST
#define CLOSE "Connection: close\r\n\r\n"

/* ---- One request, one answer. */

static const struct exchange {
	const char *name, *request;
	int status;
	const char *said; /* in the answer */
} exchanges[] = {
        {"health", GET "\r\n", 200, "application/json"},
        {"wrong Host", "GET /v1/health HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421,
                "\"wrong-host\""},
        {"two Hosts", GET HOST "\r\n", 400, "given twice"},
        {"no Host", "GET /v1/health HTTP/1.1\r\n\r\n", 400, "\"bad-request\""},
        {"wrong Origin", GET "Origin: https://evil.example\r\n\r\n", 403, "https://evil.example"},
        {"null Origin", GET "Origin: null\r\n\r\n", 403, "\"wrong-origin\""},
        {"loopback Origin", GET "Origin: http://localhost:8080\r\n\r\n", 200,
                "Access-Control-Allow-Origin: http://localhost:8080"},
        {"length and chunks", GET "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400,
                "\"bad-request\""},
        {"space before colon", "GET /v1/health HTTP/1.1\r\nHost : 127.0.0.1:%P\r\n\r\n", 400,
                "\"bad-request\""},
        {"bare LF", "GET /v1/health HTTP/1.1\nHost: 127.0.0.1:%P\n\n", 400, "\"bad-request\""},
        {"unknown Upgrade", GET "Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n", 400, "'h2c'"},
        {"unknown Upgrade at the WebSocket",
                "GET /v1/ws HTTP/1.1\r\n" HOST "Connection: Upgrade\r\nUpgrade: x\r\n\r\n", 400,
                "'x'"},
        {"WebSocket without Upgrade", "GET /v1/ws HTTP/1.1\r\n" HOST "\r\n", 426,
                "\"upgrade-required\""},
        {"WebSocket without subprotocol",
                "GET /v1/ws HTTP/1.1\r\n" HOST "Connection: Upgrade\r\nUpgrade: websocket\r\n"
                "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                400, "nnjit.v1"},
        {"TLS", "\x16\x03\x01\x02\x01\x01\x01\n", 400, "\"bad-request\""},
        {"a body", "POST /v1/kernel HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\n{}", 400,
                "no method of this service takes a body"},
        {"another verb", "DELETE /v1/health HTTP/1.1\r\n" HOST "\r\n", 405,
                "Allow: GET, HEAD, OPTIONS"},
        {"nowhere", "GET /v1/nowhere HTTP/1.1\r\n" HOST "\r\n", 404, "\"not-found\""},
        {"above the pages", "GET /../../etc/passwd HTTP/1.1\r\n" HOST "\r\n", 404, "\"not-found\""},
        {"above the pages, encoded", "GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\n" HOST "\r\n", 404,
                "\"not-found\""},
        {"a hidden page", "GET /.git/config HTTP/1.1\r\n" HOST "\r\n", 404, "\"not-found\""},
        {"preflight",
                "OPTIONS /v1/kernel HTTP/1.1\r\n" HOST "Origin: http://localhost\r\n"
                "Access-Control-Request-Method: GET\r\n\r\n",
                204, "Access-Control-Allow-Methods: GET"},
        {"a parameter twice", "GET /v1/kernel?op=a&op=b HTTP/1.1\r\n" HOST "\r\n", 400,
                "\"duplicate-field\""},
        {"an unknown parameter", "GET /v1/kernel?colour=red HTTP/1.1\r\n" HOST "\r\n", 400,
                "\"unknown-field\""},
        {"a missing parameter", "GET /v1/kernel HTTP/1.1\r\n" HOST "\r\n", 400,
                "\"missing-field\""},
        {"a parameter that is not UTF-8", "GET /v1/kernels?op=%ff HTTP/1.1\r\n" HOST "\r\n", 400,
                "\"bad-value\""},
        {"a parameter with NUL", "GET /v1/kernels?op=a%00b HTTP/1.1\r\n" HOST "\r\n", 400,
                "\"bad-value\""},
};

START_TEST(answered)
{
	const struct exchange *e = &exchanges[_i];
	int fd = connected();

	send_text(fd, e->request);
	int status = client_read_response(fd, space, sizeof space);
	ck_assert_msg(status == e->status, "%s: expected %d, got %d: %s", e->name, e->status,
	        status, space);
	ck_assert_msg(strstr(space, e->said), "%s: no '%s' in: %s", e->name, e->said, space);
	if (status >= 400)
		ck_assert_msg(strstr(space, "application/problem+json"), "%s: %s", e->name, space);
	close(fd);
	check_health();
}
END_TEST

/* The gate sees only a connection's first request: the rules must hold for the second too. */
static const struct exchange seconds[] = {
        {"wrong Host", "GET /v1/health HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421,
                "\"wrong-host\""},
        {"two Hosts", GET "Host: evil.example\r\n\r\n", 400, "given twice"},
        {"wrong Origin", GET "Origin: https://evil.example\r\n\r\n", 403, "https://evil.example"},
        {"unknown Upgrade", GET "Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n", 400, "'h2c'"},
        {"a WebSocket",
                "GET /v1/ws HTTP/1.1\r\n" HOST "Connection: Upgrade\r\nUpgrade: websocket\r\n"
                "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                "Sec-WebSocket-Protocol: nnjit.v1\r\n\r\n",
                426, "connection of its own"},
        {"health again", GET "\r\n", 200, "application/json"},
};

START_TEST(answered_second)
{
	const struct exchange *e = &seconds[_i];
	int fd = connected();

	send_text(fd, GET "\r\n");
	ck_assert_int_eq(client_read_response(fd, space, sizeof space), 200);
	send_text(fd, e->request);
	int status = client_read_response(fd, space, sizeof space);
	ck_assert_msg(status == e->status && strstr(space, e->said), "%s: %d: %s", e->name, status,
	        space);
	close(fd);
	check_health();
}
END_TEST

START_TEST(pipelined)
{
	int fd = connected();

	send_text(fd, GET "\r\n" GET "\r\n" GET CLOSE);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(client_read_response(fd, space, sizeof space), 200);
	ck_assert(client_closed_within(fd, 2000));
	close(fd);
}
END_TEST

START_TEST(unchanged)
{
	char etag[64] = "", request[256];
	int fd = connected();

	send_text(fd, "GET /v1/devices HTTP/1.1\r\n" HOST "\r\n");
	ck_assert_int_eq(client_read_response(fd, space, sizeof space), 200);
	const char *field = strstr(space, "ETag: ");
	ck_assert_ptr_nonnull(field);
	ck_assert_int_eq(sscanf(field, "ETag: %63s", etag), 1);
	strcpy(request, "GET /v1/devices HTTP/1.1\r\n" HOST "If-None-Match: ");
	strcat(strcat(request, etag), "\r\n\r\n");
	send_text(fd, request);
	int status = client_read_response(fd, space, sizeof space);
	/* The devices may become known between the two. */
	ck_assert_msg(status == 304 || !strstr(space, etag), "%d: %s", status, space);
	close(fd);
}
END_TEST

START_TEST(head_only)
{
	int fd = connected();

	send_text(fd, "HEAD /v1/health HTTP/1.1\r\n" HOST CLOSE);
	size_t length = client_read_all(fd, space, sizeof space);
	ck_assert_ptr_nonnull(strstr(space, "200 OK"));
	ck_assert(length >= 4 && !memcmp(space + length - 4, "\r\n\r\n", 4));
	close(fd);
}
END_TEST

START_TEST(both_families)
{
	int fd = client_connect_v6(daemon_.port);

	if (fd < 0)
		return; /* no IPv6 here: the daemon said so in its log */
	send_text(fd, "GET /v1/health HTTP/1.1\r\nHost: [::1]:%P\r\n\r\n");
	ck_assert_int_eq(client_read_response(fd, space, sizeof space), 200);
	close(fd);
}
END_TEST

/* ---- Slow, half and many. */

START_TEST(in_pieces)
{
	static const char *const pieces[] = {
	        "G", "ET /v1/health HT", "TP/1.1\r", "\n", HOST, "\r", "\n"};
	int fd = connected();

	for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
		send_text(fd, pieces[i]);
		usleep(20000);
	}
	ck_assert_int_eq(client_read_response(fd, space, sizeof space), 200);
	close(fd);
}
END_TEST

/* A head that never ends holds a connection for some seconds and costs no time meanwhile. */
START_TEST(never_ends)
{
	int slow[MANY];

	for (int i = 0; i < MANY; i++) {
		slow[i] = connected();
		send_text(slow[i], "GET /v1/health HTTP/1.1\r\nX-Slow: ");
	}
	check_health();
	uint64_t cpu = client_daemon_cpu_ms(&daemon_);
	for (int i = 0; i < 20; i++) {
		usleep(100000);
		send_text(slow[0], "a");
		check_health();
	}
	cpu = client_daemon_cpu_ms(&daemon_) - cpu;
	ck_assert_msg(cpu < 1000, "waiting for slow clients took %u ms of 2 s", (unsigned)cpu);
	for (int i = 0; i < MANY; i++) {
		ck_assert_msg(client_closed_within(slow[i], SLOW_S * 1000), "still open");
		close(slow[i]);
	}
	check_health();
}
END_TEST

START_TEST(half_closed)
{
	int fd = connected();

	send_text(fd, GET "X-Half: ");
	usleep(50000);
	shutdown(fd, SHUT_WR);
	ck_assert_int_eq(client_read_response(fd, space, sizeof space), 400);
	close(fd);
	fd = connected();
	send_text(fd, GET "\r\n");
	shutdown(fd, SHUT_WR);
	ck_assert_int_eq(client_read_response(fd, space, sizeof space), 200);
	close(fd);
	check_health();
}
END_TEST

START_TEST(too_long)
{
	int fd = connected();

	memset(space, 'a', sizeof space);
	send_text(fd, GET "X-Long: ");
	client_send(fd, space, 100000);
	ck_assert_int_eq(client_read_response(fd, space, sizeof space), 400);
	ck_assert_ptr_nonnull(strstr(space, "16384"));
	close(fd);
	check_health();
}
END_TEST

START_TEST(many_at_once)
{
	int fds[MANY];

	for (int i = 0; i < MANY; i++)
		fds[i] = connected();
	for (int i = 0; i < MANY; i++)
		send_text(fds[i], GET "\r\n");
	for (int i = 0; i < MANY; i++) {
		ck_assert_int_eq(client_read_response(fds[i], space, sizeof space), 200);
		close(fds[i]);
	}
	check_health();
}
END_TEST

START_TEST(gone_at_once)
{
	struct linger reset = {.l_onoff = 1};

	for (int i = 0; i < MANY; i++) {
		int fd = connected();
		if (i % 2)
			send_text(fd, GET "\r\n");
		if (i % 3)
			setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
		close(fd);
	}
	check_health();
}
END_TEST

START_TEST(over_the_limit)
{
	int fds[LIMITED];

	for (int i = 0; i < LIMITED; i++) {
		fds[i] = connected();
		send_text(fds[i], GET "\r\n");
		ck_assert_int_eq(client_read_response(fds[i], space, sizeof space), 200);
	}
	int extra = connected();
	send_text(extra, GET "\r\n");
	ck_assert_int_eq(client_read_response(extra, space, sizeof space), 429);
	ck_assert_ptr_nonnull(strstr(space, "\"too-many\""));
	close(extra);
	for (int i = 0; i < LIMITED; i++)
		close(fds[i]);
	usleep(200000);
	check_health();
}
END_TEST

/* ---- WebSocket. */

static int ws_connected(void)
{
	int fd = client_ws_open(daemon_.port);

	ck_assert_msg(fd >= 0, "no WebSocket");
	return fd;
}

static const char *ws_answer(int fd)
{
	size_t length;

	ck_assert_int_eq(client_ws_read(fd, space, sizeof space, &length), CLIENT_WS_TEXT);
	return space;
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
        {"not JSON", "{\"id\":1,", "\"bad-json\""},
        {"empty", "", "\"bad-json\""},
        {"an array", "[1,2]", "\"bad-message\""},
        {"a name twice", "{\"id\":1,\"id\":2,\"method\":\"status\"}", "\"duplicate-field\""},
        {"no method", "{\"id\":1}", "\"bad-message\""},
        {"unknown method", "{\"id\":1,\"method\":\"fly\"}", "\"unknown-method\""},
        {"unknown parameter", "{\"id\":1,\"method\":\"get\",\"params\":{\"colour\":1}}",
                "\"unknown-field\""},
        {"unknown operator", "{\"id\":1,\"method\":\"get\",\"params\":{\"op\":\"fly m=1\"}}",
                "\"unknown-operator\""},
        {"not UTF-8", "{\"id\":1,\"method\":\"\xff\"}", "\"bad-json\""},
};

START_TEST(ws_messages)
{
	const struct message_case *m = &messages[_i];
	int fd = ws_connected();

	ck_assert(client_ws_text(fd, m->text));
	const char *answer = ws_answer(fd);
	ck_assert_msg(strstr(answer, m->said), "%s: %s", m->name, answer);
	check_usable(fd);
	close(fd);
	check_health();
}
END_TEST

START_TEST(ws_too_large)
{
	char *large = malloc(LARGE);
	int fd = ws_connected();

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
	check_health();
}
END_TEST

START_TEST(ws_frames)
{
	static const char *const parts[] = {"{\"id\":5,", "\"method\":", "\"status\"}"};
	int fd = ws_connected();
	size_t length;

	for (int i = 0; i < 3; i++) {
		ck_assert(client_ws_send(fd, i ? CLIENT_WS_MORE : CLIENT_WS_TEXT, i == 2, parts[i],
		        strlen(parts[i])));
		if (i == 1)
			ck_assert(client_ws_send(fd, CLIENT_WS_PING, true, "hello", 5));
	}
	for (int i = 0; i < 2; i++) {
		int opcode = client_ws_read(fd, space, sizeof space, &length);
		ck_assert(opcode == CLIENT_WS_PONG || opcode == CLIENT_WS_TEXT);
		ck_assert_ptr_nonnull(
		        strstr(space, opcode == CLIENT_WS_PONG ? "hello" : "\"id\":5"));
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
		int fd = ws_connected();
		client_send(fd, broken[i], 6);
		ck_assert_msg(client_closed_within(fd, SLOW_S * 1000), "frame %zu", i);
		close(fd);
	}
	check_health();
}
END_TEST

START_TEST(ws_in_bytes)
{
	static const char text[] = "{\"id\":9,\"method\":\"status\"}";
	unsigned char frame[64] = {0x81, 0x80 | (sizeof text - 1)}; /* the mask is zero */
	int fd = ws_connected();

	memcpy(frame + 6, text, sizeof text - 1);
	for (size_t i = 0; i < 6 + sizeof text - 1; i++) {
		ck_assert(client_send(fd, frame + i, 1));
		usleep(1000);
	}
	ck_assert_ptr_nonnull(strstr(ws_answer(fd), "\"id\":9"));
	close(fd);
}
END_TEST

/* Asks and asks and never reads: the daemon must not keep the answers without bound. */
START_TEST(ws_never_reads)
{
	static const char ask[] = "{\"id\":1,\"method\":\"status\"}";
	struct timeval soon = {.tv_sec = 2};
	int fd = ws_connected(), sent = 0;

	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof soon);
	while (sent < 200000 && client_ws_send(fd, CLIENT_WS_TEXT, true, ask, sizeof ask - 1))
		sent++;
	ck_assert_msg(sent < 200000, "all were taken");
	check_health();
	ck_assert_msg(
	        client_daemon_rss_mb(&daemon_) < 200, "%.0f MB", client_daemon_rss_mb(&daemon_));
	close(fd);
	check_health();
}
END_TEST

START_TEST(ws_many)
{
	int fds[MANY];

	for (int i = 0; i < MANY; i++)
		fds[i] = ws_connected();
	for (int i = 0; i < MANY; i++)
		ck_assert(client_ws_text(fds[i], "{\"id\":77,\"method\":\"status\"}"));
	for (int i = 0; i < MANY; i++)
		ck_assert_ptr_nonnull(strstr(ws_answer(fds[i]), "\"result\""));
	for (int i = 0; i < MANY; i++)
		close(fds[i]);
	check_health();
}
END_TEST

static TCase *case_with(const char *name, void (*before)(void))
{
	TCase *tcase = tcase_create(name);

	tcase_add_unchecked_fixture(tcase, before, stop);
	tcase_set_timeout(tcase, 60);
	return tcase;
}

static Suite *gate_suite(void)
{
	Suite *suite = suite_create("gate");
	TCase *http = case_with("http", start), *ws = case_with("ws", start);
	TCase *limited = case_with("limited", start_limited);

	tcase_add_loop_test(http, answered, 0, (int)(sizeof exchanges / sizeof *exchanges));
	tcase_add_loop_test(http, answered_second, 0, (int)(sizeof seconds / sizeof *seconds));
	tcase_add_test(http, pipelined);
	tcase_add_test(http, unchanged);
	tcase_add_test(http, head_only);
	tcase_add_test(http, both_families);
	tcase_add_test(http, in_pieces);
	tcase_add_test(http, never_ends);
	tcase_add_test(http, half_closed);
	tcase_add_test(http, too_long);
	tcase_add_test(http, many_at_once);
	tcase_add_test(http, gone_at_once);
	tcase_add_test(limited, over_the_limit);
	tcase_add_loop_test(ws, ws_messages, 0, (int)(sizeof messages / sizeof *messages));
	tcase_add_test(ws, ws_too_large);
	tcase_add_test(ws, ws_frames);
	tcase_add_test(ws, ws_broken_frames);
	tcase_add_test(ws, ws_in_bytes);
	tcase_add_test(ws, ws_never_reads);
	tcase_add_test(ws, ws_many);
	suite_add_tcase(suite, http);
	suite_add_tcase(suite, limited);
	suite_add_tcase(suite, ws);
	return suite;
}

int main(void)
{
	if (client_daemon_start(NULL, &daemon_) == -ENOENT) {
		puts("SKIP: ./nnjitd is not built; run from the build folder");
		return 77;
	}
	client_daemon_stop(&daemon_);
	SRunner *runner = srunner_create(gate_suite());
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
