/* SPDX-License-Identifier: Apache-2.0
 *
 * Starting, asking and ending a worker. Waits for each answer, but never for ever: what is silent
 * past its deadline is killed. Invariant: pid is 0 exactly while there is no process to end.
 */
#include "tools/lab/gpu.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

#define GOODBYE_MS 2000 /* for a worker to end by itself once it was hung up on */

/* nnjit-gpu of the build folder that this program stands in: tools/lab/../../nnjit-gpu. */
static int find_program(char ret_path[static PATH_MAX])
{
	char path[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);

	if (length < 0)
		return -errno;
	path[length] = '\0';
	for (int i = 0; i < 3; i++) {
		char *slash = strrchr(path, '/');
		if (!slash)
			return -ENOENT;
		*slash = '\0';
	}
	int n = snprintf(ret_path, PATH_MAX, "%s/nnjit-gpu", path);
	return n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

static int spawn(struct gpu *gpu, int theirs)
{
	char path[PATH_MAX], name[] = "nnjit-gpu";
	char *arguments[] = {name, NULL};
	posix_spawn_file_actions_t actions;

	int r = find_program(path);
	if (r)
		return r;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, theirs, WIRE_FD);
	/* What it complains of is in its answers. */
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	r = posix_spawn(&gpu->pid, path, &actions, NULL, arguments, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (r)
		gpu->pid = 0;
	return -r;
}

int gpu_start(struct gpu *gpu)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return -errno;
	*gpu = (struct gpu){.fd = pair[0]};
	int r = fcntl(gpu->fd, F_SETFL, O_NONBLOCK) ? -errno : spawn(gpu, pair[1]);
	close(pair[1]);
	if (r)
		close(gpu->fd);
	return r;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool has_ended(pid_t pid, int64_t until_ms)
{
	while (!waitpid(pid, NULL, WNOHANG)) {
		if (now_ms() >= until_ms)
			return false;
		poll(NULL, 0, 5);
	}
	return true;
}

/* A process that the kernel still takes a GPU from may outlast SIGKILL: it is not waited for. */
static void end(struct gpu *gpu, bool now)
{
	close(gpu->fd);
	wire_free(&gpu->wire);
	if (!has_ended(gpu->pid, now_ms() + (now ? 0 : GOODBYE_MS))) {
		kill(gpu->pid, SIGKILL);
		has_ended(gpu->pid, now_ms() + GOODBYE_MS);
	}
	gpu->pid = 0;
}

void gpu_stop(struct gpu *gpu)
{
	if (gpu->pid)
		end(gpu, false);
}

static int receive(struct gpu *gpu, uint32_t patience_s, json_t **ret_message)
{
	int64_t until_ms = now_ms() + 1000ll * patience_s;
	struct pollfd readable = {.fd = gpu->fd, .events = POLLIN};
	int r;

	while ((r = wire_receive(&gpu->wire, gpu->fd, ret_message)) == -EAGAIN) {
		int64_t left_ms = until_ms - now_ms();
		if (left_ms <= 0)
			return -ETIMEDOUT;
		poll(&readable, 1, (int)left_ms);
	}
	return r;
}

/* What the worker said, or that it is no longer to be asked. */
static enum gpu_answer read_answer(
        const json_t *message, json_t **ret_ok, char why[static GPU_WHY_BYTES])
{
	struct wire_answer said;

	if (wire_read_answer(message, &said)) {
		snprintf(why, GPU_WHY_BYTES, "an answer that is none");
		return GPU_LOST;
	}
	if (said.ok) {
		*ret_ok = json_incref((json_t *)(uintptr_t)said.ok);
		return GPU_OK;
	}
	snprintf(why, GPU_WHY_BYTES, "%s", said.text);
	return said.failure == WIRE_DEVICE_LOST ? GPU_LOST : GPU_REFUSED;
}

enum gpu_answer gpu_ask(struct gpu *gpu, json_t *request, uint32_t patience_s, json_t **ret_ok,
        char why[static GPU_WHY_BYTES])
{
	json_t *message = NULL;
	enum gpu_answer answer = GPU_LOST;
	int r = gpu->pid ? wire_send(gpu->fd, request) : -EPIPE;

	json_decref(request);
	if (!r)
		r = receive(gpu, patience_s, &message);
	if (!r)
		answer = read_answer(message, ret_ok, why);
	else
		snprintf(why, GPU_WHY_BYTES, "%s",
		        r == -ETIMEDOUT ? "the worker did not answer in time" : "the worker died");
	json_decref(message);
	if (answer == GPU_LOST && gpu->pid)
		end(gpu, true);
	return answer;
}
