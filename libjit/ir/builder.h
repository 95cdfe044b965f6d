/* SPDX-License-Identifier: Apache-2.0
 *
 * The builder's inside, shared by build.c, simplify.c and finish.c; nobody else includes this.
 */
#pragma once

#include "ir/ir.h"

#define IR_DEPTH_MAX 64 /* nested blocks */

struct ir_slot {
	uint32_t hash;
	ir_id id; /* 0: free */
};

struct ir_scope {
	ir_id opener;         /* the LOOP or IF */
	uint32_t trail_count; /* when it was opened */
};

struct ir_builder {
	struct ir_module module;
	uint32_t capacity; /* of module.insts */
	bool failed;
	struct ir_slot *slots;
	uint32_t slot_count; /* a power of two, more than twice trail_count */
	uint32_t *trail; /* occupied slots, in the order of insertion; room for slot_count / 2 */
	uint32_t trail_count;
	ir_id block;
	uint32_t depth;
	struct ir_scope scopes[IR_DEPTH_MAX];
};

/* The instruction a value is; the pointer is good only until the next one is built. */
static inline const struct ir_inst *ir_at(const struct ir_builder *b, ir_id value)
{
	return &b->module.insts[value];
}

static inline bool ir_is_const(const struct ir_builder *b, ir_id value)
{
	return ir_at(b, value)->op == IR_CONST;
}

static inline uint32_t ir_bits(const struct ir_builder *b, ir_id constant)
{
	return ir_at(b, constant)->arg[0];
}

ir_id ir_constant(struct ir_builder *b, enum ir_scalar scalar, uint32_t bits);

/* A value that stands for the computing instruction `inst`, or 0 where it has to be built; sets
 * its result type and may put its operands in their fixed order. */
ir_id ir_simplify(struct ir_builder *b, struct ir_inst *inst);

/* A constant's bits as another scalar; false where the conversion has no defined
 * value, or no finite one. */
bool ir_convert_bits(enum ir_scalar from, enum ir_scalar to, uint32_t bits, uint32_t *ret_bits);
