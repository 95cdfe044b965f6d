/* SPDX-License-Identifier: Apache-2.0
 *
 * The GLSL 4.50 dialect, for shaderc: the conventional path, against which ours is compared.
 * Floats without a short decimal form are written as bits, so that no parser rounds them.
 */
#include "emit/text.h"

#include "base/buffer.h"

static void put_float(struct buffer *out, uint32_t bits)
{
	if ((bits >> 23 & 255) != 255 && text_put_short_float(out, bits))
		return;
	buffer_puts(out, "uintBitsToFloat(");
	buffer_put_u32(out, bits);
	buffer_puts(out, "u)");
}

static void put_bindings(struct text *t)
{
	const struct ir_module *m = t->module;

	for (uint32_t i = 0; i < m->binding_count; i++)
		buffer_printf(t->out,
		        "layout(set = 0, binding = %u, std430) %sbuffer Binding%u { %s b_%s[]; "
		        "};\n",
		        i, m->bindings[i].writable ? "" : "readonly ", i,
		        text_type(t, m->bindings[i].type), m->bindings[i].name);
	for (uint32_t i = 0; i < m->shared_count; i++)
		buffer_printf(t->out, "shared %s tile%u[%u];\n", text_type(t, m->shared[i].type), i,
		        m->shared[i].length);
}

static void put_head(struct text *t)
{
	const uint32_t *size = t->module->workgroup_size;

	buffer_puts(t->out, "#version 450\n");
	if (t->module->uses_subgroups)
		buffer_puts(t->out, "#extension GL_KHR_shader_subgroup_arithmetic : require\n");
	if (text_reads(t, IR_SUBGROUP_INVOCATION, IR_SUBGROUP_INVOCATION))
		buffer_puts(t->out, "#extension GL_KHR_shader_subgroup_basic : require\n");
	buffer_printf(t->out,
	        "layout(local_size_x = %u, local_size_y = %u, local_size_z = %u) in;\n", size[0],
	        size[1], size[2]);
	put_bindings(t);
	buffer_puts(t->out, "\nvoid main()\n{\n");
}

static const struct text_dialect dialect = {
        .types = {[IR_BOOL] = {"bool", "bvec2", "bvec3", "bvec4"},
                [IR_I32] = {"int", "ivec2", "ivec3", "ivec4"},
                [IR_U32] = {"uint", "uvec2", "uvec3", "uvec4"},
                [IR_F32] = {"float", "vec2", "vec3", "vec4"}},
        .builtins = {"gl_WorkGroupID.x", "gl_WorkGroupID.y", "gl_WorkGroupID.z",
                "gl_LocalInvocationID.x", "gl_LocalInvocationID.y", "gl_LocalInvocationID.z",
                "gl_LocalInvocationIndex", "gl_SubgroupInvocationID"},
        .barrier = "barrier();\n",
        .subgroup_add = "subgroupAdd",
        .binding_prefix = "b_",
        .put_head = put_head,
        .put_float = put_float,
        .select = "($0 ? $1 : $2)",
};

int emit_glsl(const struct ir_module *module, struct buffer *out)
{
	return text_emit(module, &dialect, out);
}
