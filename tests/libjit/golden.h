/* SPDX-License-Identifier: Apache-2.0
 *
 * Golden files: text that must not change by accident. They lie in tests/libjit/golden/ of
 * the source tree, which NNJIT_SOURCE names (else the current folder); NNJIT_BLESS=1 writes them
 * anew. Header-only, for tests.
 */
#pragma once

#include "base/buffer.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline void golden_path(const char *name, char *path, size_t bytes)
{
	const char *top = getenv("NNJIT_SOURCE");

	snprintf(path, bytes, "%s/tests/libjit/golden/%s", top ? top : ".", name);
}

static inline void golden_read(FILE *file, struct buffer *text)
{
	char part[4096];
	size_t bytes;

	while ((bytes = fread(part, 1, sizeof part, file)) > 0)
		buffer_append(text, part, bytes);
	buffer_putc(text, '\0');
	fclose(file);
}

static inline void golden_compare(const char *name, const struct buffer *got)
{
	char path[1024];
	struct buffer expected = {0};

	golden_path(name, path, sizeof path);
	if (getenv("NNJIT_BLESS")) {
		FILE *file = fopen(path, "w");
		ck_assert_msg(file != NULL, "cannot write %s", path);
		fputs(got->data, file);
		fclose(file);
		return;
	}
	FILE *file = fopen(path, "r");
	ck_assert_msg(file != NULL, "cannot read %s: run with NNJIT_BLESS=1 to write it", path);
	golden_read(file, &expected);
	ck_assert_msg(strcmp(got->data, expected.data) == 0,
	        "%s differs (NNJIT_BLESS=1 accepts the new text):\n%s", path, got->data);
	buffer_free(&expected);
}
