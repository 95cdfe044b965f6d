/* SPDX-License-Identifier: Apache-2.0
 *
 * GLSL to SPIR-V as it is conventionally done, by shaderc. glsl_none.c stands in where that is not
 * installed.
 */
#pragma once

#include "base/buffer.h"

#include <stdbool.h>

enum glsl_level { GLSL_O0, GLSL_OS, GLSL_O };

bool glsl_is_installed(void);
struct glsl;                             /* the compiler; its first call pays for starting up */
int glsl_create(struct glsl **ret_glsl); /* -ENOMEM */
void glsl_destroy(struct glsl *glsl);    /* NULL is fine */
/* A compute shader for Vulkan 1.1, into `out`, which is emptied first. -EINVAL, having said on
 * stderr why it was refused. -ENOMEM. */
int glsl_compile(struct glsl *glsl, enum glsl_level level, const char *text, size_t bytes,
        struct buffer *out);
