/* SPDX-License-Identifier: Apache-2.0
 *
 * The GLSL 4.50 dialect, for shaderc: the conventional path, against which ours is compared.
 * Floats without a short decimal form are written as bits, so that no parser rounds them.
 */
#include "tests/bench/emit_glsl.h"

#include "base/buffer.h"
#include "emit/text/text.h"

#include <errno.h>

static void put_float(struct buffer *out, enum ir_scalar scalar, uint32_t bits)
{
	bool is_half = scalar == IR_F16;

	if ((bits >> 23 & 255) != 255 && text_put_short_float(out, bits)) {
		buffer_puts(out, is_half ? "hf" : "");
		return;
	}
	buffer_puts(out, is_half ? "float16_t(uintBitsToFloat(" : "uintBitsToFloat(");
	buffer_put_u32(out, bits);
	buffer_puts(out, is_half ? "u))" : "u)");
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
	if (m->uniforms)
		buffer_printf(t->out,
		        "layout(set = 0, binding = %u, std140) uniform Dims { uvec4 dims; };\n",
		        m->binding_count);
}

static void put_extensions(struct text *t)
{
	const struct ir_module *m = t->module;

	if (m->uses_f16)
		buffer_puts(t->out,
		        "#extension GL_EXT_shader_16bit_storage : require\n"
		        "#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require\n");
	if (m->uses_subgroups)
		buffer_puts(t->out, "#extension GL_KHR_shader_subgroup_arithmetic : require\n");
	if (m->uses_quads)
		buffer_puts(t->out, "#extension GL_KHR_shader_subgroup_quad : require\n");
	if (m->uses_subgroups && m->uses_f16)
		buffer_puts(t->out,
		        "#extension GL_EXT_shader_subgroup_extended_types_float16 : require\n");
	if (text_reads(t, IR_SUBGROUP_INVOCATION, IR_SUBGROUP_INVOCATION))
		buffer_puts(t->out, "#extension GL_KHR_shader_subgroup_basic : require\n");
}

/* GLSL has no packed dot product: shifts and multiplies. */
static const char dot_function[] = "int dot4i8(uint x, uint y)\n{\n"
                                   "\tivec4 at = ivec4(24, 16, 8, 0);\n"
                                   "\tivec4 v = (ivec4(int(x)) << at >> 24) * "
                                   "(ivec4(int(y)) << at >> 24);\n"
                                   "\treturn v.x + v.y + v.z + v.w;\n}\n";

static void put_head(struct text *t)
{
	const uint32_t *size = t->module->workgroup_size;

	buffer_puts(t->out, "#version 450\n");
	put_extensions(t);
	buffer_printf(t->out,
	        "layout(local_size_x = %u, local_size_y = %u, local_size_z = %u) in;\n", size[0],
	        size[1], size[2]);
	put_bindings(t);
	buffer_puts(t->out, t->module->uses_dot4 ? dot_function : "");
	buffer_puts(t->out, "\nvoid main()\n{\n");
}

/* words: 32 bits each, of the whole value; 0 for any number of them. */
static const struct {
	uint8_t from, to, words;
	const char *form;
} casts[] = {
        {IR_F32, IR_I32, 0, "floatBitsToInt($0)"},
        {IR_F32, IR_U32, 0, "floatBitsToUint($0)"},
        {IR_I32, IR_F32, 0, "intBitsToFloat($0)"},
        {IR_I32, IR_U32, 0, "$t($0)"},
        {IR_U32, IR_F32, 0, "uintBitsToFloat($0)"},
        {IR_U32, IR_I32, 0, "$t($0)"},
        {IR_F32, IR_F16, 1, "unpackFloat2x16(floatBitsToUint($0))"},
        {IR_I32, IR_F16, 1, "unpackFloat2x16(uint($0))"},
        {IR_U32, IR_F16, 1, "unpackFloat2x16($0)"},
        {IR_F16, IR_F32, 1, "uintBitsToFloat(packFloat2x16($0))"},
        {IR_F16, IR_I32, 1, "int(packFloat2x16($0))"},
        {IR_F16, IR_U32, 1, "packFloat2x16($0)"},
        {IR_F32, IR_F16, 2,
                "f16vec4(unpackFloat2x16(floatBitsToUint($0.x)), "
                "unpackFloat2x16(floatBitsToUint($0.y)))"},
        {IR_I32, IR_F16, 2, "f16vec4(unpackFloat2x16(uint($0.x)), unpackFloat2x16(uint($0.y)))"},
        {IR_U32, IR_F16, 2, "f16vec4(unpackFloat2x16($0.x), unpackFloat2x16($0.y))"},
        {IR_F16, IR_F32, 2, "uintBitsToFloat(uvec2(packFloat2x16($0.xy), packFloat2x16($0.zw)))"},
        {IR_F16, IR_I32, 2, "ivec2(packFloat2x16($0.xy), packFloat2x16($0.zw))"},
        {IR_F16, IR_U32, 2, "uvec2(packFloat2x16($0.xy), packFloat2x16($0.zw))"},
};

static const char *bitcast(const struct ir_module *m, const struct ir_inst *inst)
{
	enum ir_scalar from = ir_scalar_of(m->insts[inst->arg[0]].type);
	uint32_t words = ir_bytes_of(inst->type) / 4;

	for (size_t i = 0; i < sizeof casts / sizeof *casts; i++)
		if (casts[i].from == from && casts[i].to == ir_scalar_of(inst->type) &&
		        (!casts[i].words || casts[i].words == words))
			return casts[i].form;
	return "$t($0)"; /* ir_check refuses such modules */
}

static const struct text_dialect dialect = {
        .types = {[IR_BOOL] = {"bool", "bvec2", "bvec3", "bvec4"},
                [IR_I32] = {"int", "ivec2", "ivec3", "ivec4"},
                [IR_U32] = {"uint", "uvec2", "uvec3", "uvec4"},
                [IR_F32] = {"float", "vec2", "vec3", "vec4"},
                [IR_F16] = {"float16_t", "f16vec2", "f16vec3", "f16vec4"}},
        .builtins = {"gl_WorkGroupID.x", "gl_WorkGroupID.y", "gl_WorkGroupID.z",
                "gl_LocalInvocationID.x", "gl_LocalInvocationID.y", "gl_LocalInvocationID.z",
                "gl_LocalInvocationIndex", "gl_SubgroupInvocationID", "gl_SubgroupID"},
        .barrier = "barrier();\n",
        .binding_prefix = "b_",
        .forms = {[IR_SELECT] = "($0 ? $1 : $2)",
                [IR_RSQRT] = "inversesqrt($0)",
                [IR_ROUND] = "roundEven($0)",
                [IR_UNPACK_HALF] = "unpackHalf2x16($0)",
                [IR_DOT4I8] = "dot4i8($0, $1)",
                [IR_SUBGROUP_ADD] = "subgroupAdd($0)",
                [IR_SUBGROUP_MUL] = "subgroupMul($0)",
                [IR_SUBGROUP_MIN] = "subgroupMin($0)",
                [IR_SUBGROUP_MAX] = "subgroupMax($0)",
                [IR_QUAD_SWAP_X] = "subgroupQuadSwapHorizontal($0)",
                [IR_QUAD_SWAP_Y] = "subgroupQuadSwapVertical($0)",
                [IR_QUAD_SWAP_DIAGONAL] = "subgroupQuadSwapDiagonal($0)"},
        .lane_forms = {[IR_SELECT] = "mix($2, $1, $0)",
                [IR_EQ] = "equal($0, $1)",
                [IR_NE] = "notEqual($0, $1)",
                [IR_LT] = "lessThan($0, $1)",
                [IR_GE] = "greaterThanEqual($0, $1)",
                [IR_LAND] = "mix($t(false), $1, $0)",
                [IR_LOR] = "mix($1, $t(true), $0)",
                [IR_LNOT] = "not($0)"},
        .put_head = put_head,
        .put_float = put_float,
        .bitcast = bitcast,
};

int emit_glsl(const struct ir_module *module, struct buffer *out)
{
	if (module->matrices.m)
		return -ENOTSUP;
	return text_emit(module, &dialect, out);
}
