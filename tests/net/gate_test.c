/* SPDX-License-Identifier: Apache-2.0
 *
 * The network side of a running nnjitd against clients that misbehave, over raw sockets: after
 * each of them health must answer. One daemon serves all tests of a case.
 */
#include "tests/net/running.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LIMIT   "16"
#define LIMITED 16

static void start_limited(void)
{
	static const char *const more[] = {"--connections", LIMIT, NULL};

	running_start_with(more);
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
        {"unknown Origin", GET "Origin: https://evil.example\r\n\r\n", 403, "\"origin-pending\""},
        {"unknown Origin, told", GET "Origin: https://evil.example\r\n\r\n", 403,
                "Access-Control-Allow-Origin: https://evil.example\r\n"},
        {"preflight of an unknown Origin",
                "OPTIONS /v1/kernel HTTP/1.1\r\n" HOST "Origin: https://evil.example\r\n"
                "Access-Control-Request-Method: GET\r\n\r\n",
                403, "\"origin-pending\""},
        {"insecure Origin", GET "Origin: http://app.example\r\n\r\n", 403, "\"wrong-origin\""},
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
        {"a POST where one reads", "POST /v1/health HTTP/1.1\r\n" HOST "\r\n", 405,
                "Allow: GET, HEAD, OPTIONS"},
        {"a GET that would do something", "GET /v1/prefetch HTTP/1.1\r\n" HOST "\r\n", 405,
                "Allow: POST, OPTIONS"},
        {"a POST without what it needs", "POST /v1/prefetch HTTP/1.1\r\n" HOST "\r\n", 400,
                "\"missing-field\""},
        {"a POST with an empty body",
                "POST /v1/prefetch?model=none HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", 404,
                "\"unknown-model\""},
        {"preflight of a POST",
                "OPTIONS /v1/prefetch HTTP/1.1\r\n" HOST "Origin: http://localhost\r\n"
                "Access-Control-Request-Method: POST\r\n\r\n",
                204, "Access-Control-Allow-Methods: POST"},
        {"nowhere", "GET /v1/nowhere HTTP/1.1\r\n" HOST "\r\n", 404, "\"not-found\""},
        {"above the pages", "GET /../../etc/passwd HTTP/1.1\r\n" HOST "\r\n", 404, "\"not-found\""},
        {"above the pages, encoded", "GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\n" HOST "\r\n", 404,
                "\"not-found\""},
        {"above the pages, from a folder of theirs",
                "GET /connect/../../../etc/passwd HTTP/1.1\r\n" HOST "\r\n", 404, "\"not-found\""},
        {"out of a folder of the pages", "GET /connect/../nnjit.js HTTP/1.1\r\n" HOST "\r\n", 404,
                "\"not-found\""},
        {"a folder of the pages", "GET /connect HTTP/1.1\r\n" HOST "\r\n", 404, "\"not-found\""},
        {"a hidden page in a folder", "GET /connect/.git HTTP/1.1\r\n" HOST "\r\n", 404,
                "\"not-found\""},
        {"a hidden page", "GET /.git/config HTTP/1.1\r\n" HOST "\r\n", 404, "\"not-found\""},
        {"preflight into a private network",
                "OPTIONS /v1/kernel HTTP/1.1\r\n" HOST "Origin: http://localhost\r\n"
                "Access-Control-Request-Private-Network: true\r\n\r\n",
                204, "Access-Control-Allow-Private-Network: true"},
        {"no frame", GET "\r\n", 200, "frame-ancestors 'none'"},
        {"no frame around a page", "GET / HTTP/1.1\r\n" HOST "\r\n", 200, "frame-ancestors 'none'"},
        {"not for other sites", GET "\r\n", 200, "Cross-Origin-Resource-Policy: same-origin"},
        {"not for other sites, refused", "GET /v1/nowhere HTTP/1.1\r\n" HOST "\r\n", 404,
                "Cross-Origin-Resource-Policy: same-origin"},
        {"a list for the owner", "GET /v1/origins HTTP/1.1\r\n" HOST "\r\n", 403, "\"not-owner\""},
        {"a decision of the owner's",
                "POST /v1/origins/approve?origin=https://evil.example HTTP/1.1\r\n" HOST "\r\n",
                403, "\"not-owner\""},
        {"a guessed secret",
                "GET /v1/origins HTTP/1.1\r\n" HOST "Sec-Fetch-Site: same-origin\r\nNnjit-Admin: "
                "0000000000000000000000000000000000000000000000000000000000000000\r\n\r\n",
                403, "\"not-owner\""},
        {"a secret over the port", "POST /v1/admin HTTP/1.1\r\n" HOST "\r\n", 403, "\"not-owner\""},
        {"a browser that names no page",
                "POST /v1/prefetch?ops=relu%20shape=8 HTTP/1.1\r\n" HOST
                "User-Agent: Mozilla/5.0\r\n\r\n",
                403, "\"wrong-origin\""},
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
	int fd = running_connect();

	running_send(fd, e->request);
	int status = client_read_response(fd, running_space, sizeof running_space);
	ck_assert_msg(status == e->status, "%s: expected %d, got %d: %s", e->name, e->status,
	        status, running_space);
	ck_assert_msg(strstr(running_space, e->said), "%s: no '%s' in: %s", e->name, e->said,
	        running_space);
	if (status >= 400)
		ck_assert_msg(strstr(running_space, "application/problem+json"), "%s: %s", e->name,
		        running_space);
	close(fd);
	running_health();
}
END_TEST

/* The gate sees only a connection's first request: the rules must hold for the second too. */
static const struct exchange seconds[] = {
        {"wrong Host", "GET /v1/health HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421,
                "\"wrong-host\""},
        {"two Hosts", GET "Host: evil.example\r\n\r\n", 400, "given twice"},
        {"unknown Origin", GET "Origin: https://evil.example\r\n\r\n", 403, "\"origin-pending\""},
        {"unknown Origin, told", GET "Origin: https://evil.example\r\n\r\n", 403,
                "Access-Control-Allow-Origin: https://evil.example\r\n"},
        {"preflight of an unknown Origin",
                "OPTIONS /v1/kernel HTTP/1.1\r\n" HOST "Origin: https://evil.example\r\n"
                "Access-Control-Request-Method: GET\r\n\r\n",
                403, "\"origin-pending\""},
        {"insecure Origin", GET "Origin: http://app.example\r\n\r\n", 403, "\"wrong-origin\""},
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
	int fd = running_connect();

	running_send(fd, GET "\r\n");
	ck_assert_int_eq(client_read_response(fd, running_space, sizeof running_space), 200);
	running_send(fd, e->request);
	int status = client_read_response(fd, running_space, sizeof running_space);
	ck_assert_msg(status == e->status && strstr(running_space, e->said), "%s: %d: %s", e->name,
	        status, running_space);
	close(fd);
	running_health();
}
END_TEST

START_TEST(pipelined)
{
	int fd = running_connect();

	running_send(fd, GET "\r\n" GET "\r\n" GET CLOSE);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(
		        client_read_response(fd, running_space, sizeof running_space), 200);
	ck_assert(client_closed_within(fd, 2000));
	close(fd);
}
END_TEST

START_TEST(unchanged)
{
	char etag[64] = "", request[256];
	int fd = running_connect();

	running_send(fd, "GET /v1/devices HTTP/1.1\r\n" HOST "\r\n");
	ck_assert_int_eq(client_read_response(fd, running_space, sizeof running_space), 200);
	const char *field = strstr(running_space, "ETag: ");
	ck_assert_ptr_nonnull(field);
	ck_assert_int_eq(sscanf(field, "ETag: %63s", etag), 1);
	strcpy(request, "GET /v1/devices HTTP/1.1\r\n" HOST "If-None-Match: ");
	strcat(strcat(request, etag), "\r\n\r\n");
	running_send(fd, request);
	int status = client_read_response(fd, running_space, sizeof running_space);
	/* The devices may become known between the two. */
	ck_assert_msg(
	        status == 304 || !strstr(running_space, etag), "%d: %s", status, running_space);
	close(fd);
}
END_TEST

START_TEST(head_only)
{
	int fd = running_connect();

	running_send(fd, "HEAD /v1/health HTTP/1.1\r\n" HOST CLOSE);
	size_t length = client_read_all(fd, running_space, sizeof running_space);
	ck_assert_ptr_nonnull(strstr(running_space, "200 OK"));
	ck_assert(length >= 4 && !memcmp(running_space + length - 4, "\r\n\r\n", 4));
	close(fd);
}
END_TEST

START_TEST(both_families)
{
	int fd = client_connect_v6(running.port);

	if (fd < 0)
		return; /* no IPv6 here: the daemon said so in its log */
	running_send(fd, "GET /v1/health HTTP/1.1\r\nHost: [::1]:%P\r\n\r\n");
	ck_assert_int_eq(client_read_response(fd, running_space, sizeof running_space), 200);
	close(fd);
}
END_TEST

/* ---- Slow, half and many. */

START_TEST(in_pieces)
{
	static const char *const pieces[] = {
	        "G", "ET /v1/health HT", "TP/1.1\r", "\n", HOST, "\r", "\n"};
	int fd = running_connect();

	for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
		running_send(fd, pieces[i]);
		usleep(20000);
	}
	ck_assert_int_eq(client_read_response(fd, running_space, sizeof running_space), 200);
	close(fd);
}
END_TEST

/* A head that never ends holds a connection for some seconds and costs no time meanwhile. */
START_TEST(never_ends)
{
	int slow[RUNNING_MANY];

	for (int i = 0; i < RUNNING_MANY; i++) {
		slow[i] = running_connect();
		running_send(slow[i], "GET /v1/health HTTP/1.1\r\nX-Slow: ");
	}
	running_health();
	uint64_t cpu = client_daemon_cpu_ms(&running);
	for (int i = 0; i < 20; i++) {
		usleep(100000);
		running_send(slow[0], "a");
		running_health();
	}
	cpu = client_daemon_cpu_ms(&running) - cpu;
	ck_assert_msg(cpu < 1000, "waiting for slow clients took %u ms of 2 s", (unsigned)cpu);
	for (int i = 0; i < RUNNING_MANY; i++) {
		ck_assert_msg(client_closed_within(slow[i], RUNNING_SLOW_S * 1000), "still open");
		close(slow[i]);
	}
	running_health();
}
END_TEST

START_TEST(half_closed)
{
	int fd = running_connect();

	running_send(fd, GET "X-Half: ");
	usleep(50000);
	shutdown(fd, SHUT_WR);
	ck_assert_int_eq(client_read_response(fd, running_space, sizeof running_space), 400);
	close(fd);
	fd = running_connect();
	running_send(fd, GET "\r\n");
	shutdown(fd, SHUT_WR);
	ck_assert_int_eq(client_read_response(fd, running_space, sizeof running_space), 200);
	close(fd);
	running_health();
}
END_TEST

START_TEST(too_long)
{
	int fd = running_connect();

	memset(running_space, 'a', sizeof running_space);
	running_send(fd, GET "X-Long: ");
	client_send(fd, running_space, 100000);
	ck_assert_int_eq(client_read_response(fd, running_space, sizeof running_space), 400);
	ck_assert_ptr_nonnull(strstr(running_space, "16384"));
	close(fd);
	running_health();
}
END_TEST

START_TEST(many_at_once)
{
	int fds[RUNNING_MANY];

	for (int i = 0; i < RUNNING_MANY; i++)
		fds[i] = running_connect();
	for (int i = 0; i < RUNNING_MANY; i++)
		running_send(fds[i], GET "\r\n");
	for (int i = 0; i < RUNNING_MANY; i++) {
		ck_assert_int_eq(
		        client_read_response(fds[i], running_space, sizeof running_space), 200);
		close(fds[i]);
	}
	running_health();
}
END_TEST

START_TEST(gone_at_once)
{
	struct linger reset = {.l_onoff = 1};

	for (int i = 0; i < RUNNING_MANY; i++) {
		int fd = running_connect();
		if (i % 2)
			running_send(fd, GET "\r\n");
		if (i % 3)
			setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
		close(fd);
	}
	running_health();
}
END_TEST

START_TEST(over_the_limit)
{
	int fds[LIMITED];

	for (int i = 0; i < LIMITED; i++) {
		fds[i] = running_connect();
		running_send(fds[i], GET "\r\n");
		ck_assert_int_eq(
		        client_read_response(fds[i], running_space, sizeof running_space), 200);
	}
	int extra = running_connect();
	running_send(extra, GET "\r\n");
	ck_assert_int_eq(client_read_response(extra, running_space, sizeof running_space), 429);
	ck_assert_ptr_nonnull(strstr(running_space, "\"too-many\""));
	close(extra);
	for (int i = 0; i < LIMITED; i++)
		close(fds[i]);
	usleep(200000);
	running_health();
}
END_TEST

/* SIGTERM while clients of every kind are connected, one of them waiting for a tuning. */
START_TEST(ends_while_in_use)
{
	int fds[4];

	running_start();
	fds[0] = running_connect();
	fds[1] = running_connect();
	running_send(fds[1], "GET /v1/he");
	fds[2] = running_connect();
	running_send(fds[2], GET "\r\n");
	ck_assert_int_eq(client_read_response(fds[2], running_space, sizeof running_space), 200);
	fds[3] = running_ws();
	client_ws_text(fds[3],
	        "{\"id\":1,\"method\":\"watch\",\"params\":{\"op\":\"matmul m=64 n=64 k=64\"}}");
	ck_assert_int_gt(recv(fds[3], running_space, 1, 0), 0);
	running_stop();
	for (int i = 0; i < 4; i++) {
		ck_assert(client_closed_within(fds[i], 2000));
		close(fds[i]);
	}
}
END_TEST

static TCase *case_with(const char *name, void (*before)(void))
{
	TCase *tcase = tcase_create(name);

	tcase_add_unchecked_fixture(tcase, before, running_stop);
	tcase_set_timeout(tcase, 60);
	return tcase;
}

static Suite *gate_suite(void)
{
	Suite *suite = suite_create("gate");
	TCase *http = case_with("http", running_start);
	TCase *limited = case_with("limited", start_limited), *ends = tcase_create("ends");

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
	tcase_add_test(ends, ends_while_in_use);
	tcase_set_timeout(ends, 60);
	suite_add_tcase(suite, http);
	suite_add_tcase(suite, ends);
	suite_add_tcase(suite, limited);
	return suite;
}

int main(void)
{
	running_or_skip();
	SRunner *runner = srunner_create(gate_suite());
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
