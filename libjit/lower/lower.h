/* SPDX-License-Identifier: Apache-2.0
 *
 * From (operator, schedule) to IR: the way into a family's lowering, and what the families share.
 * Tensors of any element type are read and written as numbers; dimensions may be dynamic; functions
 * of numbers take any number of lanes. A lowering trusts that space_check passed; it unrolls with C
 * loops and leaves folding and numbering to the builder.
 */
#pragma once

#include "ir/ir.h"
#include "op/op.h"
#include "schedule/geometry.h"
#include "schedule/schedule.h"

struct lower {
	struct ir_builder *b;
	const struct op *op;
	const struct schedule *schedule;
	struct geometry geometry;
	enum ir_scalar
	        number; /* what floats are computed in: IR_F32, or IR_F16 if a family says so */
	bool moves;     /* elements go from tensor to tensor and are never computed with */
	struct tensor tensors[OP_TENSORS_MAX]; /* tensor n is binding n */
	uint32_t tensor_count;                 /* of those bound so far */
	uint32_t lanes[OP_TENSORS_MAX];        /* of each bound tensor */
};

/* Lowers the kernel into the builder; the caller has not begun a module and finishes it. 0, or
 * -ERANGE if the schedule is not well-formed for op. */
int lower_kernel(struct ir_builder *builder, const struct op *op, const struct schedule *schedule);

/* ---- Positions (position.c). All u32. */
ir_id lower_u32(struct lower *l, uint32_t value);
/* op.value[value]: a constant, or where that dimension is dynamic what the uniform block says. */
ir_id lower_dim(struct lower *l, uint32_t value);
/* x * y, x / y, x % y, x + y with constants folded. */
ir_id lower_times(struct lower *l, ir_id x, uint32_t factor);
ir_id lower_over(struct lower *l, ir_id x, uint32_t divisor);
ir_id lower_modulo(struct lower *l, ir_id x, uint32_t divisor);
ir_id lower_plus(struct lower *l, ir_id x, uint32_t term);
/* Local id along dimension 0..2; 0 where the workgroup is 1 wide. */
ir_id lower_local(struct lower *l, uint32_t dimension);
/* Number of the workgroup on a grid made by grid_fold. */
ir_id lower_flat_workgroup(struct lower *l);

/* ---- Tensors (tensor.c). Binds the next tensor, to be accessed `lanes` (1, 2 or 4) neighbouring
 * elements at a time, at positions counted in such vectors. Numbers are l->number for f32 and f16,
 * i32 for i32, i8 and u8, IR_BOOL for bool. Whatever a buffer's element type is, neighbours stand
 * in memory as dtype.def says; f16 is read natively where the schedule's f16 axis says so, else as
 * pairs in words. In a kernel that `moves`, f16 is no number: natively F16, else its bits in an
 * IR_U32. Returns the tensor's index. */
uint32_t lower_bind(struct lower *l, uint32_t lanes);
/* The index of the tensor of that name, or tensor_count. */
uint32_t lower_find(const struct lower *l, const char *name);
ir_id lower_load(struct lower *l, uint32_t tensor, ir_id at);
/* A store writes whole words: lanes * bits of the type is 32 at least, unless f16 is native. What
 * lies behind the tensor's end in its last word may be written. */
void lower_store(struct lower *l, uint32_t tensor, ir_id at, ir_id value);
/* Whether lower_store can write `lanes` elements of the type at once. */
bool lower_can_store(enum dtype dtype, uint32_t lanes, bool native_f16);
/* The number type that elements of the tensor are loaded as. */
enum ir_scalar lower_number(const struct lower *l, uint32_t tensor);

/* ---- f16 in words (half.c). */
/* Each lane of floats as the bits of the nearest f16, ties to even, in a u32. */
ir_id lower_half_bits(struct ir_builder *b, ir_id value);
/* Lanes 2 * word and 2 * word + 1 of such bits as one word. */
ir_id lower_half_word(struct ir_builder *b, ir_id bits, uint32_t word);

/* ---- Functions of numbers (scalar.c), for any number of lanes. */
/* `value` as a constant of the type and lanes of `like` (f32, f16 or i32). */
ir_id lower_literal(struct ir_builder *b, float value, ir_id like);
/* Row `function` of scalar.def of its operands; 0 for those it does not take. Accurate to 2e-7 *
 * (1 + |result|) in f32 within the ranges scalar.def states, but for sin, cos and pow (the device's
 * own). Never overflows: WGSL lets an infinite result be anything. */
ir_id lower_scalar(struct ir_builder *b, enum scalar function, ir_id x, ir_id y, ir_id z);
/* The activations of the ACTS field at op.value[value], one after another. */
ir_id lower_acts(struct lower *l, uint32_t value, ir_id x);
