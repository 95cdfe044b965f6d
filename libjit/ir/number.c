/* SPDX-License-Identifier: Apache-2.0
 *
 * The builder's memory: instructions appended, values numbered (common subexpressions found as they
 * are built), blocks taken out of sight. What an instruction means is build.c's.
 *
 * Numbering is an open-addressing table of the values in sight. Every insertion is on a trail; when
 * a block ends, the insertions made in it are taken back, last first, which leaves linear probing
 * exactly as it was. Invariant: every id in the table may be used at the current position.
 *
 *   slots  [ . | 7 | . | 3 | 9 | . ]      trail  [ 3, 1, 4 ]   positions in slots, oldest first
 *                                                      ^ trail_count when the block was opened
 */
#include "ir/builder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_INST 1024 /* initial room; both are powers of two */
#define FIRST_SLOT 2048

const struct ir_op_info ir_op_infos[IR_OP_COUNT] = {
#define IR_ARITH(name, arity, ...) [IR_##name] = {#name, arity, true, true, IR_COMPUTES},
#define IR_FLOAT(name, arity, ...) [IR_##name] = {#name, arity, true, true, IR_COMPUTES},
#define IR_INT(name, arity, ...)   [IR_##name] = {#name, arity, true, true, IR_COMPUTES},
#define IR_COMPARE(name, ...)      [IR_##name] = {#name, 2, true, true, IR_COMPUTES},
#define IR_LOGIC(name, arity, ...) [IR_##name] = {#name, arity, true, true, IR_COMPUTES},
#define IR_STRUCT(name, values, has_result, is_pure) \
	[IR_##name] = {#name, values, has_result, is_pure, IR_STRUCTURAL},
#define IR_SUBGROUP(name, ...) [IR_##name] = {#name, 1, true, false, IR_SUBGROUP_WIDE},
#define IR_QUAD(name, ...)     [IR_##name] = {#name, 1, true, false, IR_QUAD_WIDE},
#include "ir/ir.def"
};

/* ---- Lifetime. */

int ir_builder_create(struct ir_builder **ret_builder)
{
	struct ir_builder *b = calloc(1, sizeof *b);

	if (!b)
		return -ENOMEM;
	b->capacity = FIRST_INST;
	b->slot_count = FIRST_SLOT;
	b->module.insts = calloc(b->capacity, sizeof *b->module.insts);
	b->slots = calloc(b->slot_count, sizeof *b->slots);
	b->trail = malloc(b->slot_count / 2 * sizeof *b->trail);
	if (!b->module.insts || !b->slots || !b->trail) {
		ir_builder_destroy(b);
		return -ENOMEM;
	}
	ir_begin(b, (const uint32_t[3]){1, 1, 1});
	*ret_builder = b;
	return 0;
}

void ir_builder_destroy(struct ir_builder *b)
{
	if (!b)
		return;
	free(b->module.insts);
	free(b->slots);
	free(b->trail);
	free(b);
}

void ir_forget(struct ir_builder *b, uint32_t trail_count)
{
	while (b->trail_count > trail_count)
		b->slots[b->trail[--b->trail_count]].id = 0;
}

void ir_begin(struct ir_builder *b, const uint32_t workgroup_size[3])
{
	struct ir_inst *insts = b->module.insts;

	ir_forget(b, 0);
	b->module = (struct ir_module){.insts = insts, .count = 1};
	memcpy(b->module.workgroup_size, workgroup_size, sizeof b->module.workgroup_size);
	insts[0] = (struct ir_inst){.op = IR_NOP};
	b->failed = false;
	b->block = 0;
	b->depth = 0;
}

void ir_fix(struct ir_builder *b, const uint32_t workgroups[3])
{
	memcpy(b->module.workgroups, workgroups, sizeof b->module.workgroups);
}

/* ---- Appending. */

static bool grow_insts(struct ir_builder *b)
{
	struct ir_inst *insts = NULL;

	if (b->capacity <= UINT32_MAX / 2 / sizeof *insts)
		insts = realloc(b->module.insts, 2ul * b->capacity * sizeof *insts);
	if (!insts) {
		b->failed = true;
		return false;
	}
	b->module.insts = insts;
	b->capacity *= 2;
	return true;
}

static inline void count_use(struct ir_inst *inst)
{
	inst->uses += inst->uses != UINT16_MAX;
}

ir_id ir_append(struct ir_builder *b, const struct ir_inst *inst)
{
	struct ir_module *m = &b->module;

	if (b->failed || (m->count == b->capacity && !grow_insts(b)))
		return 0;
	for (uint32_t i = 0, values = ir_op_infos[inst->op].values; i < values; i++)
		if (inst->arg[i])
			count_use(&m->insts[inst->arg[i]]);
	m->insts[m->count] = *inst;
	m->insts[m->count].block = b->block;
	return m->count++;
}

/* ---- Value numbering. */

static inline uint32_t hash_inst(const struct ir_inst *inst)
{
	uint64_t low = (uint64_t)inst->arg[0] << 32 | inst->arg[1];
	uint64_t high = (uint64_t)inst->arg[2] << 32 | inst->arg[3];
	uint64_t h = low * 0x9e3779b97f4a7c15ull;

	h ^= (high + ((uint64_t)inst->op << 8 | inst->type)) * 0xc2b2ae3d27d4eb4full;
	h ^= h >> 29;
	return (uint32_t)(h * 0xbf58476d1ce4e5b9ull >> 32);
}

static inline bool same_inst(const struct ir_inst *x, const struct ir_inst *y)
{
	return x->op == y->op && x->type == y->type && x->arg[0] == y->arg[0] &&
	       x->arg[1] == y->arg[1] && x->arg[2] == y->arg[2] && x->arg[3] == y->arg[3];
}

/* Inserting again in the order of the trail keeps "last in, first out" true in the new table. */
static bool grow_slots(struct ir_builder *b)
{
	uint32_t count = 2 * b->slot_count;
	struct ir_slot *slots = calloc(count, sizeof *slots);
	uint32_t *trail = realloc(b->trail, count / 2 * sizeof *trail);

	if (trail)
		b->trail = trail;
	if (!slots || !trail) {
		free(slots);
		b->failed = true;
		return false;
	}
	for (uint32_t i = 0; i < b->trail_count; i++) {
		struct ir_slot old = b->slots[trail[i]];
		uint32_t at = old.hash & (count - 1);

		while (slots[at].id)
			at = (at + 1) & (count - 1);
		slots[at] = old;
		trail[i] = at;
	}
	free(b->slots);
	b->slots = slots;
	b->slot_count = count;
	return true;
}

ir_id ir_number(struct ir_builder *b, const struct ir_inst *inst)
{
	uint32_t hash = hash_inst(inst), mask = b->slot_count - 1, at = hash & mask;

	if (b->left_out & IR_LEAVE_OUT_NUMBERING)
		return ir_append(b, inst);
	for (; b->slots[at].id; at = (at + 1) & mask)
		if (b->slots[at].hash == hash && same_inst(&b->module.insts[b->slots[at].id], inst))
			return b->slots[at].id;
	ir_id id = ir_append(b, inst);
	if (!id)
		return 0;
	b->slots[at] = (struct ir_slot){hash, id};
	b->trail[b->trail_count++] = at;
	if (b->trail_count == b->slot_count / 2)
		grow_slots(b);
	return id;
}
