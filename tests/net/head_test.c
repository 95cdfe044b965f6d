/* SPDX-License-Identifier: Apache-2.0
 *
 * Request heads, well-formed and hostile, each with the verdict it must get: from the parser, from
 * the rules, and where it is routed.
 */
#include "daemon/net/head.h"

#include "daemon/net/answer.h"
#include "daemon/origins/origins.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define PORT 6174
#define HOST "Host: localhost:6174\r\n"
#define GET  "GET /v1/health HTTP/1.1\r\n"
#define WS                                                                                       \
	"Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n" \
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define WS_PROTOCOL "Sec-WebSocket-Protocol: nnjit.v1\r\n"
#define GET_WS      "GET /v1/ws HTTP/1.1\r\n" HOST
#define TEXT(text)  text, sizeof text - 1

enum { HTTP = -1, WEBSOCKET = -2 }; /* expected routes; otherwise HEAD_PARTIAL or a problem */

static const struct head_case {
	const char *name, *bytes;
	size_t length;
	int expected;
} cases[] = {
        {"plain", TEXT(GET HOST "\r\n"), HTTP},
        {"127.0.0.1", TEXT(GET "Host: 127.0.0.1:6174\r\n\r\n"), HTTP},
        {"::1", TEXT(GET "Host: [::1]:6174\r\n\r\n"), HTTP},
        {"any case", TEXT(GET "hOsT: LocalHost:6174\r\n\r\n"), HTTP},
        {"spaces around a value", TEXT(GET "Host: \t localhost:6174 \t\r\n\r\n"), HTTP},
        {"HTTP/1.0", TEXT("GET / HTTP/1.0\r\n" HOST "\r\n"), HTTP},
        {"high bytes in an unread field", TEXT(GET HOST "X-Name: \xc3\xa9\r\n\r\n"), HTTP},
        {"a body of none", TEXT(GET HOST "Content-Length: 0\r\n\r\n"), HTTP},
        {"bytes after the head", TEXT(GET HOST "\r\nGET / HTTP/1.1\r\n"), HTTP},
        {"empty", TEXT(""), HEAD_PARTIAL},
        {"half a line", TEXT("GET /v1/he"), HEAD_PARTIAL},
        {"no empty line", TEXT(GET HOST), HEAD_PARTIAL},
        {"empty line without LF", TEXT(GET HOST "\r"), HEAD_PARTIAL},

        {"no Host", TEXT(GET "\r\n"), PROBLEM_BAD_REQUEST},
        {"two Hosts", TEXT(GET HOST HOST "\r\n"), PROBLEM_BAD_REQUEST},
        {"two Hosts, one odd", TEXT(GET HOST "HOST: evil.example\r\n\r\n"), PROBLEM_BAD_REQUEST},
        {"empty Host", TEXT(GET "Host:\r\n\r\n"), PROBLEM_WRONG_HOST},
        {"other Host", TEXT(GET "Host: evil.example:6174\r\n\r\n"), PROBLEM_WRONG_HOST},
        {"Host without port", TEXT(GET "Host: localhost\r\n\r\n"), PROBLEM_WRONG_HOST},
        {"other port", TEXT(GET "Host: localhost:80\r\n\r\n"), PROBLEM_WRONG_HOST},
        {"port with a zero", TEXT(GET "Host: localhost:06174\r\n\r\n"), PROBLEM_WRONG_HOST},
        {"port that wraps", TEXT(GET "Host: localhost:71710\r\n\r\n"), PROBLEM_WRONG_HOST},
        {"long port", TEXT(GET "Host: localhost:4294973470\r\n\r\n"), PROBLEM_WRONG_HOST},
        {"user in Host", TEXT(GET "Host: a@localhost:6174\r\n\r\n"), PROBLEM_WRONG_HOST},
        {"suffix of localhost", TEXT(GET "Host: xlocalhost:6174\r\n\r\n"), PROBLEM_WRONG_HOST},
        {"under localhost", TEXT(GET "Host: a.localhost:6174\r\n\r\n"), PROBLEM_WRONG_HOST},
        {"localhost as prefix", TEXT(GET "Host: localhost.evil:6174\r\n\r\n"), PROBLEM_WRONG_HOST},
        {"bare ::1", TEXT(GET "Host: ::1:6174\r\n\r\n"), PROBLEM_WRONG_HOST},
        {"high byte in Host", TEXT(GET "Host: localhost\xff:6174\r\n\r\n"), PROBLEM_BAD_REQUEST},

        {"loopback origin", TEXT(GET HOST "Origin: http://localhost:3000\r\n\r\n"), HTTP},
        {"loopback origin, https", TEXT(GET HOST "Origin: https://127.0.0.1\r\n\r\n"), HTTP},
        {"loopback origin, ::1", TEXT(GET HOST "Origin: http://[::1]:8080\r\n\r\n"), HTTP},
        {"any of 127.0.0.0/8", TEXT(GET HOST "Origin: http://127.255.0.2:3000\r\n\r\n"), HTTP},
        {"mapped loopback", TEXT(GET HOST "Origin: http://[::ffff:127.0.0.1]\r\n\r\n"), HTTP},
        {"mapped, as browsers write it", TEXT(GET HOST "Origin: http://[::ffff:7f00:1]:80\r\n\r\n"),
                HTTP},
        {"long form of ::1", TEXT(GET HOST "Origin: https://[0:0:0:0:0:0:0:1]:8443\r\n\r\n"), HTTP},
        {"mapped, elsewhere", TEXT(GET HOST "Origin: http://[::ffff:128.0.0.1]\r\n\r\n"),
                PROBLEM_WRONG_ORIGIN},
        {"127 alone", TEXT(GET HOST "Origin: http://127.1\r\n\r\n"), PROBLEM_WRONG_ORIGIN},
        {"127 as a prefix", TEXT(GET HOST "Origin: http://127.0.0.1.evil.example\r\n\r\n"),
                PROBLEM_WRONG_ORIGIN},
        {"127 elsewhere", TEXT(GET HOST "Origin: http://10.0.0.127\r\n\r\n"), PROBLEM_WRONG_ORIGIN},
        {"zone in brackets", TEXT(GET HOST "Origin: http://[::1%lo]\r\n\r\n"),
                PROBLEM_WRONG_ORIGIN},
        {"under .localhost", TEXT(GET HOST "Origin: http://app.localhost:1\r\n\r\n"), HTTP},
        {"other origin", TEXT(GET HOST "Origin: https://evil.example\r\n\r\n"),
                PROBLEM_ORIGIN_PENDING},
        {"null origin", TEXT(GET HOST "Origin: null\r\n\r\n"), PROBLEM_WRONG_ORIGIN},
        {"empty origin", TEXT(GET HOST "Origin:\r\n\r\n"), PROBLEM_WRONG_ORIGIN},
        {"scheme alone", TEXT(GET HOST "Origin: http://\r\n\r\n"), PROBLEM_WRONG_ORIGIN},
        {"other scheme", TEXT(GET HOST "Origin: ftp://localhost\r\n\r\n"), PROBLEM_WRONG_ORIGIN},
        {"origin with a path", TEXT(GET HOST "Origin: http://localhost/\r\n\r\n"),
                PROBLEM_WRONG_ORIGIN},
        {"localhost as a prefix of origin",
                TEXT(GET HOST "Origin: http://localhost.evil.example\r\n\r\n"),
                PROBLEM_WRONG_ORIGIN},
        {"user in origin", TEXT(GET HOST "Origin: http://localhost@evil.example\r\n\r\n"),
                PROBLEM_WRONG_ORIGIN},
        {"dirty name under .localhost", TEXT(GET HOST "Origin: http://evil/x.localhost\r\n\r\n"),
                PROBLEM_WRONG_ORIGIN},
        {"two origins",
                TEXT(GET HOST "Origin: http://localhost\r\nOrigin: http://evil.example\r\n\r\n"),
                PROBLEM_BAD_REQUEST},
        {"another site without origin", TEXT(GET HOST "Sec-Fetch-Site: cross-site\r\n\r\n"),
                PROBLEM_WRONG_ORIGIN},
        {"a link to the page",
                TEXT("GET / HTTP/1.1\r\n" HOST
                     "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n"
                     "Sec-Fetch-Dest: document\r\n\r\n"),
                HTTP},
        {"typed address", TEXT(GET HOST "Sec-Fetch-Site: none\r\n\r\n"), HTTP},

        {"NUL in a value", TEXT(GET HOST "X: a\0b\r\n\r\n"), PROBLEM_BAD_REQUEST},
        {"NUL first", TEXT("\0"), PROBLEM_BAD_REQUEST},
        {"TLS", TEXT("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), PROBLEM_BAD_REQUEST},
        {"bare LF", TEXT("GET / HTTP/1.1\nHost: localhost:6174\n\n"), PROBLEM_BAD_REQUEST},
        {"bare LF after a field", TEXT(GET "Host: localhost:6174\n\r\n"), PROBLEM_BAD_REQUEST},
        {"bare CR", TEXT(GET HOST "X: a\rY: b\r\n\r\n"), PROBLEM_BAD_REQUEST},
        {"folded line", TEXT(GET HOST "X: a\r\n b\r\n\r\n"), PROBLEM_BAD_REQUEST},
        {"folded first line", TEXT(GET " Host: localhost:6174\r\n\r\n"), PROBLEM_BAD_REQUEST},
        {"space before colon", TEXT(GET "Host : localhost:6174\r\n\r\n"), PROBLEM_BAD_REQUEST},
        {"no colon", TEXT(GET HOST "X\r\n\r\n"), PROBLEM_BAD_REQUEST},
        {"no name", TEXT(GET HOST ": x\r\n\r\n"), PROBLEM_BAD_REQUEST},
        {"control byte in a value", TEXT(GET HOST "X: a\x01\r\n\r\n"), PROBLEM_BAD_REQUEST},
        {"no version", TEXT("GET /\r\n" HOST "\r\n"), PROBLEM_BAD_REQUEST},
        {"other version", TEXT("GET / HTTP/2.0\r\n" HOST "\r\n"), PROBLEM_BAD_REQUEST},
        {"HTTP/2 preface", TEXT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), PROBLEM_BAD_REQUEST},
        {"two spaces", TEXT("GET  / HTTP/1.1\r\n" HOST "\r\n"), PROBLEM_BAD_REQUEST},
        {"absolute target", TEXT("GET http://localhost:6174/ HTTP/1.1\r\n" HOST "\r\n"),
                PROBLEM_BAD_REQUEST},
        {"CONNECT", TEXT("CONNECT localhost:6174 HTTP/1.1\r\n" HOST "\r\n"), PROBLEM_BAD_REQUEST},
        {"high byte in the target", TEXT("GET /\xff HTTP/1.1\r\n" HOST "\r\n"),
                PROBLEM_BAD_REQUEST},
        {"empty line first", TEXT("\r\n" GET HOST "\r\n"), PROBLEM_BAD_REQUEST},
        {"bad method", TEXT("G@T / HTTP/1.1\r\n" HOST "\r\n"), PROBLEM_BAD_REQUEST},

        {"length and chunks",
                TEXT(GET HOST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"),
                PROBLEM_BAD_REQUEST},
        {"chunks", TEXT(GET HOST "Transfer-Encoding: chunked\r\n\r\n"), PROBLEM_BAD_REQUEST},
        {"two lengths", TEXT(GET HOST "Content-Length: 0\r\nContent-Length: 0\r\n\r\n"),
                PROBLEM_BAD_REQUEST},
        {"a body", TEXT(GET HOST "Content-Length: 5\r\n\r\nhello"), PROBLEM_BAD_REQUEST},
        {"negative length", TEXT(GET HOST "Content-Length: -1\r\n\r\n"), PROBLEM_BAD_REQUEST},
        {"empty length", TEXT(GET HOST "Content-Length:\r\n\r\n"), PROBLEM_BAD_REQUEST},

        {"handshake", TEXT(GET_WS WS WS_PROTOCOL "\r\n"), WEBSOCKET},
        {"handshake with a query", TEXT("GET /v1/ws?a=1 HTTP/1.1\r\n" HOST WS WS_PROTOCOL "\r\n"),
                WEBSOCKET},
        {"one of several subprotocols",
                TEXT(GET_WS WS "Sec-WebSocket-Protocol: other, nnjit.v1\r\n\r\n"), WEBSOCKET},
        {"handshake from another site",
                TEXT(GET_WS WS WS_PROTOCOL "Origin: https://evil.example\r\n\r\n"),
                PROBLEM_ORIGIN_PENDING},
        {"no subprotocol", TEXT(GET_WS WS "\r\n"), PROBLEM_BAD_REQUEST},
        {"other subprotocol", TEXT(GET_WS WS "Sec-WebSocket-Protocol: nnjit.v11\r\n\r\n"),
                PROBLEM_BAD_REQUEST},
        {"subprotocol in capitals", TEXT(GET_WS WS "Sec-WebSocket-Protocol: NNJIT.V1\r\n\r\n"),
                PROBLEM_BAD_REQUEST},
        {"no Upgrade", TEXT(GET_WS WS_PROTOCOL "\r\n"), PROBLEM_UPGRADE_REQUIRED},
        {"other Upgrade", TEXT(GET_WS "Upgrade: h2c\r\nConnection: Upgrade\r\n\r\n"),
                PROBLEM_BAD_REQUEST},
        {"list of Upgrades", TEXT(GET_WS "Upgrade: h2c, websocket\r\nConnection: Upgrade\r\n\r\n"),
                PROBLEM_BAD_REQUEST},
        {"longer Upgrade", TEXT(GET_WS "Upgrade: websocketx\r\nConnection: Upgrade\r\n\r\n"),
                PROBLEM_BAD_REQUEST},
        {"empty Upgrade", TEXT(GET_WS "Upgrade:\r\nConnection: Upgrade\r\n\r\n"),
                PROBLEM_BAD_REQUEST},
        {"two Upgrades", TEXT(GET_WS WS WS_PROTOCOL "Upgrade: h2c\r\n\r\n"), PROBLEM_BAD_REQUEST},
        {"Upgrade elsewhere", TEXT(GET HOST WS WS_PROTOCOL "\r\n"), PROBLEM_BAD_REQUEST},
        {"Upgrade beneath", TEXT("GET /v1/ws/ HTTP/1.1\r\n" HOST WS WS_PROTOCOL "\r\n"),
                PROBLEM_BAD_REQUEST},
        {"handshake by POST", TEXT("POST /v1/ws HTTP/1.1\r\n" HOST WS WS_PROTOCOL "\r\n"),
                PROBLEM_METHOD_NOT_ALLOWED},
        {"no Connection",
                TEXT(GET_WS "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" WS_PROTOCOL
                            "\r\n"),
                PROBLEM_BAD_REQUEST},
        {"other version of WebSocket",
                TEXT(GET_WS
                        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 8\r\n"
                        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" WS_PROTOCOL "\r\n"),
                PROBLEM_BAD_REQUEST},
        {"short key",
                TEXT(GET_WS
                        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                        "Sec-WebSocket-Key: dGhl\r\n" WS_PROTOCOL "\r\n"),
                PROBLEM_BAD_REQUEST},
};
#define CASES (int)(sizeof cases / sizeof *cases)

static struct head_rules rules = {.port = PORT};

static void set_up(void)
{
	ck_assert_int_eq(origins_create(NULL, NULL, &rules.origins, NULL), 0);
}

static void tear_down(void)
{
	origins_destroy(rules.origins);
}

static int verdict(const char *bytes, size_t length, struct problem *problem)
{
	struct head head;
	bool websocket = false;
	int r = head_parse(bytes, length, &head, problem);

	if (!r)
		r = head_check(&head, &rules, problem);
	if (!r)
		r = head_route(&head, &websocket, problem);
	return r ? r : websocket ? WEBSOCKET : HTTP;
}

START_TEST(judged)
{
	const struct head_case *c = &cases[_i];
	struct problem problem = {0};
	int got = verdict(c->bytes, c->length, &problem);

	ck_assert_msg(got == c->expected, "%s: expected %d, got %d (%s)", c->name, c->expected, got,
	        problem.detail);
	ck_assert_msg(
	        got < 0 || got == HEAD_PARTIAL || *problem.detail, "%s: no sentence", c->name);
}
END_TEST

/* What has not ended yet may be waited for, but must never be taken for a whole request; and the
 * parser must not read past the end (the copy lets a sanitizer see it). */
START_TEST(prefixes)
{
	const struct head_case *c = &cases[_i];
	struct problem problem;
	struct head head;

	for (size_t n = 0; n < c->length; n++) {
		char *copy = malloc(n ? n : 1);
		ck_assert_ptr_nonnull(copy);
		memcpy(copy, c->bytes, n);
		int r = head_parse(copy, n, &head, &problem);
		ck_assert_msg(r || head.bytes <= n, "%s: read %zu of %zu", c->name, head.bytes, n);
		free(copy);
	}
}
END_TEST

START_TEST(too_long)
{
	static char bytes[HEAD_BYTES + 100];
	struct problem problem = {0};
	struct head head;

	memset(bytes, 'a', sizeof bytes);
	memcpy(bytes, GET HOST "X: ", sizeof GET HOST "X: " - 1);
	ck_assert_int_eq(head_parse(bytes, HEAD_BYTES - 1, &head, &problem), HEAD_PARTIAL);
	ck_assert_int_eq(head_parse(bytes, HEAD_BYTES, &head, &problem), PROBLEM_BAD_REQUEST);
	ck_assert_ptr_nonnull(strstr(problem.detail, "16384"));
	memcpy(bytes + HEAD_BYTES - 4, "\r\n\r\n", 4);
	ck_assert_int_eq(head_parse(bytes, sizeof bytes, &head, &problem), 0);
	ck_assert_uint_eq(head.bytes, HEAD_BYTES);
}
END_TEST

static const struct {
	const char *accept;
	enum answer_form form;
} forms[] = {
        {"", ANSWER_JSON},
        {"*/*", ANSWER_JSON},
        {"text/wgsl", ANSWER_CODE},
        {"TEXT/PLAIN", ANSWER_CODE},
        {"application/octet-stream", ANSWER_WORDS},
        {"application/x-spirv, application/json;q=0.9", ANSWER_WORDS},
        {"text/wgsl;q=0.4, application/json;q=0.5", ANSWER_JSON},
        {"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8", ANSWER_JSON},
        {"text/wgsl;q=0", ANSWER_JSON},
        {"image/png", ANSWER_JSON},
        {";;,,;q=", ANSWER_JSON},
};

START_TEST(accept_forms)
{
	struct head_text accept = {forms[_i].accept, strlen(forms[_i].accept)};

	ck_assert_msg(answer_form(accept) == forms[_i].form, "Accept: %s", forms[_i].accept);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("head");
	TCase *tcase = tcase_create("heads");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_loop_test(tcase, judged, 0, CASES);
	tcase_add_loop_test(tcase, prefixes, 0, CASES);
	tcase_add_test(tcase, too_long);
	tcase_add_loop_test(tcase, accept_forms, 0, (int)(sizeof forms / sizeof *forms));
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
