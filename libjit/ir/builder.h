/* SPDX-License-Identifier: Apache-2.0
 *
 * The builder's inside, shared by number.c, build.c, simplify.c and finish.c. Nobody else includes
 * this, but for the test and the benchmark that set `left_out` (tests/libjit/ir_test.c,
 * tests/bench/ways.c).
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

/* What a builder can be told not to do, so that the worth of doing it can be measured. The module
 * means the same without. */
enum ir_leave_out {
	IR_LEAVE_OUT_FOLDING = 1,   /* constants, integer algebra, taking vectors apart again */
	IR_LEAVE_OUT_NUMBERING = 2, /* of computing and of reading what nobody writes */
	IR_LEAVE_OUT_DROPPING = 4,  /* of values without a use */
};

struct ir_builder {
	struct ir_module module;
	uint32_t left_out; /* enum ir_leave_out bits; 0 in a new builder, kept by ir_begin */
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

static inline bool ir_folds(const struct ir_builder *b)
{
	return !(b->left_out & IR_LEAVE_OUT_FOLDING);
}

/* A constant that may be folded. */
static inline bool ir_is_const(const struct ir_builder *b, ir_id value)
{
	return ir_at(b, value)->op == IR_CONST && ir_folds(b);
}

static inline uint32_t ir_bits(const struct ir_builder *b, ir_id constant)
{
	return ir_at(b, constant)->arg[0];
}

/* ---- number.c. 0 after a failure. */
/* The instruction, appended. */
ir_id ir_append(struct ir_builder *b, const struct ir_inst *inst);
/* The value in sight that is the same instruction, or else the instruction appended. */
ir_id ir_number(struct ir_builder *b, const struct ir_inst *inst);
/* Takes what was numbered since out of sight. */
void ir_forget(struct ir_builder *b, uint32_t trail_count);

ir_id ir_constant(struct ir_builder *b, enum ir_scalar scalar, uint32_t bits);

/* A value that stands for the computing instruction `inst`, or 0 where it has to be built; sets
 * its result type and may put its operands in their fixed order. */
ir_id ir_simplify(struct ir_builder *b, struct ir_inst *inst);

/* A constant's bits as another scalar; false where the conversion has no defined
 * value. */
bool ir_convert_bits(enum ir_scalar from, enum ir_scalar to, uint32_t bits, uint32_t *ret_bits);
