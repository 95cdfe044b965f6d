/* SPDX-License-Identifier: Apache-2.0
 *
 * Starting, asking and ending a worker process, and the devices it finds. Everything that is not as
 * expected fails the test.
 */
#include "worker.h"

#include "reference/reference.h"

#include <check.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

const char *worker_program(void)
{
	static char built[4096];
	const char *path = getenv("NNJIT_GPU"), *build = getenv("NNJIT_BUILD");

	if (path)
		return path;
	snprintf(built, sizeof built, "%s/nnjit-gpu", build ? build : ".");
	return built;
}

static void become_worker(int fd, const char *fault)
{
	if (fault)
		setenv("NNJIT_TEST_FAULT", fault, 1);
	else
		unsetenv("NNJIT_TEST_FAULT");
	if (fd == WIRE_FD || dup2(fd, WIRE_FD) == WIRE_FD)
		execl(worker_program(), "nnjit-gpu", NULL);
	_exit(127);
}

void worker_start(struct worker *worker, const char *fault)
{
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	/* dup2 onto itself would keep the close-on-exec flag. */
	if (pair[1] == WIRE_FD)
		pair[1] = dup(pair[1]);
	*worker = (struct worker){.pid = fork(), .fd = pair[0]};
	if (!worker->pid)
		become_worker(pair[1], fault);
	ck_assert_int_gt(worker->pid, 0);
	close(pair[1]);
}

int worker_wait(struct worker *worker, unsigned int seconds)
{
	int status = 0;
	pid_t ended = 0;

	for (unsigned int i = 0; !ended && i < 100 * seconds; i++) {
		ended = waitpid(worker->pid, &status, WNOHANG);
		if (!ended)
			poll(NULL, 0, 10);
	}
	if (!ended) {
		kill(worker->pid, SIGKILL);
		waitpid(worker->pid, NULL, 0);
	}
	wire_free(&worker->wire);
	if (worker->fd >= 0)
		close(worker->fd);
	worker->fd = -1;
	if (!ended)
		return -1;
	return WIFSIGNALED(status) ? 256 + WTERMSIG(status) : WEXITSTATUS(status);
}

int worker_stop(struct worker *worker, unsigned int seconds)
{
	close(worker->fd);
	worker->fd = -1;
	return worker_wait(worker, seconds);
}

void worker_write(struct worker *worker, const char *line)
{
	size_t length = strlen(line);

	ck_assert_int_eq(send(worker->fd, line, length, MSG_NOSIGNAL), (ssize_t)length);
	ck_assert_int_eq(send(worker->fd, "\n", 1, MSG_NOSIGNAL), 1);
}

json_t *worker_read(struct worker *worker)
{
	json_t *message;
	int outcome = wire_receive(&worker->wire, worker->fd, &message);

	ck_assert_msg(outcome == 0 || outcome == -EPIPE, "receiving: %s", strerror(-outcome));
	return outcome ? NULL : message;
}

json_t *worker_ask(struct worker *worker, const char *format, ...)
{
	char line[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof line, format, args);
	va_end(args);
	worker_write(worker, line);
	json_t *message = worker_read(worker);
	ck_assert_msg(message != NULL, "the worker ended at %s", line);
	json_t *ok = json_incref(json_object_get(message, "ok"));
	if (!ok)
		ck_abort_msg("%s was answered %s", line, json_dumps(message, 0));
	json_decref(message);
	return ok;
}

void worker_refused(struct worker *worker, const char *code, const char *line)
{
	worker_write(worker, line);
	json_t *message = worker_read(worker);
	const json_t *error = json_object_get(message, "error");
	const char *found = json_string_value(json_object_get(error, "code"));
	const char *text = json_string_value(json_object_get(error, "text"));

	ck_assert_msg(found && !strcmp(found, code), "%.200s was answered %s", line,
	        json_dumps(message, 0));
	ck_assert_msg(text && strlen(text) > 8, "%.200s was refused without a sentence", line);
	json_decref(message);
}

/* ---- The devices that are here. */

struct worker_device devices[DEVICES_MAX];
int device_count;

/* What `nnjit-gpu --list --json` prints: a new reference to the array of devices, maybe empty. */
static json_t *list_devices(void)
{
	char command[PATH_MAX + 32];

	snprintf(command, sizeof command, "%s --list --json", worker_program());
	FILE *pipe = popen(command, "r");
	if (!pipe)
		return json_array();
	json_t *answer = json_loadf(pipe, 0, NULL);
	json_t *list = json_incref(json_object_get(answer, "devices"));
	json_decref(answer);
	pclose(pipe);
	return list ? list : json_array();
}

/* Outside of any test, so nothing here asserts. */
static void remember_device(json_t *device)
{
	const char *id, *name, *kind;

	if (device_count == DEVICES_MAX ||
	        json_unpack(device, "{s:s, s:s, s:s}", "id", &id, "name", &name, "kind", &kind))
		return;
	snprintf(devices[device_count].id, sizeof devices->id, "%s", id);
	snprintf(devices[device_count].name, sizeof devices->name, "%s", name);
	devices[device_count].cpu = !strcmp(kind, "cpu");
	wire_limits_parse(json_object_get(device, "limits"), json_object_get(device, "features"),
	        &devices[device_count].limits);
	device_count++;
}

int worker_find_devices(void)
{
	/* Drivers leak what they allocate once a process; a sanitized worker must not fail for it.
	 */
	setenv("ASAN_OPTIONS", "detect_leaks=0", 0);
	if (access(worker_program(), X_OK)) {
		fprintf(stderr, "%s is not there; build it first\n", worker_program());
		return 1;
	}
	json_t *list = list_devices();

	for (size_t i = 0; i < json_array_size(list); i++)
		remember_device(json_array_get(list, i));
	json_decref(list);
	if (device_count)
		return 0;
	puts("skipped: no Vulkan device here (Debian: mesa-vulkan-drivers)");
	return 77;
}

TCase *worker_each_device(Suite *suite, const char *name, const TTest *test, int times)
{
	TCase *tcase = tcase_create(name);

	tcase_set_timeout(tcase, 180);
	tcase_add_loop_test(tcase, test, 0, device_count * times);
	suite_add_tcase(suite, tcase);
	return tcase;
}

/* ---- Requests that must succeed. */

void worker_open(struct worker *worker, int device, const char *profile)
{
	json_decref(worker_ask(worker, "{\"do\":\"open\",\"device\":\"%s\",\"profile\":\"%s\"}",
	        devices[device].id, profile));
}

void worker_load(struct worker *worker, const char *op)
{
	json_decref(worker_ask(worker, "{\"do\":\"load\",\"op\":\"%s\",\"seed\":7}", op));
}

json_t *worker_build(struct worker *worker, int candidate, const char *schedule)
{
	return worker_ask(worker, "{\"do\":\"build\",\"candidate\":%d,\"schedule\":\"%s\"}",
	        candidate, schedule);
}

double worker_number(const json_t *object, const char *field)
{
	const json_t *value = json_object_get(object, field);

	ck_assert_msg(json_is_number(value), "%s is missing", field);
	return json_number_value(value);
}

const char *worker_text(const json_t *object, const char *field)
{
	const char *value = json_string_value(json_object_get(object, field));

	ck_assert_msg(value != NULL, "%s is missing", field);
	return value;
}

static void check_right(const json_t *verdict, const char *op, const char *schedule)
{
	struct op parsed;

	ck_assert_msg(json_is_true(json_object_get(verdict, "right")), "%s %s: %s", op, schedule,
	        worker_text(verdict, "why"));
	ck_assert_str_eq(worker_text(verdict, "why"), "");
	ck_assert_int_eq(op_parse(op, &parsed, NULL), 0);
	ck_assert_double_le(worker_number(verdict, "max_rel_err"), reference_tolerance(&parsed));
	ck_assert_double_ge(worker_number(verdict, "checked"), 1);
	ck_assert_double_gt(worker_number(verdict, "generate_ns"), 0);
	ck_assert_double_gt(worker_number(verdict, "pipeline_ns"), 0);
	ck_assert_double_gt(worker_number(verdict, "first_ns"), 0);
	ck_assert_double_gt(worker_number(verdict, "pilot_ns"), 0);
	ck_assert_double_gt(worker_number(verdict, "code_bytes"), 100);
}

void worker_build_right(struct worker *worker, int candidate, const char *op, const char *schedule)
{
	json_t *verdict = worker_build(worker, candidate, schedule);

	check_right(verdict, op, schedule);
	json_decref(verdict);
}
