/* SPDX-License-Identifier: Apache-2.0
 *
 * The WGSL dialect: words, declarations, and floats exact to the bit. Tint must accept the text
 * without a warning, and prove every loop finite and as many indices as it can within their arrays,
 * or it adds counters and clamps of its own (emit/bounds.h).
 */
#include "emit/text/wgsl.h"

#include "base/buffer.h"
#include "emit/text/text.h"

#include <stdio.h>

/* 0x1.8p+1f: digits after the point are the fraction's bits, trailing zeros left off. */
static void put_hex_float(struct buffer *out, uint32_t bits)
{
	int32_t exponent = (int32_t)(bits >> 23 & 255);
	uint32_t fraction = (bits & 0x7fffff) << 9; /* from the top bit down */

	if (!exponent) { /* subnormal: made to start with 1 as well */
		int32_t zeros = __builtin_clz(fraction) + 1;
		fraction = fraction << (zeros - 1) << 1;
		exponent = 1 - zeros;
	}
	buffer_puts(out, bits >> 31 ? "-0x1" : "0x1");
	if (fraction)
		buffer_putc(out, '.');
	for (; fraction; fraction <<= 4)
		buffer_putc(out, "0123456789abcdef"[fraction >> 28]);
	buffer_puts(out, exponent < 127 ? "p-" : "p+");
	buffer_put_u32(out, (uint32_t)(exponent < 127 ? 127 - exponent : exponent - 127));
}

/* Infinities and NaN have no literal, and an expression of constants that gives one is an error.
 * Each is a value by name: put_specials makes it of bits that Tint takes for a variable's. */
static const char *special_name(uint32_t bits)
{
	return bits == 0x7f800000 ? "inf" : bits == 0xff800000 ? "minus_inf" : "nan";
}

static const char *special_suffix(enum ir_scalar scalar)
{
	return scalar == IR_F16 ? "_h" : "";
}

static void put_float(struct buffer *out, enum ir_scalar scalar, uint32_t bits)
{
	if (!ir_is_finite(IR_F32, bits)) {
		buffer_puts(out, special_name(bits));
		buffer_puts(out, special_suffix(scalar));
		return;
	}
	if (!text_put_short_float(out, bits))
		put_hex_float(out, bits);
	buffer_putc(out, scalar == IR_F16 ? 'h' : 'f');
}

/* ---- Cooperative matrices, by Chromium's experimental extension: columns before rows in a type,
 * and arrays of the element's own type in memory. */

static void name_matrices(struct text *t)
{
	const struct ir_matrices *m = &t->module->matrices;

	snprintf(t->matrices[0], sizeof *t->matrices, "subgroup_matrix_left<f16, %u, %u>", m->k,
	        m->m);
	snprintf(t->matrices[1], sizeof *t->matrices, "subgroup_matrix_right<f16, %u, %u>", m->n,
	        m->k);
	snprintf(t->matrices[2], sizeof *t->matrices, "subgroup_matrix_result<f32, %u, %u>", m->n,
	        m->m);
	for (ir_id id = 1; id < t->module->count; id++) {
		const struct ir_inst *inst = &t->module->insts[id];
		ir_type type = t->module->shared[inst->arg[1] % IR_SHARED_MAX].type;
		if (inst->op == IR_MATRIX_LOAD && ir_scalar_of(type) == IR_U32)
			t->halves[inst->arg[1]] = true;
	}
}

/* Elements of the array as declared, for one of the module's. */
static uint32_t each(const struct text *t, uint32_t shared)
{
	return t->halves[shared] ? 2 * ir_lanes_of(t->module->shared[shared].type) : 1;
}

static void put_matrix_load(struct text *t, const struct ir_inst *inst)
{
	uint32_t shared = inst->arg[1];

	buffer_printf(t->out, "subgroupMatrixLoad<%s, %s>(&tile%u, ", text_type(t, inst->type),
	        inst->arg[3] ? "col_major" : "row_major", shared);
	text_operand(t, inst->arg[0]);
	if (t->halves[shared])
		buffer_printf(t->out, " * %uu", each(t, shared));
	buffer_printf(t->out, ", %uu)", inst->arg[2] * each(t, shared));
}

/* fn put0(at: u32, words: vec4<u32>): words one by one as two f16. */
static void put_halves(struct text *t, uint32_t n)
{
	uint32_t lanes = ir_lanes_of(t->module->shared[n].type);

	buffer_printf(t->out, "fn put%u(at: u32, words: %s) {\n", n,
	        text_type(t, t->module->shared[n].type));
	for (uint32_t i = 0; i < lanes; i++) {
		buffer_printf(t->out, "\tlet half%u = bitcast<vec2<f16>>(words%s);\n", i,
		        lanes > 1 ? (const char *const[]){".x", ".y", ".z", ".w"}[i] : "");
		buffer_printf(
		        t->out, "\ttile%u[at * %uu + %uu] = half%u.x;\n", n, 2 * lanes, 2 * i, i);
		buffer_printf(t->out, "\ttile%u[at * %uu + %uu] = half%u.y;\n", n, 2 * lanes,
		        2 * i + 1, i);
	}
	buffer_puts(t->out, "}\n");
}

/* "put0(index, value);" */
static void put_halves_store(struct text *t, const struct ir_inst *inst)
{
	text_indent(t);
	buffer_printf(t->out, "put%u(", inst->arg[2]);
	text_argument(t, inst->arg[0]);
	buffer_puts(t->out, ", ");
	text_argument(t, inst->arg[1]);
	buffer_puts(t->out, ");\n");
}

/* Sums go to arrays of f32, or of vectors of it. */
static void put_matrix_store(struct text *t, const struct ir_inst *inst)
{
	text_indent(t);
	buffer_printf(t->out, "subgroupMatrixStore<row_major>(&tile%u, ", inst->arg[2]);
	text_argument(t, inst->arg[0]);
	buffer_puts(t->out, ", ");
	text_argument(t, inst->arg[1]);
	buffer_printf(t->out, ", %uu);\n", inst->arg[3]);
}

static void put_shared(struct text *t, uint32_t n)
{
	const struct ir_shared *shared = &t->module->shared[n];

	buffer_printf(t->out, "var<workgroup> tile%u: array<%s, %u>;\n", n,
	        t->halves[n] ? "f16" : text_type(t, shared->type), shared->length * each(t, n));
	if (t->halves[n])
		put_halves(t, n);
}

/* ---- The module's head. */

/* Of a known length where that is known: an index proved below it needs no clamp. */
static void put_binding(struct text *t, uint32_t n)
{
	const struct ir_binding *binding = &t->module->bindings[n];

	buffer_printf(t->out, "@group(0) @binding(%u) var<storage, %s> %s: array<%s", n,
	        binding->writable ? "read_write" : "read", binding->name,
	        text_type(t, binding->type));
	if (t->module->workgroups[0])
		buffer_printf(t->out, ", %u", binding->length);
	buffer_puts(t->out, ">;\n");
}

static void put_declarations(struct text *t)
{
	const struct ir_module *m = t->module;

	for (uint32_t i = 0; i < m->binding_count; i++)
		put_binding(t, i);
	for (uint32_t i = 0; i < m->shared_count; i++)
		put_shared(t, i);
	if (m->uniforms)
		buffer_printf(t->out, "@group(0) @binding(%u) var<uniform> dims: vec4<u32>;\n",
		        m->binding_count);
}

static void put_parameters(struct text *t)
{
	static const struct {
		enum ir_builtin first, last;
		const char *text;
	} parameters[] = {
	        {IR_WORKGROUP_ID_X, IR_WORKGROUP_ID_Z, "@builtin(workgroup_id) wid: vec3<u32>"},
	        {IR_LOCAL_ID_X, IR_LOCAL_ID_Z, "@builtin(local_invocation_id) lid: vec3<u32>"},
	        {IR_LOCAL_INDEX, IR_LOCAL_INDEX, "@builtin(local_invocation_index) lix: u32"},
	        {IR_SUBGROUP_INVOCATION, IR_SUBGROUP_INVOCATION,
	                "@builtin(subgroup_invocation_id) sid: u32"},
	        {IR_SUBGROUP_ID, IR_SUBGROUP_ID, "@builtin(subgroup_id) sub: u32"},
	};
	const char *between = "";

	for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++) {
		if (!text_reads(t, parameters[i].first, parameters[i].last))
			continue;
		buffer_puts(t->out, between);
		buffer_puts(t->out, parameters[i].text);
		between = ", ";
	}
}

/* No workgroup's id reaches the dispatch's size, which Tint has to be told. */
static void put_workgroups(struct text *t)
{
	for (uint32_t i = 0; i < 3; i++)
		if (t->module->workgroups[i] &&
		        text_reads(t, (enum ir_builtin)(IR_WORKGROUP_ID_X + i),
		                (enum ir_builtin)(IR_WORKGROUP_ID_X + i)))
			buffer_printf(t->out, "\tlet w%c = min(wid.%c, %uu);\n", "xyz"[i], "xyz"[i],
			        t -> module -> workgroups[i] - 1);
}

static bool has_constant(const struct ir_module *m, ir_type type, uint32_t bits)
{
	for (ir_id id = 1; id < m->count; id++)
		if (m->insts[id].op == IR_CONST && m->insts[id].type == type &&
		        m->insts[id].arg[0] == bits)
			return true;
	return false;
}

/* "var inf_bits = 2139095040u;" and "let inf = bitcast<f32>(inf_bits);" for each in use. */
static void put_specials(struct text *t)
{
	static const struct {
		enum ir_scalar scalar;
		uint32_t bits, as_f32;
	} specials[] = {
	        {IR_F32, 0x7f800000, 0x7f800000},
	        {IR_F32, 0xff800000, 0xff800000},
	        {IR_F32, 0x7fc00000, 0x7fc00000},
	        {IR_F16, 0x7c00, 0x7f800000},
	        {IR_F16, 0xfc00, 0xff800000},
	        {IR_F16, 0x7e00, 0x7fc00000},
	};

	for (size_t i = 0; i < sizeof specials / sizeof *specials; i++) {
		bool is_half = specials[i].scalar == IR_F16;
		const char *name = special_name(specials[i].as_f32);
		const char *suffix = special_suffix(specials[i].scalar);
		if (!has_constant(t->module, IR_TYPE(specials[i].scalar, 1), specials[i].bits))
			continue;
		buffer_printf(t->out, "\tvar %s%s_bits = %uu;\n", name, suffix, specials[i].bits);
		buffer_printf(t->out, "\tlet %s%s = bitcast<%s>(%s%s_bits)%s;\n", name, suffix,
		        is_half ? "vec2<f16>" : "f32", name, suffix, is_half ? ".x" : "");
	}
}

static void put_head(struct text *t)
{
	const uint32_t *size = t->module->workgroup_size;

	if (t->module->uses_f16)
		buffer_puts(t->out, "enable f16;\n");
	if (t->module->uses_subgroups || text_reads(t, IR_SUBGROUP_INVOCATION, IR_SUBGROUP_ID))
		buffer_puts(t->out, "enable subgroups;\n");
	if (t->module->matrices.m) {
		buffer_puts(t->out, "enable chromium_experimental_subgroup_matrix;\n");
		name_matrices(t);
	}
	put_declarations(t);
	buffer_printf(t->out, "\n@compute @workgroup_size(%u, %u, %u)\nfn main(", size[0], size[1],
	        size[2]);
	put_parameters(t);
	buffer_puts(t->out, ") {\n");
	put_workgroups(t);
	put_specials(t);
}

static const char *bitcast(const struct ir_module *m, const struct ir_inst *inst)
{
	(void)m, (void)inst;
	return "bitcast<$t>($0)";
}

static const struct text_dialect dialect = {
        .types = {[IR_BOOL] = {"bool", "vec2<bool>", "vec3<bool>", "vec4<bool>"},
                [IR_I32] = {"i32", "vec2<i32>", "vec3<i32>", "vec4<i32>"},
                [IR_U32] = {"u32", "vec2<u32>", "vec3<u32>", "vec4<u32>"},
                [IR_F32] = {"f32", "vec2<f32>", "vec3<f32>", "vec4<f32>"},
                [IR_F16] = {"f16", "vec2<f16>", "vec3<f16>", "vec4<f16>"}},
        .let = "let",
        .var = "var",
        .builtins = {"wid.x", "wid.y", "wid.z", "lid.x", "lid.y", "lid.z", "lix", "sid", "sub"},
        .workgroups = {"wx", "wy", "wz"},
        .barrier = "workgroupBarrier();\n",
        .binding_prefix = "",
        .forms = {[IR_SELECT] = "select($2, $1, $0)",
                [IR_UNPACK_HALF] = "unpack2x16float($0)",
                [IR_DOT4I8] = "dot4I8Packed($0, $1)",
                [IR_MATRIX_FILL] = "$t($0)",
                [IR_MATRIX_MULTIPLY] = "subgroupMatrixMultiplyAccumulate($0, $1, $2)",
                [IR_SUBGROUP_ADD] = "subgroupAdd($0)",
                [IR_SUBGROUP_MUL] = "subgroupMul($0)",
                [IR_SUBGROUP_MIN] = "subgroupMin($0)",
                [IR_SUBGROUP_MAX] = "subgroupMax($0)",
                [IR_QUAD_SWAP_X] = "quadSwapX($0)",
                [IR_QUAD_SWAP_Y] = "quadSwapY($0)",
                [IR_QUAD_SWAP_DIAGONAL] = "quadSwapDiagonal($0)"},
        .float_forms = {[IR_NE] = "(!($0 == $1))"}, /* Tint's != is false of NaN */
        .lane_forms = {[IR_LAND] = "($0 & $1)", [IR_LOR] = "($0 | $1)"},
        .put_head = put_head,
        .put_float = put_float,
        .bitcast = bitcast,
        .put_matrix_load = put_matrix_load,
        .put_matrix_store = put_matrix_store,
        .put_halves_store = put_halves_store,
        .for_proofs = true,
        .shifts_by_unsigned = true,
};

int emit_wgsl(const struct ir_module *module, struct buffer *out)
{
	return text_emit(module, &dialect, out);
}
