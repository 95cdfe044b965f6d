/* SPDX-License-Identifier: Apache-2.0
 *
 * The error grammar. Functions return int: 0 done; negative errno, cannot proceed; positive, an
 * answer from the function's own enum. Where a person must be told why, the caller passes a
 * `struct error` (or NULL) that names the field at fault and says what is wrong and what to do.
 */
#pragma once

#include <stdarg.h>
#include <stdio.h>

struct error {
	char field[32]; /* "" where no single field is at fault */
	char text[256]; /* one sentence, no trailing newline */
};

/* Fills err if it is not NULL and returns `code`, so that `return error_set(...)` reads well. */
__attribute__((format(printf, 4, 5))) static inline int error_set(
        struct error *err, int code, const char *field, const char *format, ...)
{
	if (err) {
		va_list args;
		va_start(args, format);
		snprintf(err->field, sizeof err->field, "%s", field);
		vsnprintf(err->text, sizeof err->text, format, args);
		va_end(args);
	}
	return code;
}
