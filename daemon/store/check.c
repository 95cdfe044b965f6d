/* SPDX-License-Identifier: Apache-2.0
 *
 * The child that looks at every page and record of a database, and the parent's end of it. The
 * child touches nothing of the store but the file, and holds none of the parent's descriptors: the
 * folder is free as soon as the parent is gone. Invariant: whatever ends the child other than its
 * own verdict counts as damage.
 */
#include "daemon/store/check.h"

#include "daemon/store/environment.h"
#include "daemon/store/record.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct check {
	pid_t pid;
	int pidfd;
	struct check_finding *shared; /* the child writes it */
};

/* ---- In the child. */

static void look(void *context, const char *table, struct store_bytes key, struct store_bytes value)
{
	struct check_finding *finding = context;
	enum record_kind kind = store_table_kind(table);
	struct record_reader reader;

	if (kind && record_open(key, value, kind, &reader))
		finding->unsound++;
}

static void check_file(int fd, struct check_finding *finding)
{
	struct stat file;

	if (fd < 0 || fstat(fd, &file)) {
		snprintf(finding->why, sizeof finding->why, "it cannot be read: %s",
		        strerror(errno));
		return;
	}
	void *bytes = mmap(NULL, (size_t)file.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (bytes == MAP_FAILED) {
		snprintf(finding->why, sizeof finding->why, "it cannot be mapped: %s",
		        strerror(errno));
		return;
	}
	madvise(bytes, (size_t)file.st_size, MADV_WILLNEED);
	char why[PAGES_WHY_BYTES] = "";
	int code = pages_check(bytes, (size_t)file.st_size, look, finding, why);
	snprintf(finding->why, sizeof finding->why, "%s", code < 0 ? strerror(-code) : why);
}

__attribute__((noreturn)) static void run_child(int folder, struct check_finding *finding)
{
	static const struct rlimit none = {0, 0};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setrlimit(RLIMIT_CORE, &none);
	int fd = openat(folder, STORE_FILE, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	int kept = fd < 0 ? -1 : dup2(fd, STDIN_FILENO);
	close_range(STDERR_FILENO + 1, ~0u, 0);
	check_file(kept, finding);
	_exit(0);
}

/* ---- In the daemon. */

static void unmap(struct check *check)
{
	munmap(check->shared, sizeof *check->shared);
	free(check);
}

int check_begin(int folder, struct check **ret_check)
{
	struct check *check = calloc(1, sizeof *check);

	if (!check)
		return -ENOMEM;
	check->shared = mmap(NULL, sizeof *check->shared, PROT_READ | PROT_WRITE,
	        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (check->shared == MAP_FAILED) {
		free(check);
		return -ENOMEM;
	}
	check->pid = fork();
	if (!check->pid)
		run_child(folder, check->shared);
	check->pidfd = check->pid < 0 ? -1 : pidfd_open(check->pid, 0);
	if (check->pidfd >= 0) {
		*ret_check = check;
		return 0;
	}
	int code = -errno;
	if (check->pid > 0) {
		kill(check->pid, SIGKILL);
		waitpid(check->pid, NULL, 0);
	}
	unmap(check);
	return code;
}

int check_fd(const struct check *check)
{
	return check->pidfd;
}

bool check_wait(struct check *check, int ms)
{
	struct pollfd fd = {.fd = check->pidfd, .events = POLLIN};

	return poll(&fd, 1, ms) == 1;
}

struct check_finding check_end(struct check *check)
{
	struct check_finding finding;
	int status = 0;

	waitpid(check->pid, &status, 0);
	close(check->pidfd);
	finding = *check->shared;
	if (WIFSIGNALED(status))
		snprintf(finding.why, sizeof finding.why, "reading it ends in %s",
		        strsignal(WTERMSIG(status)));
	unmap(check);
	return finding;
}

void check_drop(struct check *check)
{
	if (!check)
		return;
	kill(check->pid, SIGKILL);
	waitpid(check->pid, NULL, 0);
	close(check->pidfd);
	unmap(check);
}
