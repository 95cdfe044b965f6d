/* SPDX-License-Identifier: Apache-2.0
 *
 * In the place of glsl_shaderc.c where shaderc is not installed.
 */
#include "tests/bench/glsl.h"

#include <errno.h>
#include <stddef.h>

bool glsl_is_installed(void)
{
	return false;
}

int glsl_create(struct glsl **ret_glsl)
{
	*ret_glsl = NULL;
	return 0;
}

void glsl_destroy(struct glsl *glsl)
{
	(void)glsl;
}

int glsl_compile(struct glsl *glsl, enum glsl_level level, const char *text, size_t bytes,
        struct buffer *out)
{
	(void)glsl, (void)level, (void)text, (void)bytes, (void)out;
	return -ENOTSUP;
}
