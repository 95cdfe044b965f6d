/* SPDX-License-Identifier: Apache-2.0
 *
 * A thread that waits for the peer to hang up and for deadlines. It runs while the main thread may
 * be stuck inside a driver, so it touches nothing but its own state and the socket. Invariant: it
 * writes only when a deadline has passed, and then nobody else writes any more.
 */
#include "daemon/gpu/watchdog.h"
#include "daemon/gpu/answer.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define TICK_MS  250
#define GRACE_MS 2000 /* for a tidy end after the peer hung up */

enum { MAIN, BUILDER, THREADS = BUILDER + WATCHDOG_BUILDERS }; /* BUILDER: they compile ahead */

/* The one piece of process-wide state: there is one process to end. */
static struct {
	int fd;
	struct vigil {
		_Atomic uint64_t deadline_ms; /* 0: none */
		_Atomic(const char *) sentence;
		atomic_bool awaited; /* of a builder: the main thread waits for it */
	} vigils[THREADS];
} watchdog;

static _Thread_local uint32_t own = MAIN; /* vigil of this thread */

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void end_late(const char *sentence)
{
	char reply[320];
	int length = snprintf(reply, sizeof reply,
	        "{\"error\":{\"code\":\"device-lost\",\"text\":\"%s\"}}\n", sentence);

	fprintf(stderr, "nnjit-gpu: %s; ending this process\n", sentence);
	if (send(watchdog.fd, reply, (size_t)length, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		fprintf(stderr, "nnjit-gpu: nobody was there to be told\n");
	_exit(EXIT_DEVICE_LOST);
}

/* Whether anything is waited for; does not return if that is late. */
static bool look_after(void)
{
	bool waiting = false;

	for (uint32_t i = 0; i < THREADS; i++) {
		uint64_t deadline = watchdog.vigils[i].deadline_ms;
		waiting |= deadline != 0;
		if (deadline && now_ms() > deadline && (i == MAIN || watchdog.vigils[i].awaited))
			end_late(watchdog.vigils[i].sentence);
	}
	return waiting;
}

static void *watch(void *unused)
{
	struct pollfd poller = {.fd = watchdog.fd, .events = POLLRDHUP};

	(void)unused;
	for (bool waiting = false;;) {
		int ready = poll(&poller, 1, waiting ? TICK_MS : 4 * TICK_MS);
		waiting = look_after();
		if (ready > 0) {
			poll(NULL, 0, GRACE_MS);
			_exit(0);
		}
	}
	return NULL;
}

int watchdog_start(int fd)
{
	pthread_t thread;

	watchdog.fd = fd;
	int failure = pthread_create(&thread, NULL, watch, NULL);
	if (failure)
		return -failure;
	pthread_detach(thread);
	return 0;
}

void watchdog_expect(unsigned int seconds, const char *sentence)
{
	watchdog.vigils[own].sentence = sentence;
	watchdog.vigils[own].deadline_ms = now_ms() + seconds * 1000ull;
}

void watchdog_rest(void)
{
	watchdog.vigils[own].deadline_ms = 0;
}

void watchdog_builder_thread(uint32_t number)
{
	own = BUILDER + number;
}

void watchdog_await_builder(uint32_t number, bool waiting)
{
	watchdog.vigils[BUILDER + number].awaited = waiting;
}
