/* SPDX-License-Identifier: Apache-2.0
 *
 * Static files under one folder, for the demo page and nnjit-web. Opens files and names their
 * types; sends nothing.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct page {
	int fd; /* the caller closes it */
	uint64_t bytes;
	const char *type; /* static */
	char etag[40];    /* quoted; changes with size and modification time */
};
/* Opens what `path` (decoded, from the request's /) names under `dir`; a folder means
 * its index.html, with and without a / at its end. -ENOENT for whatever is not a plain file there,
 * -EIO. */
int page_open(const char *dir, const char *path, struct page *ret_page);
