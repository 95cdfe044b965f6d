/* SPDX-License-Identifier: Apache-2.0
 *
 * The writer that the text targets share: it walks a module once and asks the dialect only for
 * what differs. A dialect is words in a table, and a function where the structure differs.
 */
#pragma once

#include "emit/emit.h"

struct text;

struct text_dialect {
	const char *types[IR_SCALAR_COUNT][4]; /* by scalar and lanes - 1 */
	const char *let, *var; /* what declares a value, a variable; NULL: its type */
	const char *builtins[IR_BUILTIN_COUNT];
	const char *barrier, *subgroup_add;
	const char *binding_prefix; /* before a binding's name, against the target's keywords */
	void (*put_head)(struct text *text); /* from the top to the entry point's opening brace */
	void (*put_float)(struct buffer *out, uint32_t bits);
	/* The names of the operands in the order of a select's arguments: $0 condition, $1, $2. */
	const char *select;
	bool counts_by_one; /* constant loops count from 0 by 1: Tint proves only those finite */
	bool shifts_by_unsigned; /* a shift count must be unsigned */
};

struct text {
	const struct ir_module *module;
	const struct text_dialect *dialect;
	struct buffer *out;
	struct text_plan *plan; /* by instruction */
	uint32_t indent;        /* open blocks, the function included */
};

/* The whole module in the dialect. -ENOMEM. */
int text_emit(
        const struct ir_module *module, const struct text_dialect *dialect, struct buffer *out);

/* For a dialect's head. */
const char *text_type(const struct text *text, ir_type type);
/* Whether any instruction reads one of the builtins first .. last. */
bool text_reads(const struct text *text, enum ir_builtin first, enum ir_builtin last);
/* The float in decimal if a few digits say it exactly; false if not, and nothing is written. */
bool text_put_short_float(struct buffer *out, uint32_t bits);
