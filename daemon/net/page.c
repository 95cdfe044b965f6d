/* SPDX-License-Identifier: Apache-2.0
 *
 * Static files. A path is refused unless every part of it is a plain name: nothing that begins
 * with a dot (no parent, no hidden file), no backslash, no control byte. Invariant: what is opened
 * is a regular file reached by plain names from the folder.
 */
#include "daemon/net/page.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
	const char *suffix, *type;
} types[] = {
        {".html", "text/html; charset=utf-8"},
        {".mjs", "text/javascript; charset=utf-8"},
        {".js", "text/javascript; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},
        {".svg", "image/svg+xml"},
        {".json", "application/json"},
        {".map", "application/json"},
        {".d.ts", "text/plain; charset=utf-8"},
        {".ts", "text/plain; charset=utf-8"},
        {".wgsl", "text/wgsl; charset=utf-8"},
        {".md", "text/markdown; charset=utf-8"},
        {".txt", "text/plain; charset=utf-8"},
        {".wasm", "application/wasm"},
        {".png", "image/png"},
        {".ico", "image/x-icon"},
        {".woff2", "font/woff2"},
};

static const char *type_of(const char *path)
{
	size_t length = strlen(path);

	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		size_t n = strlen(types[i].suffix);
		if (length > n && !strcmp(path + length - n, types[i].suffix))
			return types[i].type;
	}
	return "application/octet-stream";
}

static bool is_plain(const char *path)
{
	if (*path != '/')
		return false;
	for (const char *p = path; *p; p++) {
		if ((unsigned char)*p < ' ' || *p == '\\' || *p == 0x7f)
			return false;
		if (*p == '/' && (p[1] == '.' || p[1] == '/'))
			return false;
	}
	return true;
}

static int page_describe(struct page *page, const char *path)
{
	struct stat st;

	if (fstat(page->fd, &st))
		return -EIO;
	if (!S_ISREG(st.st_mode))
		return -ENOENT;
	page->bytes = (uint64_t)st.st_size;
	page->type = type_of(path);
	snprintf(page->etag, sizeof page->etag, "\"%llx-%llx\"", (unsigned long long)st.st_size,
	        (unsigned long long)st.st_mtim.tv_sec * 1000000000u +
	                (unsigned long long)st.st_mtim.tv_nsec);
	return 0;
}

static int open_file(const char *dir, const char *path, const char *more, struct page *ret_page)
{
	char file[PATH_MAX];
	struct page page = {0};
	int n = snprintf(file, sizeof file, "%s%s%s", dir, path, more);

	if (n < 0 || (size_t)n >= sizeof file)
		return -ENOENT;
	page.fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (page.fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == EACCES ? -ENOENT : -EIO;
	int r = page_describe(&page, file);
	if (r) {
		close(page.fd);
		return r;
	}
	*ret_page = page;
	return 0;
}

int page_open(const char *dir, const char *path, struct page *ret_page)
{
	if (!is_plain(path))
		return -ENOENT;
	if (path[strlen(path) - 1] == '/')
		return open_file(dir, path, "index.html", ret_page);
	int r = open_file(dir, path, "", ret_page);
	return r == -ENOENT ? open_file(dir, path, "/index.html", ret_page) : r;
}
