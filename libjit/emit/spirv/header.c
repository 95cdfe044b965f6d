/* SPDX-License-Identifier: Apache-2.0
 *
 * What a SPIR-V module begins with (SPIR-V specification, 2.4 "Logical Layout"): capabilities,
 * extensions, memory model, entry point. It is written last, as only then is known what the code
 * uses.
 */
#include "emit/spirv/matrix.h"
#include "emit/spirv/module.h"

#define SPIRV_1_3 0x00010300

/* The operands of an instruction while they are put together. */
struct operands {
	uint32_t words[32], count;
};

static void add_words(struct operands *o, const uint32_t *words, uint32_t count)
{
	memcpy(o->words + o->count, words, count * sizeof *words);
	o->count += count;
}

/* A literal string: NUL-terminated, filled up to whole words with zeros. */
static void add_text(struct operands *o, const char *text)
{
	memcpy(o->words + o->count, text, strlen(text));
	o->count += (uint32_t)strlen(text) / 4 + 1;
}

static void put_extension(struct buffer *out, const char *name)
{
	struct operands o = {0};

	add_text(&o, name);
	put_words(out, SpvOpExtension, o.words, o.count);
}

static void put_capabilities(const struct spirv *e, struct buffer *out)
{
	const struct ir_module *m = e->module;

	PUT(out, SpvOpCapability, SpvCapabilityShader);
	if (m->uses_subgroups || e->inputs[IR_SUBGROUP_INVOCATION] || e->inputs[IR_SUBGROUP_ID])
		PUT(out, SpvOpCapability, SpvCapabilityGroupNonUniform);
	if (m->uses_subgroups)
		PUT(out, SpvOpCapability, SpvCapabilityGroupNonUniformArithmetic);
	if (m->uses_quads)
		PUT(out, SpvOpCapability, SpvCapabilityGroupNonUniformQuad);
	if (m->uses_f16) {
		PUT(out, SpvOpCapability, SpvCapabilityFloat16);
		PUT(out, SpvOpCapability, SpvCapabilityStorageBuffer16BitAccess);
	}
	if (m->matrices.m) {
		PUT(out, SpvOpCapability, SPIRV_CAPABILITY_VULKAN_MEMORY_MODEL);
		PUT(out, SpvOpCapability, SPIRV_CAPABILITY_COOPERATIVE_MATRIX);
	}
	if (m->uses_dot4) {
		PUT(out, SpvOpCapability, SpvCapabilityDotProductKHR);
		PUT(out, SpvOpCapability, SpvCapabilityDotProductInput4x8BitPackedKHR);
	}
}

static void put_extensions(const struct ir_module *m, struct buffer *out)
{
	if (m->uses_dot4)
		put_extension(out, "SPV_KHR_integer_dot_product");
	if (!m->matrices.m)
		return;
	put_extension(out, "SPV_KHR_vulkan_memory_model");
	put_extension(out, "SPV_KHR_cooperative_matrix");
}

void spirv_put_header(struct spirv *e, struct buffer *out, uint32_t main_id)
{
	const uint32_t *size = e->module->workgroup_size;
	struct operands import = {0}, entry = {0};
	const uint32_t header[5] = {SpvMagicNumber, SPIRV_1_3, 0, e->next_id, 0};

	buffer_append(out, header, sizeof header);
	put_capabilities(e, out);
	put_extensions(e->module, out);
	add_words(&import, &e->glsl, 1);
	add_text(&import, "GLSL.std.450");
	put_words(out, SpvOpExtInstImport, import.words, import.count);
	PUT(out, SpvOpMemoryModel, SpvAddressingModelLogical,
	        e->module->matrices.m ? SPIRV_MEMORY_MODEL_VULKAN : SpvMemoryModelGLSL450);
	add_words(&entry, (const uint32_t[]){SpvExecutionModelGLCompute, main_id}, 2);
	add_text(&entry, "main");
	add_words(&entry, e->input_vars, e->input_count);
	put_words(out, SpvOpEntryPoint, entry.words, entry.count);
	PUT(out, SpvOpExecutionMode, main_id, SpvExecutionModeLocalSize, size[0], size[1], size[2]);
}
