/* SPDX-License-Identifier: Apache-2.0
 *
 * The writer that the text targets share: it walks a module once and asks the dialect only for
 * what differs. A dialect is words in a table, and a function where the structure differs.
 */
#pragma once

#include "emit/bounds.h"
#include "emit/plan.h"

struct text;

struct text_dialect {
	const char *types[IR_SCALAR_COUNT][4]; /* by scalar and lanes - 1 */
	const char *let, *var; /* what declares a value, a variable; NULL: its type */
	const char *builtins[IR_BUILTIN_COUNT];
	const char *workgroups[3]; /* the workgroup's id, where the dispatch is known */
	const char *barrier;
	const char *binding_prefix; /* before a binding's name, against the target's keywords */
	/* Templates as ir.def's, with $t for the result's type: of structural values and of what
	 * ir.def's text does not say in this target; lane_forms where operand 0 is a vector,
	 * float_forms where it is of floats, and that makes a difference. */
	const char *forms[IR_OP_COUNT], *lane_forms[IR_OP_COUNT], *float_forms[IR_OP_COUNT];
	void (*put_head)(struct text *text); /* from the top to the entry point's opening brace */
	/* A constant of F32 or F16, given as the f32 that has its value. */
	void (*put_float)(struct buffer *out, enum ir_scalar scalar, uint32_t bits);
	/* The template of a bitcast. */
	const char *(*bitcast)(const struct ir_module *module, const struct ir_inst *inst);
	/* MATRIX_LOAD as a value, MATRIX_STORE as a line, and SHARED_STORE as a line where the
	 * array is one of `halves`. NULL where the target has no cooperative matrices. */
	void (*put_matrix_load)(struct text *text, const struct ir_inst *inst);
	void (*put_matrix_store)(struct text *text, const struct ir_inst *inst);
	void (*put_halves_store)(struct text *text, const struct ir_inst *inst);
	bool for_proofs; /* indices and loops are written so that Tint can prove their bounds */
	bool shifts_by_unsigned; /* a shift count must be unsigned */
};

struct text {
	const struct ir_module *module;
	const struct text_dialect *dialect;
	struct buffer *out;
	struct emit_plan *plan;    /* by instruction */
	struct emit_bound *bounds; /* the same; NULL where the dialect is not for proofs */
	uint32_t indent;           /* open blocks, the function included */
	char matrices[3][48];      /* types of cooperative matrices, from IR_MATRIX_A on */
	/* Arrays of words whose f16 matrices read, as put_head found: f16 each. */
	bool halves[IR_SHARED_MAX];
};

/* The whole module in the dialect. -ENOMEM. */
int text_emit(
        const struct ir_module *module, const struct text_dialect *dialect, struct buffer *out);

/* An operand as it stands in an expression; and alone, as a call's argument. */
void text_operand(struct text *text, ir_id id);
void text_argument(struct text *text, ir_id id);
/* What a line begins with. */
void text_indent(struct text *text);
/* For a dialect's head. */
const char *text_type(const struct text *text, ir_type type);
/* Whether any instruction reads one of the builtins first .. last. */
bool text_reads(const struct text *text, enum ir_builtin first, enum ir_builtin last);
/* The float in decimal if a few digits say it exactly; false if not, and nothing is written. */
bool text_put_short_float(struct buffer *out, uint32_t bits);
