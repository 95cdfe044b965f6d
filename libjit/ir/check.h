/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the checker's two files: the instruction at hand, and what both ask of types. Each rule
 * is a function that answers the rule broken, or NULL.
 */
#pragma once

#include "ir/ir.h"

#define CHECK_DEPTH_MAX 64

struct checker {
	const struct ir_module *module;
	const struct ir_inst *inst; /* at hand */
	ir_id id;
	/* Open LOOPs, IFs and ELSEs, the innermost last; 0 first. */
	ir_id blocks[CHECK_DEPTH_MAX + 1];
	uint32_t depth; /* of the last */
};

static inline ir_type check_type_of(const struct checker *c, uint32_t operand)
{
	return c->module->insts[c->inst->arg[operand]].type;
}

static inline bool check_is_number(ir_type type)
{
	return ir_scalar_of(type) != IR_VOID && ir_scalar_of(type) != IR_BOOL &&
	       !ir_is_matrix(type);
}

/* The types of an instruction that has a value and touches neither memory nor blocks
 * (check_values.c); its operands are earlier values. */
const char *check_value(const struct checker *c);
