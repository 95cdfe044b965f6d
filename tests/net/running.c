/* SPDX-License-Identifier: Apache-2.0
 *
 * The daemon under test and what is asserted of it again and again.
 */
#include "tests/net/running.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct client_daemon running;
char running_space[RUNNING_SPACE];

void running_or_skip(void)
{
	if (client_daemon_start(NULL, &running) == -ENOENT) {
		puts("SKIP: ./nnjitd is not built; run from the build folder");
		exit(77);
	}
	client_daemon_stop(&running);
}

void running_start_with(const char *const *more)
{
	int r = client_daemon_start(more, &running);

	ck_assert_msg(!r, "nnjitd did not start: %s", strerror(-r));
}

void running_start(void)
{
	running_start_with(NULL);
}

void running_stop(void)
{
	int status = client_daemon_stop(&running);

	ck_assert_msg(status == 0, "nnjitd ended with status %#x", (unsigned)status);
}

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

void running_health(void)
{
	char answer[4096];
	double began = now_ms();
	int status = client_get(running.port, "/v1/health", answer, sizeof answer);

	ck_assert_int_eq(status, 200);
	ck_assert_msg(now_ms() - began < 1000, "health took %.0f ms", now_ms() - began);
}

int running_connect(void)
{
	int fd = client_connect(running.port);

	ck_assert_int_ge(fd, 0);
	return fd;
}

/* Sends text in which %P stands for the port. */
void running_send(int fd, const char *text)
{
	char out[4096], port[8];
	size_t at = 0;

	snprintf(port, sizeof port, "%u", running.port);
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

int running_ws(void)
{
	int fd = client_ws_open(running.port);

	ck_assert_msg(fd >= 0, "no WebSocket");
	return fd;
}
