/* SPDX-License-Identifier: Apache-2.0
 *
 * glsl.h by shaderc's library.
 */
#include "tests/bench/glsl.h"

#include <errno.h>
#include <shaderc/shaderc.h>
#include <stdio.h>
#include <stdlib.h>

#define LEVELS (GLSL_O + 1)

struct glsl {
	shaderc_compiler_t compiler;
	shaderc_compile_options_t options[LEVELS];
};

static const shaderc_optimization_level levels[LEVELS] = {
        [GLSL_O0] = shaderc_optimization_level_zero,
        [GLSL_OS] = shaderc_optimization_level_size,
        [GLSL_O] = shaderc_optimization_level_performance};

bool glsl_is_installed(void)
{
	return true;
}

int glsl_create(struct glsl **ret_glsl)
{
	struct glsl *glsl = calloc(1, sizeof *glsl);

	if (!glsl)
		return -ENOMEM;
	glsl->compiler = shaderc_compiler_initialize();
	for (int i = 0; i < LEVELS; i++) {
		glsl->options[i] = shaderc_compile_options_initialize();
		shaderc_compile_options_set_optimization_level(glsl->options[i], levels[i]);
		shaderc_compile_options_set_target_env(glsl->options[i], shaderc_target_env_vulkan,
		        shaderc_env_version_vulkan_1_1);
	}
	*ret_glsl = glsl;
	return 0;
}

void glsl_destroy(struct glsl *glsl)
{
	if (!glsl)
		return;
	for (int i = 0; i < LEVELS; i++)
		shaderc_compile_options_release(glsl->options[i]);
	shaderc_compiler_release(glsl->compiler);
	free(glsl);
}

int glsl_compile(struct glsl *glsl, enum glsl_level level, const char *text, size_t bytes,
        struct buffer *out)
{
	int failure = 0;
	shaderc_compilation_result_t result = shaderc_compile_into_spv(glsl->compiler, text, bytes,
	        shaderc_compute_shader, "kernel", "main", glsl->options[level]);

	buffer_clear(out);
	if (shaderc_result_get_compilation_status(result) != shaderc_compilation_status_success) {
		fprintf(stderr, "shaderc refused a kernel: %s\n",
		        shaderc_result_get_error_message(result));
		failure = -EINVAL;
	} else {
		buffer_append(
		        out, shaderc_result_get_bytes(result), shaderc_result_get_length(result));
		failure = out->failed ? -ENOMEM : 0;
	}
	shaderc_result_release(result);
	return failure;
}
