/* SPDX-License-Identifier: Apache-2.0
 *
 * Reaping without SIGCHLD: a pidfd becomes readable when its process is gone. Invariant: every
 * process handed over is reaped by us, unless the daemon itself ends first.
 */
#include "daemon/tune/grave.h"

#include "daemon/loop/loop.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define CLOSE_MS 1000 /* at the daemon's end, for all together */

struct grave {
	struct grave *next, **list;
	pid_t pid;
	int pidfd;
	struct loop_watch *watch;
	struct loop_timer *timer;
};

static void release(struct grave *grave)
{
	struct grave **at = grave->list;

	while (*at != grave)
		at = &(*at)->next;
	*at = grave->next;
	loop_unwatch(grave->watch);
	loop_timer_destroy(grave->timer);
	close(grave->pidfd);
	free(grave);
}

static void ended(void *context)
{
	struct grave *grave = context;

	if (waitpid(grave->pid, NULL, WNOHANG))
		release(grave);
}

static void overdue(void *context)
{
	struct grave *grave = context;

	pidfd_send_signal(grave->pidfd, SIGKILL, NULL, 0);
}

void grave_add(struct grave **graves, struct loop *loop, pid_t pid, int pidfd, uint64_t after_ns)
{
	struct grave *grave = calloc(1, sizeof *grave);

	if (!grave || !after_ns)
		pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
	if (!grave) { /* no memory: at least no zombie */
		waitpid(pid, NULL, 0);
		close(pidfd);
		return;
	}
	*grave = (struct grave){.next = *graves, .list = graves, .pid = pid, .pidfd = pidfd};
	*graves = grave;
	if (loop_watch(loop, pidfd, ended, grave, &grave->watch) ||
	        loop_timer_create(loop, overdue, grave, &grave->timer))
		pidfd_send_signal(pidfd, SIGKILL, NULL, 0); /* reaped by graves_close */
	else if (after_ns)
		loop_timer_set(grave->timer, after_ns);
}

void graves_close(struct grave **graves)
{
	for (struct grave *grave = *graves; grave; grave = grave->next)
		pidfd_send_signal(grave->pidfd, SIGKILL, NULL, 0);
	int left_ms = CLOSE_MS;
	uint64_t begun_ns = loop_now_ns();
	while (*graves) {
		struct grave *grave = *graves;
		struct pollfd gone = {.fd = grave->pidfd, .events = POLLIN};
		poll(&gone, 1, left_ms);
		waitpid(grave->pid, NULL, WNOHANG);
		release(grave);
		uint64_t spent_ms = (loop_now_ns() - begun_ns) / 1000000;
		left_ms = spent_ms < CLOSE_MS ? CLOSE_MS - (int)spent_ms : 0;
	}
}
