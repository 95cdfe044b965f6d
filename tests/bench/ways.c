/* SPDX-License-Identifier: Apache-2.0
 *
 * The ways' table and what walks it: lower with a builder that leaves out what the way says, emit,
 * and pass the result on to an optimiser or a front end.
 */
#include "tests/bench/ways.h"

#include "base/cleanup.h"
#include "emit/spirv/spirv.h"
#include "emit/text/wgsl.h"
#include "ir/builder.h"
#include "lower/lower.h"
#include "tests/bench/emit_glsl.h"
#include "tests/bench/glsl.h"
#include "tests/bench/optimizer.h"

#include <errno.h>
#include <stdlib.h>

#define BARE (IR_LEAVE_OUT_FOLDING | IR_LEAVE_OUT_NUMBERING | IR_LEAVE_OUT_DROPPING)

const struct way ways[WAY_COUNT] = {
        {"shipped", "as it ships", 0, WAY_EMIT, 0},
        {"unfolded", "without folding", IR_LEAVE_OUT_FOLDING, WAY_EMIT, 0},
        {"unnumbered", "without numbering", IR_LEAVE_OUT_NUMBERING, WAY_EMIT, 0},
        {"undropped", "without dropping the unused", IR_LEAVE_OUT_DROPPING, WAY_EMIT, 0},
        {"bare", "without all three", BARE, WAY_EMIT, 0},
        {"cse", "shipped, then a CSE pass", 0, WAY_OPTIMIZE, OPTIMIZER_CSE},
        {"os", "shipped, then spirv-opt -Os", 0, WAY_OPTIMIZE, OPTIMIZER_SIZE},
        {"o", "shipped, then spirv-opt -O", 0, WAY_OPTIMIZE, OPTIMIZER_SPEED},
        {"bare_cse", "bare, then a CSE pass", BARE, WAY_OPTIMIZE, OPTIMIZER_CSE},
        {"bare_o", "bare, then spirv-opt -O", BARE, WAY_OPTIMIZE, OPTIMIZER_SPEED},
        {"glsl_o0", "shipped as GLSL, shaderc -O0", 0, WAY_GLSL, GLSL_O0},
        {"glsl_os", "shipped as GLSL, shaderc -Os", 0, WAY_GLSL, GLSL_OS},
        {"glsl_o", "shipped as GLSL, shaderc -O", 0, WAY_GLSL, GLSL_O},
        {"bare_glsl_o", "bare as GLSL, shaderc -O", BARE, WAY_GLSL, GLSL_O},
};

bool way_is_installed(const struct way *way)
{
	return way->path == WAY_OPTIMIZE ? optimizer_is_installed()
	       : way->path == WAY_GLSL   ? glsl_is_installed()
	                                 : true;
}

struct maker {
	struct ir_builder *builder;
	struct glsl *glsl;
	struct buffer emitted, made;
};

int maker_create(struct maker **ret_maker)
{
	struct maker *maker = calloc(1, sizeof *maker);

	if (!maker || ir_builder_create(&maker->builder) || glsl_create(&maker->glsl)) {
		maker_destroy(maker);
		return -ENOMEM;
	}
	*ret_maker = maker;
	return 0;
}

void maker_destroy(struct maker *maker)
{
	if (!maker)
		return;
	ir_builder_destroy(maker->builder);
	glsl_destroy(maker->glsl);
	buffer_free(&maker->emitted);
	buffer_free(&maker->made);
	free(maker);
}

static int emit(struct maker *maker, const struct way *way, const struct catalogue_kernel *kernel,
        nnjit_emitter *emit_code)
{
	const struct ir_module *module;

	maker->builder->left_out = way->left_out;
	int r = lower_kernel(maker->builder, &kernel->op, &kernel->schedule);
	if (!r)
		r = ir_finish(maker->builder, &module);
	if (r)
		return r;
	buffer_clear(&maker->emitted);
	return emit_code(module, &maker->emitted);
}

static int optimize(struct maker *maker, int recipe)
{
	AUTO(free_pointer) uint32_t *words = NULL;
	size_t count;
	int r = optimizer_run((enum optimizer_recipe)recipe, (uint32_t *)maker->emitted.data,
	        maker->emitted.length / 4, &words, &count);

	if (r)
		return r;
	buffer_clear(&maker->made);
	buffer_append(&maker->made, words, 4 * count);
	return maker->made.failed ? -ENOMEM : 0;
}

int maker_make(struct maker *maker, const struct way *way, const struct catalogue_kernel *kernel,
        const struct buffer **ret_words)
{
	int r = emit(maker, way, kernel, way->path == WAY_GLSL ? emit_glsl : emit_spirv);

	if (!r && way->path == WAY_OPTIMIZE)
		r = optimize(maker, way->level);
	if (!r && way->path == WAY_GLSL)
		r = glsl_compile(maker->glsl, (enum glsl_level)way->level, maker->emitted.data,
		        maker->emitted.length, &maker->made);
	if (!r)
		*ret_words = way->path == WAY_EMIT ? &maker->emitted : &maker->made;
	return r;
}

int maker_text(struct maker *maker, const struct way *way, const struct catalogue_kernel *kernel,
        const struct buffer **ret_text)
{
	int r = emit(maker, way, kernel, emit_wgsl);

	if (!r)
		*ret_text = &maker->emitted;
	return r;
}
