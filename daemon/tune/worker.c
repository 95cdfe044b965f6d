/* SPDX-License-Identifier: Apache-2.0
 *
 * Starting, talking to and burying nnjit-gpu. Nothing waits: the end of a process is learnt from
 * its pidfd on the loop. Invariant: the process has been asked all of `calls`, the first of them
 * has its deadline in `timer`, and every answer goes through answer().
 */
#include "daemon/tune/worker.h"

#include "daemon/log.h"
#include "daemon/loop/loop.h"
#include "daemon/tune/grave.h"
#include "nnjit.h"
#include "protocol/wire/wire.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

#define S_NS     1000000000ull
#define NICE     5          /* on a busy machine the daemon answers before its worker computes */
#define GRACE_NS (2 * S_NS) /* between a worker's last sign and giving up on its exit status */

struct call {
	worker_done *done;
	void *context;
	char what[24]; /* the request's name */
	uint64_t deadline_ns;
};

struct worker {
	struct loop *loop;
	char *path;
	pid_t pid; /* 0: no process */
	uint32_t starts;
	int pidfd, fd; /* -1: none */
	struct wire wire;
	struct loop_watch *pid_watch, *fd_watch;
	struct loop_timer *timer; /* deadline, grace period, or 0 for a call that failed at once */
	struct loop_timer *more;  /* another answer may have been read along with the last one */
	struct grave *graves;

	struct call calls[WORKER_CALLS_MAX]; /* under way, in the order they were made */
	uint32_t call_count;
	uint64_t begun_ns; /* when the first of them was its turn */
	bool ending;       /* no answer will come: waiting for the process to be gone */
	bool never_ran;    /* and the last call did not reach it */
	char why[200];     /* why it ends; "" if it is not our doing */
};

static void timer_fired(void *context);
static void fd_readable(void *context);

int worker_create(struct loop *loop, const char *path, struct worker **ret_worker)
{
	struct worker *worker = calloc(1, sizeof *worker);

	if (!worker)
		return -ENOMEM;
	worker->loop = loop;
	worker->pidfd = worker->fd = -1;
	worker->path = strdup(path);
	if (!worker->path || loop_timer_create(loop, timer_fired, worker, &worker->timer) ||
	        loop_timer_create(loop, fd_readable, worker, &worker->more)) {
		worker_destroy(worker);
		return -ENOMEM;
	}
	*ret_worker = worker;
	return 0;
}

bool worker_runs(const struct worker *worker)
{
	return worker->pid && !worker->ending;
}

uint32_t worker_starts(const struct worker *worker)
{
	return worker->starts;
}

/* ---- Ending. */

/* Lets go of the process: it finds its socket closed and goes, or is killed after a while. */
static void bury(struct worker *worker, bool now)
{
	loop_unwatch(worker->fd_watch);
	loop_unwatch(worker->pid_watch);
	loop_timer_stop(worker->timer);
	loop_timer_stop(worker->more);
	worker->fd_watch = worker->pid_watch = NULL;
	if (worker->fd >= 0)
		close(worker->fd);
	wire_free(&worker->wire);
	if (worker->pid)
		grave_add(&worker->graves, worker->loop, worker->pid, worker->pidfd,
		        now ? 0 : GRACE_NS);
	worker->pid = 0;
	worker->pidfd = worker->fd = -1;
	worker->ending = worker->never_ran = false;
	worker->why[0] = '\0';
}

void worker_stop(struct worker *worker)
{
	worker->call_count = 0;
	bury(worker, false);
}

void worker_destroy(struct worker *worker)
{
	if (!worker)
		return;
	if (worker->timer && worker->more)
		bury(worker, true);
	graves_close(&worker->graves);
	loop_timer_destroy(worker->timer);
	loop_timer_destroy(worker->more);
	free(worker->path);
	free(worker);
}

/* The first call's turn has come. */
static void begin_call(struct worker *worker)
{
	worker->begun_ns = loop_now_ns();
	loop_timer_set(worker->timer, worker->calls[0].deadline_ns);
}

/* Of the first call. The last thing a callback of ours does: `done` may do anything, worker_destroy
 * included. */
static void answer(struct worker *worker, const struct worker_reply *reply)
{
	struct call call = worker->calls[0];

	log_debug("worker %ld: %s took %.1f ms", (long)worker->pid, call.what,
	        (double)(loop_now_ns() - worker->begun_ns) / 1e6);
	loop_timer_stop(worker->timer);
	worker->call_count--;
	memmove(worker->calls, worker->calls + 1, worker->call_count * sizeof worker->calls[0]);
	if (worker->call_count) {
		begin_call(worker);
		loop_timer_set(worker->more, 0);
	}
	call.done(call.context, reply);
}

static void lost(struct worker *worker, bool asked_to_end)
{
	char why[sizeof worker->why];

	memcpy(why, worker->why, sizeof why);
	bury(worker, true);
	if (!worker->call_count)
		return;
	worker->call_count = 1;
	answer(worker, &(struct worker_reply){
	                       .answer = WORKER_LOST, .text = why, .asked_to_end = asked_to_end});
}

/* What waitid says of a dead worker, unless it was us who ended it. */
static bool describe_end(struct worker *worker, const siginfo_t *info)
{
	int status = info->si_status;
	bool asked = info->si_code != CLD_EXITED && (status == SIGTERM || status == SIGINT ||
	                                                    status == SIGHUP || status == SIGQUIT);
	const char *what = worker->calls[0].what;

	if (worker->why[0])
		return worker->never_ran;
	if (info->si_code == CLD_EXITED)
		snprintf(worker->why, sizeof worker->why,
		        "the GPU worker ended with status %d during %s", status, what);
	else
		snprintf(worker->why, sizeof worker->why,
		        "the GPU worker was ended by signal %d (%s) during %s", status,
		        strsignal(status), what);
	return asked;
}

/* The process is gone, or there is no telling yet. WNOWAIT: the grave does the reaping. */
static bool look_for_end(struct worker *worker)
{
	siginfo_t info = {0};

	if (waitid(P_PIDFD, (id_t)worker->pidfd, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
	        !info.si_pid)
		return false;
	if (!worker->call_count)
		log_info("%s ended while idle; it is started again when needed", worker->path);
	lost(worker, describe_end(worker, &info));
	return true;
}

/* Nothing more will be heard. Its exit status may take a moment, or for ever inside a driver. */
static void end_later(struct worker *worker, const char *why)
{
	worker->ending = true;
	if (why)
		snprintf(worker->why, sizeof worker->why, "%s", why);
	loop_unwatch(worker->fd_watch);
	worker->fd_watch = NULL;
	if (!look_for_end(worker))
		loop_timer_set(worker->timer, GRACE_NS);
}

static void kill_it(struct worker *worker, const char *why)
{
	pidfd_send_signal(worker->pidfd, SIGKILL, NULL, 0);
	end_later(worker, why);
}

static void timer_fired(void *context)
{
	struct worker *worker = context;
	const struct call *call = &worker->calls[0];
	char why[sizeof worker->why];

	if (!worker->pid || worker->ending) { /* it never ran, or does not go */
		if (!worker->why[0])
			snprintf(worker->why, sizeof worker->why,
			        "the GPU worker hung up during %s", call->what);
		lost(worker, worker->never_ran);
		return;
	}
	snprintf(why, sizeof why, "the GPU worker did not answer %s within %.1f s and was killed",
	        call->what, (double)call->deadline_ns / 1e9);
	kill_it(worker, why);
}

/* ---- Answers. */

static void take(struct worker *worker, json_t *message)
{
	struct wire_answer said;

	if (!worker->call_count || wire_read_answer(message, &said))
		kill_it(worker, "the GPU worker broke its protocol and was killed");
	else
		answer(worker, &(struct worker_reply){.answer = said.ok ? WORKER_OK : WORKER_ERROR,
		                       .ok = said.ok,
		                       .failure = said.failure,
		                       .text = said.text});
	json_decref(message);
}

static void fd_readable(void *context)
{
	struct worker *worker = context;
	json_t *message;
	int code = worker->ending ? -EAGAIN : wire_receive(&worker->wire, worker->fd, &message);

	if (!code)
		take(worker, message);
	else if (code == -EPIPE)
		end_later(worker, NULL);
	else if (code != -EAGAIN)
		kill_it(worker, "the GPU worker broke its protocol and was killed");
}

/* Its last words may still be in the socket: they count if they answer calls. */
static void pid_readable(void *context)
{
	struct worker *worker = context;
	json_t *message;

	if (worker->call_count && !worker->ending &&
	        !wire_receive(&worker->wire, worker->fd, &message))
		take(worker, message);
	else
		look_for_end(worker);
}

/* ---- Starting. */

/* The socket becomes descriptor 3 and nothing above it is inherited. A group of its own, so that
 * an interrupt from the terminal reaches only the daemon, which then ends the worker. */
static int spawn(const char *path, int fd, pid_t *ret_pid)
{
	char *argv[] = {(char *)(uintptr_t)path, NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int code;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attr);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, 2, 1);
	posix_spawn_file_actions_adddup2(&actions, fd, WIRE_FD);
	posix_spawn_file_actions_addclosefrom_np(&actions, WIRE_FD + 1);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setpgroup(&attr, 0);
	posix_spawnattr_setflags(
	        &attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
	code = posix_spawn(ret_pid, path, &actions, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	return -code;
}

static int watch(struct worker *worker)
{
	int code = loop_watch(worker->loop, worker->fd, fd_readable, worker, &worker->fd_watch);

	if (!code)
		code = loop_watch(
		        worker->loop, worker->pidfd, pid_readable, worker, &worker->pid_watch);
	if (code)
		bury(worker, true);
	return code;
}

static int start(struct worker *worker)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	int code = spawn(worker->path, ends[1], &worker->pid);
	close(ends[1]);
	if (code) {
		worker->pid = 0;
		close(ends[0]);
		return code;
	}
	worker->starts++;
	setpriority(PRIO_PROCESS, (id_t)worker->pid, NICE);
	worker->fd = ends[0];
	fcntl(worker->fd, F_SETFL, O_NONBLOCK);
	worker->pidfd = pidfd_open(worker->pid, 0);
	if (worker->pidfd < 0) {
		code = -errno;
		kill(worker->pid, SIGKILL);
		waitpid(worker->pid, NULL, 0);
		worker->pid = 0;
		bury(worker, true);
		return code;
	}
	return watch(worker);
}

/* A call that cannot even be made is answered from the loop like any other, as lost: what stands
 * before it is lost with it. */
static void fail_later(struct worker *worker, int code)
{
	snprintf(worker->why, sizeof worker->why, "the GPU worker %.80s cannot be %s: %s",
	        worker->path, worker->pid ? "asked" : "started", strerror(-code));
	worker->ending = worker->never_ran = true;
	loop_timer_set(worker->timer, 0);
}

static int ask(struct worker *worker, const json_t *request)
{
	int code = request ? 0 : -ENOMEM;

	if (!code && !worker->pid)
		code = start(worker);
	return code ? code : wire_send(worker->fd, request);
}

void worker_call(struct worker *worker, json_t *request, uint64_t deadline_ns, worker_done *done,
        void *context)
{
	const char *what = json_string_value(json_object_get(request, "do"));
	bool first = !worker->call_count;

	assert(worker->call_count < WORKER_CALLS_MAX);
	struct call *call = &worker->calls[worker->call_count++];
	*call = (struct call){.done = done, .context = context, .deadline_ns = deadline_ns};
	snprintf(call->what, sizeof call->what, "%s", what ? what : "a request");
	if (first && worker->ending)
		bury(worker, true);
	int code = worker->ending ? 0 : ask(worker, request);
	json_decref(request);
	if (code)
		fail_later(worker, code);
	else if (first)
		begin_call(worker);
}
