/* SPDX-License-Identifier: Apache-2.0
 *
 * The state folder. The lock is on the folder itself, which nobody removes unnoticed; the file
 * `lock` is locked too, for older daemons, and says whose the folder is or how the database was
 * left. Must not know what a database holds. Invariant: a lock goes with its process, however that
 * ends.
 */
#include "daemon/store/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_FILE "lock"
#define KEPT_MAX  3 /* databases of a kind set aside */
#define NOTE      "closed %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64

/* ---- Making and holding it. */

/* mkdir -p, private. 0, or why the first part that could not be made could not. */
static int make_folder(const char *path)
{
	char part[PATH_MAX];
	size_t length = strlen(path);
	int code = 0;

	if (!length || length >= sizeof part)
		return -ENAMETOOLONG;
	memcpy(part, path, length + 1);
	for (size_t i = 1; i <= length; i++) {
		if (part[i] != '/' && part[i] != '\0')
			continue;
		part[i] = '\0';
		if (mkdir(part, 0700) && errno != EEXIST && !code)
			code = -errno;
		part[i] = path[i];
	}
	return code;
}

/* A full disk or one that is read-only may yet hold the folder: opening it decides. */
static int open_folder(const char *path, struct error *err)
{
	int made = make_folder(path);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	int code = errno == ENOENT && made ? made : -errno;
	if (code == -EDQUOT)
		code = -ENOSPC;
	return error_set(err, code, "state-dir",
	        "The state folder %.120s cannot be used: %s; choose another with --state-dir.",
	        path, strerror(-code));
}

static int refuse_busy(const struct folder *folder, struct error *err)
{
	char pid[24] = "";
	int lock = openat(folder->fd, LOCK_FILE, O_RDONLY | O_CLOEXEC);

	if (lock < 0 || read(lock, pid, sizeof pid - 1) < 0)
		pid[0] = '\0';
	pid[strspn(pid, "0123456789")] = '\0';
	if (lock >= 0)
		close(lock);
	return error_set(err, -EBUSY, "state-dir",
	        "The state folder %.120s is in use by another nnjitd%s%s; stop it, or choose "
	        "another with --state-dir.",
	        folder->path, pid[0] ? ", process " : "", pid);
}

/* Some network file systems cannot lock a folder: there the file alone is locked. */
static bool is_taken(int fd)
{
	return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK;
}

int folder_take(const char *path, struct folder *ret_folder, struct error *err)
{
	struct folder folder = {.fd = -1, .lock = -1};

	if ((size_t)snprintf(folder.path, sizeof folder.path, "%s", path) >= sizeof folder.path)
		return error_set(err, -ENAMETOOLONG, "state-dir",
		        "The path of the state folder is too long; choose another with "
		        "--state-dir.");
	folder.fd = open_folder(path, err);
	if (folder.fd < 0)
		return folder.fd;
	if (!is_taken(folder.fd)) {
		folder.lock = openat(folder.fd, LOCK_FILE,
		        O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW, 0600);
		if (!is_taken(folder.lock)) {
			*ret_folder = folder;
			return 0;
		}
	}
	int code = refuse_busy(&folder, err);
	folder_leave(&folder);
	return code;
}

void folder_leave(struct folder *folder)
{
	if (folder->lock >= 0)
		close(folder->lock);
	if (folder->fd >= 0)
		close(folder->fd);
	folder->fd = folder->lock = -1;
}

void folder_sync(const struct folder *folder)
{
	fsync(folder->fd);
}

/* ---- How the database was left. */

static uint64_t ns_of(struct timespec time)
{
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

struct folder_print folder_print(int fd)
{
	struct stat file;

	if (fstat(fd, &file))
		return (struct folder_print){0};
	return (struct folder_print){.inode = file.st_ino,
	        .bytes = (uint64_t)file.st_size,
	        .changed_ns = ns_of(file.st_ctim),
	        .modified_ns = ns_of(file.st_mtim)};
}

bool folder_print_same(const struct folder_print *a, const struct folder_print *b)
{
	return a->inode && !memcmp(a, b, sizeof *a);
}

struct folder_print folder_left(const struct folder *folder)
{
	struct folder_print print, none = {0};
	char text[200] = "";

	if (folder->lock < 0 || pread(folder->lock, text, sizeof text - 1, 0) <= 0)
		return none;
	int read = sscanf(text, NOTE, &print.inode, &print.bytes, &print.changed_ns,
	        &print.modified_ns, &print.transaction);
	return read == 5 ? print : none;
}

void folder_note(const struct folder *folder, const struct folder_print *print)
{
	char text[200];
	int length = print ? snprintf(text, sizeof text, NOTE "\n", print->inode, print->bytes,
	                             print->changed_ns, print->modified_ns, print->transaction)
	                   : snprintf(text, sizeof text, "%ld\n", (long)getpid());

	if (folder->lock < 0 || ftruncate(folder->lock, 0) ||
	        pwrite(folder->lock, text, (size_t)length, 0) != length)
		return;
}

/* ---- Setting aside. */

struct aside {
	char prefix[64];
	uint32_t count, first, last;
};

static int list_aside(const struct folder *folder, struct aside *aside)
{
	int fd = openat(folder->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	size_t length = strlen(aside->prefix);
	const struct dirent *entry;

	if (!dir) {
		int code = -errno;
		if (fd >= 0)
			close(fd);
		return code;
	}
	while ((entry = readdir(dir))) {
		char *end;
		if (strncmp(entry->d_name, aside->prefix, length))
			continue;
		uint32_t number = (uint32_t)strtoul(entry->d_name + length, &end, 10);
		if (*end || !number)
			continue;
		if (!aside->count++ || number < aside->first)
			aside->first = number;
		if (number > aside->last)
			aside->last = number;
	}
	closedir(dir);
	return 0;
}

int folder_set_aside(const struct folder *folder, const char *kind, uint32_t *ret_number)
{
	struct aside aside = {0};
	char name[96];

	snprintf(aside.prefix, sizeof aside.prefix, STORE_FILE ".%s-", kind);
	int code = list_aside(folder, &aside);
	if (code)
		return code;
	snprintf(name, sizeof name, "%s%u", aside.prefix, aside.last + 1);
	if (renameat(folder->fd, STORE_FILE, folder->fd, name))
		return -errno;
	if (aside.count >= KEPT_MAX) {
		snprintf(name, sizeof name, "%s%u", aside.prefix, aside.first);
		unlinkat(folder->fd, name, 0);
	}
	*ret_number = aside.last + 1;
	folder_sync(folder);
	return 0;
}
