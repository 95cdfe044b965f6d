/* SPDX-License-Identifier: Apache-2.0
 *
 * Expressions and statements as text; ../plan.c has decided what stands inline. Names: v<n>
 * values and variables, i<n> loop counters, k<n> loop rounds, tile<n> workgroup arrays, dims the
 * uniform block.
 */
#include "emit/text/text.h"

#include "base/buffer.h"
#include "base/half.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- Words. */

const char *text_type(const struct text *t, ir_type type)
{
	if (ir_is_matrix(type))
		return t->matrices[ir_scalar_of(type) - IR_MATRIX_A];
	return t->dialect->types[ir_scalar_of(type)][ir_lanes_of(type) - 1];
}

bool text_reads(const struct text *t, enum ir_builtin first, enum ir_builtin last)
{
	for (ir_id id = 1; id < t->module->count; id++) {
		const struct ir_inst *inst = &t->module->insts[id];
		if (inst->op == IR_BUILTIN && inst->arg[0] >= first && inst->arg[0] <= last)
			return true;
	}
	return false;
}

static void put_name(struct text *t, ir_id id)
{
	buffer_putc(t->out, t->module->insts[id].op == IR_LOOP ? 'i' : 'v');
	buffer_put_u32(t->out, t->plan[id].name);
}

/* value = mantissa / 2^places, written out digit by digit: exact, and no locale in sight. */
bool text_put_short_float(struct buffer *out, uint32_t bits)
{
	int32_t exponent = (int32_t)(bits >> 23 & 255) - 150;
	uint64_t mantissa = (bits & 0x7fffff) | 0x800000;

	if (!(bits << 1))
		mantissa = 0, exponent = 0;
	while (mantissa && !(mantissa & 1))
		mantissa >>= 1, exponent++;
	if (exponent < -6 || exponent > 6)
		return false;
	uint32_t places = exponent < 0 ? (uint32_t)-exponent : 0;
	mantissa <<= exponent > 0 ? exponent : 0;
	if (bits >> 31)
		buffer_putc(out, '-');
	buffer_put_u32(out, (uint32_t)(mantissa >> places));
	buffer_putc(out, '.');
	do {
		mantissa = (mantissa & ((1ull << places) - 1)) * 10;
		buffer_putc(out, (char)('0' + (mantissa >> places)));
	} while (mantissa & ((1ull << places) - 1));
	return true;
}

static void put_const(struct text *t, const struct ir_inst *inst)
{
	uint32_t bits = inst->arg[0];

	switch (ir_scalar_of(inst->type)) {
	case IR_F32:
		t->dialect->put_float(t->out, IR_F32, bits);
		break;
	case IR_F16: { /* every one is an f32 too, and as that it is written */
		float value = half_to_float((uint16_t)bits);
		memcpy(&bits, &value, sizeof bits);
		t->dialect->put_float(t->out, IR_F16, bits);
		break;
	}
	case IR_BOOL:
		buffer_puts(t->out, bits ? "true" : "false");
		break;
	case IR_I32: /* as bits: the least integer has no literal */
		buffer_puts(t->out, text_type(t, inst->type));
		buffer_putc(t->out, '(');
		buffer_put_u32(t->out, bits);
		buffer_puts(t->out, "u)");
		break;
	default:
		buffer_put_u32(t->out, bits);
		buffer_putc(t->out, 'u');
	}
}

/* ---- Expressions. */

static const char *const templates[IR_OP_COUNT] = {
#define IR_ARITH(name, arity, text, ...) [IR_##name] = text,
#define IR_FLOAT(name, arity, text, ...) [IR_##name] = text,
#define IR_INT(name, arity, text, ...)   [IR_##name] = text,
#define IR_COMPARE(name, text, ...)      [IR_##name] = text,
#define IR_LOGIC(name, arity, text, ...) [IR_##name] = text,
#include "ir/ir.def"
};

static void put_inst(struct text *t, ir_id id, bool bare);

static void put_operand(struct text *t, ir_id id, bool bare)
{
	if (t->plan[id].is_inline)
		put_inst(t, id, bare);
	else
		put_name(t, id);
}

void text_operand(struct text *t, ir_id id)
{
	put_operand(t, id, false);
}

void text_argument(struct text *t, ir_id id)
{
	put_operand(t, id, true);
}

/* The template's text, operands in their places and the result's type for $t; `bare` leaves outer
 * parentheses off. */
static void put_template(struct text *t, const struct ir_inst *inst, const char *form, bool bare)
{
	size_t length = strlen(form);
	bool strip = bare && form[0] == '(' && form[length - 1] == ')';
	bool is_call = form[0] != '(';

	for (const char *at = form + strip, *end = form + length - strip; at < end;) {
		const char *dollar = memchr(at, '$', (size_t)(end - at));
		const char *stop = dollar ? dollar : end;
		buffer_append(t->out, at, (size_t)(stop - at));
		if (!dollar)
			break;
		if (dollar[1] == 't')
			buffer_puts(t->out, text_type(t, inst->type));
		else
			put_operand(t, inst->arg[dollar[1] - '0'], is_call && dollar[2] != '.');
		at = dollar + 2;
	}
}

static void put_call(struct text *t, const char *name, const struct ir_inst *inst, uint32_t count)
{
	buffer_puts(t->out, name);
	buffer_putc(t->out, '(');
	for (uint32_t i = 0; i < count; i++) {
		buffer_puts(t->out, i ? ", " : "");
		put_operand(t, inst->arg[i], true);
	}
	buffer_putc(t->out, ')');
}

static void put_element(struct text *t, const struct ir_inst *inst, uint32_t n)
{
	if (inst->op == IR_LOAD || inst->op == IR_STORE) {
		buffer_puts(t->out, t->dialect->binding_prefix);
		buffer_puts(t->out, t->module->bindings[n].name);
	} else {
		buffer_puts(t->out, "tile");
		buffer_put_u32(t->out, n);
	}
	buffer_putc(t->out, '[');
	put_operand(t, inst->arg[0], true);
	buffer_putc(t->out, ']');
}

/* A signed value shifted by a signed count, where the target wants the count unsigned. */
static void put_signed_shift(struct text *t, const struct ir_inst *inst)
{
	buffer_putc(t->out, '(');
	put_operand(t, inst->arg[0], false);
	buffer_puts(t->out, inst->op == IR_SHL ? " << " : " >> ");
	put_call(t, text_type(t, IR_TYPE(IR_U32, ir_lanes_of(inst->type))),
	        &(struct ir_inst){.arg = {inst->arg[1]}}, 1);
	buffer_putc(t->out, ')');
}

/* The dialect's own words for the instruction, or else ir.def's. */
static const char *form_of(const struct text *t, const struct ir_inst *inst)
{
	ir_type operand = t->module->insts[inst->arg[0]].type;
	enum ir_scalar scalar = ir_scalar_of(operand);
	const char *form = ir_lanes_of(operand) > 1 ? t->dialect->lane_forms[inst->op] : NULL;

	if (!form && (scalar == IR_F32 || scalar == IR_F16))
		form = t->dialect->float_forms[inst->op];
	if (!form)
		form = t->dialect->forms[inst->op];
	return form ? form : templates[inst->op];
}

/* What Tint does not see through it is told. */
static void put_mask(struct text *t, const struct ir_inst *inst, uint32_t mask)
{
	buffer_puts(t->out, "min(");
	put_template(t, inst, templates[IR_AND], true);
	buffer_printf(t->out, ", %uu)", mask);
}

static void put_computed(struct text *t, ir_id id, bool bare)
{
	const struct ir_inst *inst = &t->module->insts[id];
	uint32_t mask;
	bool is_shift = inst->op == IR_SHL || inst->op == IR_SHR;

	if (is_shift && ir_scalar_of(inst->type) == IR_I32 && t->dialect->shifts_by_unsigned)
		put_signed_shift(t, inst);
	else if (t->bounds && emit_is_mask(t->module, t->bounds, id, &mask))
		put_mask(t, inst, mask);
	else
		put_template(t, inst, form_of(t, inst), bare);
}

static const char *builtin_name(const struct text *t, uint32_t which)
{
	bool is_known = which <= IR_WORKGROUP_ID_Z && t->module->workgroups[which];

	return is_known && t->dialect->workgroups[which] ? t->dialect->workgroups[which]
	                                                 : t->dialect->builtins[which];
}

static void put_inst(struct text *t, ir_id id, bool bare)
{
	const struct ir_inst *inst = &t->module->insts[id];

	switch (inst->op) {
	case IR_CONST:
		put_const(t, inst);
		break;
	case IR_BUILTIN:
		buffer_puts(t->out, builtin_name(t, inst->arg[0]));
		break;
	case IR_UNIFORM:
		buffer_puts(t->out, "dims.");
		buffer_putc(t->out, "xyzw"[inst->arg[0] & 3]);
		break;
	case IR_BITCAST:
		put_template(t, inst, t->dialect->bitcast(t->module, inst), bare);
		break;
	case IR_CONVERT:
	case IR_SPLAT:
		put_call(t, text_type(t, inst->type), inst, 1);
		break;
	case IR_COMPOSE:
		put_call(t, text_type(t, inst->type), inst, ir_lanes_of(inst->type));
		break;
	case IR_EXTRACT:
		put_operand(t, inst->arg[0], false);
		buffer_putc(t->out, '.');
		buffer_putc(t->out, "xyzw"[inst->arg[1] & 3]);
		break;
	case IR_LOAD:
	case IR_SHARED_LOAD:
		put_element(t, inst, inst->arg[1]);
		break;
	case IR_MATRIX_LOAD:
		t->dialect->put_matrix_load(t, inst);
		break;
	case IR_GET:
		put_name(t, inst->arg[0]);
		break;
	default:
		put_computed(t, id, bare);
	}
}

/* ---- Statements. */

void text_indent(struct text *t)
{
	for (uint32_t i = 0; i < t->indent; i++)
		buffer_putc(t->out, '\t');
}

/* "let v7 = " */
static void put_declaration(struct text *t, ir_id id, const char *keyword)
{
	text_indent(t);
	buffer_puts(t->out, keyword ? keyword : text_type(t, t->module->insts[id].type));
	buffer_putc(t->out, ' ');
	put_name(t, id);
	buffer_puts(t->out, " = ");
}

static void put_assignment(struct text *t, ir_id value)
{
	buffer_puts(t->out, " = ");
	put_operand(t, value, true);
	buffer_puts(t->out, ";\n");
}

/* "for (var k7 = " */
static void put_for(struct text *t, ir_id id, char letter)
{
	const struct ir_inst *inst = &t->module->insts[id];

	text_indent(t);
	buffer_puts(t->out, "for (");
	buffer_puts(t->out, t->dialect->var ? t->dialect->var : text_type(t, inst->type));
	buffer_printf(t->out, " %c%u = ", letter, t->plan[id].name);
}

/* The value of a loop that counts rounds. */
static void put_counted(struct text *t, ir_id id)
{
	const struct ir_inst *loop = &t->module->insts[id], *from = &t->module->insts[loop->arg[0]];
	uint32_t by = t->module->insts[loop->arg[2]].arg[0];

	put_declaration(t, id, t->dialect->let);
	if (from->op != IR_CONST || from->arg[0]) {
		put_operand(t, loop->arg[0], false);
		buffer_puts(t->out, " + ");
	}
	buffer_printf(t->out, by == 1 ? "k%u;\n" : "k%u * %uu;\n", t->plan[id].name, by);
}

static void put_break(struct text *t, ir_id id)
{
	text_indent(t);
	buffer_printf(t->out, "if (i%u >= ", t->plan[id].name);
	put_operand(t, t->module->insts[id].arg[1], true);
	buffer_puts(t->out, ") { break; }\n");
}

/* Counts from a constant by 1 up to a constant; where that may be too far, it breaks. */
static void put_rounds(struct text *t, ir_id id)
{
	struct emit_rounds rounds = emit_rounds(t->module, t->bounds, &t->module->insts[id]);
	uint32_t name = t->plan[id].name;
	char letter = rounds.plain ? 'i' : 'k';

	put_for(t, id, letter);
	buffer_printf(t->out, "%uu; %c%u < %uu; %c%u++) {\n", rounds.first, letter, name,
	        rounds.most == UINT32_MAX ? UINT32_MAX : rounds.first + rounds.most, letter, name);
	t->indent++;
	if (!rounds.plain)
		put_counted(t, id);
	if (!rounds.exact)
		put_break(t, id);
}

static void put_loop(struct text *t, ir_id id)
{
	const struct ir_inst *inst = &t->module->insts[id];
	uint32_t by = t->module->insts[inst->arg[2]].arg[0], name = t->plan[id].name;

	if (t->bounds) {
		put_rounds(t, id);
		return;
	}
	put_for(t, id, 'i');
	put_operand(t, inst->arg[0], true);
	buffer_printf(t->out, "; i%u < ", name);
	put_operand(t, inst->arg[1], true);
	buffer_printf(t->out, by == 1 ? "; i%u++) {\n" : "; i%u += %uu) {\n", name, by);
	t->indent++;
}

static void put_if(struct text *t, const struct ir_inst *inst)
{
	text_indent(t);
	buffer_puts(t->out, "if (");
	put_operand(t, inst->arg[0], true);
	buffer_puts(t->out, ") {\n");
	t->indent++;
}

/* "}" and what follows it on the line. */
static void put_close(struct text *t, const char *rest)
{
	t->indent--;
	text_indent(t);
	buffer_putc(t->out, '}');
	buffer_puts(t->out, rest);
	buffer_putc(t->out, '\n');
}

static void put_statement(struct text *t, ir_id id)
{
	const struct ir_inst *inst = &t->module->insts[id];

	if (inst->op == IR_SHARED_STORE && t->halves[inst->arg[2]]) {
		t->dialect->put_halves_store(t, inst);
		return;
	}
	switch (inst->op) {
	case IR_NOP:
		break;
	case IR_MATRIX_STORE:
		t->dialect->put_matrix_store(t, inst);
		break;
	case IR_STORE:
	case IR_SHARED_STORE:
		text_indent(t);
		put_element(t, inst, inst->arg[2]);
		put_assignment(t, inst->arg[1]);
		break;
	case IR_VAR:
		put_declaration(t, id, t->dialect->var);
		put_operand(t, inst->arg[0], true);
		buffer_puts(t->out, ";\n");
		break;
	case IR_SET:
		text_indent(t);
		put_name(t, inst->arg[1]);
		put_assignment(t, inst->arg[0]);
		break;
	case IR_LOOP:
		put_loop(t, id);
		break;
	case IR_IF:
		put_if(t, inst);
		break;
	case IR_ELSE:
		put_close(t, " else {");
		t->indent++;
		break;
	case IR_END:
		put_close(t, "");
		break;
	case IR_BARRIER:
		text_indent(t);
		buffer_puts(t->out, t->dialect->barrier);
		break;
	default:
		if (t->plan[id].is_inline)
			break;
		put_declaration(t, id, t->dialect->let);
		put_inst(t, id, true);
		buffer_puts(t->out, ";\n");
	}
}

int text_emit(
        const struct ir_module *module, const struct text_dialect *dialect, struct buffer *out)
{
	struct text t = {.module = module, .dialect = dialect, .out = out, .indent = 1};

	t.plan = emit_plan(module, dialect->for_proofs);
	t.bounds = dialect->for_proofs ? emit_bounds(module) : NULL;
	int r = !t.plan || (dialect->for_proofs && !t.bounds) ? -ENOMEM : 0;
	if (!r) {
		dialect->put_head(&t);
		for (ir_id id = 1; id < module->count; id++)
			put_statement(&t, id);
		buffer_puts(out, "}\n");
	}
	free(t.plan);
	free(t.bounds);
	out->failed = out->failed || r;
	return out->failed ? -ENOMEM : 0;
}
