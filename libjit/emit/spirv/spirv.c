/* SPDX-License-Identifier: Apache-2.0
 *
 * IR to SPIR-V 1.3 words, in one walk. Each section of a SPIR-V module is its own word stream;
 * types, constants and inputs are made when first asked for (module.c), values that touch no memory
 * are values.c's; everything is put together at the end. The shape is Tint's (loop counters
 * in function variables, one Block struct around each storage array), because that is what a page
 * would run. Invariant: a word count is always computed from the words, never written by hand.
 *
 *   header | decorations | globals                 | function: label, variables, prologue, body
 *   header.c               types, constants, storage             loop counters | inputs | the walk
 */
#include "emit/spirv/spirv.h"

#include "emit/spirv/matrix.h"
#include "emit/spirv/module.h"

#include <errno.h>
#include <stdlib.h>

/* A block's labels follow its id: consecutive ids, so that one number is enough to find them. */
enum {
	LOOP_VALUE,
	LOOP_COUNT,
	LOOP_VARIABLE,
	LOOP_HEADER,
	LOOP_BODY,
	LOOP_LEAVE,
	LOOP_ENTER,
	LOOP_CONTINUE,
	LOOP_MERGE,
	LOOP_IDS
};
enum { IF_THEN, IF_ELSE, IF_MERGE, IF_IDS };
#define HAS_ELSE 0x80000000u /* joins an IF's first label when its ELSE was met */

/* ---- Statements. */

static uint32_t element(struct spirv *e, const struct ir_inst *inst, uint32_t n)
{
	uint32_t index = e->bounds ? spirv_guarded_index(e, inst, n) : e->ids[inst->arg[0]], id;

	if (inst->op == IR_LOAD || inst->op == IR_STORE) {
		uint32_t type = pointer_id(e, STORAGE_BUFFER, e->module->bindings[n].type);
		uint32_t zero = u32_id(e, 0);
		id = e->next_id++;
		PUT(&e->body, SpvOpAccessChain, type, id, e->bindings[n], zero, index);
	} else {
		uint32_t type = pointer_id(e, WORKGROUP, e->module->shared[n].type);
		id = e->next_id++;
		PUT(&e->body, SpvOpAccessChain, type, id, e->shared[n], index);
	}
	return id;
}

static uint32_t function_variable(struct spirv *e, ir_type type, uint32_t id)
{
	PUT(&e->variables, SpvOpVariable, pointer_id(e, FUNCTION, type), id,
	        SpvStorageClassFunction);
	return id;
}

/* Leaves the loop, or goes on at `enter`, where the test fails. */
static void leave_unless(
        struct spirv *e, uint32_t first, uint32_t test, uint32_t enter, uint32_t leave)
{
	struct buffer *body = &e->body;

	PUT(body, SpvOpSelectionMerge, enter, SpvSelectionControlMaskNone);
	PUT(body, SpvOpBranchConditional, test, enter, leave);
	PUT(body, SpvOpLabel, leave);
	PUT(body, SpvOpBranch, first + LOOP_MERGE);
	PUT(body, SpvOpLabel, enter);
}

/* From the counter of rounds to the loop's value, and out of it where that is too large. */
static void emit_rounds_value(struct spirv *e, const struct ir_inst *inst,
        const struct emit_rounds *rounds, uint32_t first)
{
	uint32_t value = first + LOOP_COUNT;

	if (!rounds->plain) {
		uint32_t times = spirv_put2(e, SpvOpIMul, inst->type, value, e->ids[inst->arg[2]]);
		PUT(&e->body, SpvOpIAdd, type_id(e, inst->type), first + LOOP_VALUE,
		        e->ids[inst->arg[0]], times);
	}
	if (rounds->exact)
		return;
	uint32_t test = spirv_put2(
	        e, SpvOpULessThan, IR_TYPE(IR_BOOL, 1), first + LOOP_VALUE, e->ids[inst->arg[1]]);
	uint32_t enter = e->next_id++, leave = e->next_id++;
	leave_unless(e, first, test, enter, leave);
}

static struct emit_rounds rounds_of(const struct spirv *e, const struct ir_inst *loop)
{
	return e->bounds ? emit_rounds(e->module, e->bounds, loop)
	                 : (struct emit_rounds){.plain = true, .exact = true};
}

/* What the counter begins with, and where it ends. */
static void counter_ends(
        struct spirv *e, const struct ir_inst *inst, uint32_t *ret_from, uint32_t *ret_to)
{
	struct emit_rounds rounds = rounds_of(e, inst);

	*ret_from = e->ids[inst->arg[0]];
	*ret_to = e->ids[inst->arg[1]];
	if (!e->bounds)
		return;
	*ret_from = u32_id(e, rounds.first);
	*ret_to = u32_id(e, rounds.most == UINT32_MAX ? UINT32_MAX : rounds.first + rounds.most);
}

/* The counter is the value itself but where the web counts rounds. */
static void emit_loop(struct spirv *e, const struct ir_inst *inst, ir_id id)
{
	struct emit_rounds rounds = rounds_of(e, inst);
	uint32_t u32 = type_id(e, inst->type), first = e->next_id, from, to;
	uint32_t value = first + (rounds.plain ? LOOP_VALUE : LOOP_COUNT);
	struct buffer *body = &e->body;

	e->next_id += LOOP_IDS;
	e->ids[id] = first + LOOP_VALUE;
	counter_ends(e, inst, &from, &to);
	function_variable(e, inst->type, first + LOOP_VARIABLE);
	PUT(body, SpvOpStore, first + LOOP_VARIABLE, from);
	PUT(body, SpvOpBranch, first + LOOP_HEADER);
	PUT(body, SpvOpLabel, first + LOOP_HEADER);
	PUT(body, SpvOpLoopMerge, first + LOOP_MERGE, first + LOOP_CONTINUE,
	        SpvLoopControlMaskNone);
	PUT(body, SpvOpBranch, first + LOOP_BODY);
	PUT(body, SpvOpLabel, first + LOOP_BODY);
	PUT(body, SpvOpLoad, u32, value, first + LOOP_VARIABLE);
	uint32_t test = spirv_put2(e, SpvOpULessThan, IR_TYPE(IR_BOOL, 1), value, to);
	leave_unless(e, first, test, first + LOOP_ENTER, first + LOOP_LEAVE);
	emit_rounds_value(e, inst, &rounds, first);
}

static void end_loop(struct spirv *e, const struct ir_inst *loop, uint32_t first)
{
	uint32_t u32 = type_id(e, loop->type), old = e->next_id++, next = e->next_id++;
	uint32_t step = e->bounds ? u32_id(e, 1) : e->ids[loop->arg[2]];
	struct buffer *body = &e->body;

	PUT(body, SpvOpBranch, first + LOOP_CONTINUE);
	PUT(body, SpvOpLabel, first + LOOP_CONTINUE);
	PUT(body, SpvOpLoad, u32, old, first + LOOP_VARIABLE);
	PUT(body, SpvOpIAdd, u32, next, old, step);
	PUT(body, SpvOpStore, first + LOOP_VARIABLE, next);
	PUT(body, SpvOpBranch, first + LOOP_HEADER);
	PUT(body, SpvOpLabel, first + LOOP_MERGE);
}

/* Without an ELSE in the block, its label still stands, empty. */
static void emit_if(struct spirv *e, const struct ir_inst *inst, ir_id id)
{
	uint32_t first = e->next_id;

	e->next_id += IF_IDS;
	e->ids[id] = first;
	PUT(&e->body, SpvOpSelectionMerge, first + IF_MERGE, SpvSelectionControlMaskNone);
	PUT(&e->body, SpvOpBranchConditional, e->ids[inst->arg[0]], first + IF_THEN,
	        first + IF_ELSE);
	PUT(&e->body, SpvOpLabel, first + IF_THEN);
}

static void emit_else(struct spirv *e, ir_id opener)
{
	uint32_t first = e->ids[opener];

	e->ids[opener] |= HAS_ELSE;
	PUT(&e->body, SpvOpBranch, first + IF_MERGE);
	PUT(&e->body, SpvOpLabel, first + IF_ELSE);
}

static void emit_end(struct spirv *e, ir_id opener)
{
	const struct ir_inst *inst = &e->module->insts[opener];

	if (inst->op == IR_LOOP) {
		end_loop(e, inst, e->ids[opener]);
		return;
	}
	if (!(e->ids[opener] & HAS_ELSE))
		emit_else(e, opener);
	uint32_t first = e->ids[opener] & ~HAS_ELSE;
	PUT(&e->body, SpvOpBranch, first + IF_MERGE);
	PUT(&e->body, SpvOpLabel, first + IF_MERGE);
}

static void emit_barrier(struct spirv *e)
{
	uint32_t scope = u32_id(e, SpvScopeWorkgroup);
	uint32_t semantics = SpvMemorySemanticsAcquireReleaseMask |
	                     SpvMemorySemanticsWorkgroupMemoryMask;

	if (e->module->matrices.m)
		semantics |= SPIRV_SEMANTICS_MAKE_AVAILABLE | SPIRV_SEMANTICS_MAKE_VISIBLE;
	PUT(&e->body, SpvOpControlBarrier, scope, scope, u32_id(e, semantics));
}

static void ready(struct spirv *e, ir_id id);

/* The address before the value, as WGSL has it. Under the Vulkan memory model others see only what
 * is said to be not private. */
static void emit_store(struct spirv *e, const struct ir_inst *inst)
{
	ready(e, inst->arg[0]);
	uint32_t pointer = element(e, inst, inst->arg[2]);
	ready(e, inst->arg[1]);
	uint32_t value = e->ids[inst->arg[1]];
	if (inst->op == IR_SHARED_STORE && e->module->matrices.m)
		PUT(&e->body, SpvOpStore, pointer, value, SPIRV_MEMORY_NON_PRIVATE);
	else
		PUT(&e->body, SpvOpStore, pointer, value);
}

static void emit_load(struct spirv *e, const struct ir_inst *inst, uint32_t type, uint32_t result)
{
	uint32_t pointer = element(e, inst, inst->arg[1]);

	if (inst->op == IR_SHARED_LOAD && e->module->matrices.m)
		PUT(&e->body, SpvOpLoad, type, result, pointer, SPIRV_MEMORY_NON_PRIVATE);
	else
		PUT(&e->body, SpvOpLoad, type, result, pointer);
}

/* ---- The walk. */

/* Instructions without a value of their own in the body. */
static bool emit_statement(struct spirv *e, ir_id id, const struct ir_inst *inst)
{
	switch (inst->op) {
	case IR_NOP:
		return true;
	case IR_STORE:
	case IR_SHARED_STORE:
		emit_store(e, inst);
		return true;
	case IR_MATRIX_STORE:
		spirv_matrix_store(e, inst);
		return true;
	case IR_VAR:
		e->ids[id] = function_variable(e, inst->type, e->next_id++);
		PUT(&e->body, SpvOpStore, e->ids[id], e->ids[inst->arg[0]]);
		return true;
	case IR_SET:
		PUT(&e->body, SpvOpStore, e->ids[inst->arg[1]], e->ids[inst->arg[0]]);
		return true;
	case IR_LOOP:
		emit_loop(e, inst, id);
		return true;
	case IR_IF:
		emit_if(e, inst, id);
		return true;
	case IR_ELSE:
		emit_else(e, inst->arg[0]);
		return true;
	case IR_END:
		emit_end(e, inst->arg[0]);
		return true;
	case IR_BARRIER:
		emit_barrier(e);
		return true;
	default:
		return false;
	}
}

/* What reads memory or a variable; all other values are values.c's. */
static void emit_value(struct spirv *e, ir_id id, const struct ir_inst *inst)
{
	uint32_t type = type_id(e, inst->type), result = e->ids[id] = e->next_id++;

	switch (inst->op) {
	case IR_LOAD:
	case IR_SHARED_LOAD:
		emit_load(e, inst, type, result);
		break;
	case IR_MATRIX_FILL:
	case IR_MATRIX_LOAD:
	case IR_MATRIX_MULTIPLY:
		spirv_matrix_value(e, inst, result);
		break;
	case IR_GET:
		PUT(&e->body, SpvOpLoad, type, result, e->ids[inst->arg[0]]);
		break;
	default:
		spirv_value(e, id, inst, result);
	}
}

/* A constant, a vector of one, or an input: made when it is first used. */
static uint32_t leaf(struct spirv *e, ir_id id)
{
	const struct ir_inst *inst = &e->module->insts[id];

	if (inst->op == IR_CONST)
		return spirv_constant(e, inst->type, inst->arg[0]);
	if (inst->op == IR_BUILTIN)
		return spirv_builtin(e, (enum ir_builtin)inst->arg[0]);
	if (inst->op == IR_UNIFORM)
		return spirv_uniform(e, inst->arg[0]);
	if (!e->ids[inst->arg[0]])
		e->ids[inst->arg[0]] = leaf(e, inst->arg[0]);
	return spirv_constant_splat(e, inst->type, e->ids[inst->arg[0]]);
}

/* Whether SPIR-V has the constant as one: for the web that is WGSL's literals. */
static bool is_literal(const struct spirv *e, const struct ir_inst *inst)
{
	return inst->op == IR_CONST &&
	       (!e->bounds || ir_is_finite(ir_scalar_of(inst->type), inst->arg[0]));
}

static bool is_leaf(const struct spirv *e, const struct ir_inst *inst)
{
	return inst->op == IR_CONST || inst->op == IR_BUILTIN || inst->op == IR_UNIFORM ||
	       (inst->op == IR_SPLAT && is_literal(e, &e->module->insts[inst->arg[0]]));
}

static void emit_inst(struct spirv *e, ir_id id)
{
	const struct ir_inst *inst = &e->module->insts[id];
	bool stores = inst->op == IR_STORE || inst->op == IR_SHARED_STORE;

	for (uint32_t i = 0; !stores && i < ir_op_infos[inst->op].values; i++)
		ready(e, inst->arg[i]);
	if (!emit_statement(e, id, inst))
		emit_value(e, id, inst);
}

/* An operand: a leaf, or a value that stands inline where it is used, is made now. */
static void ready(struct spirv *e, ir_id id)
{
	if (!id || e->ids[id])
		return;
	if (is_leaf(e, &e->module->insts[id]))
		e->ids[id] = leaf(e, id);
	else
		emit_inst(e, id);
}

static void walk(struct spirv *e)
{
	const struct ir_module *m = e->module;

	for (ir_id id = 1; id < m->count; id++)
		if (!is_leaf(e, &m->insts[id]) && !(e->plan && e->plan[id].is_inline))
			emit_inst(e, id);
}

/* ---- The module. */

static void put_function(struct spirv *e, struct buffer *out, uint32_t main_id, uint32_t type)
{
	PUT(out, SpvOpFunction, type_id(e, IR_VOID), main_id, SpvFunctionControlMaskNone, type);
	buffer_append(out, e->variables.data, e->variables.length);
	buffer_append(out, e->prologue.data, e->prologue.length);
	buffer_append(out, e->body.data, e->body.length);
	put_words(out, SpvOpReturn, NULL, 0);
	put_words(out, SpvOpFunctionEnd, NULL, 0);
}

static void emit_module(struct spirv *e, struct buffer *out)
{
	uint32_t main_id = e->next_id++, type;

	e->glsl = e->next_id++;
	for (uint32_t i = 0; i < e->module->binding_count; i++)
		spirv_declare_binding(e, i);
	for (uint32_t i = 0; i < e->module->shared_count; i++)
		spirv_declare_shared(e, i);
	type = e->next_id++;
	PUT(&e->globals, SpvOpTypeFunction, type, type_id(e, IR_VOID));
	PUT(&e->variables, SpvOpLabel, e->next_id++);
	walk(e);
	spirv_put_header(e, out, main_id);
	buffer_append(out, e->decorations.data, e->decorations.length);
	buffer_append(out, e->globals.data, e->globals.length);
	put_function(e, out, main_id, type);
}

/* Room for the ids and for twice as many constants as there can be, from one allocation. */
static int reserve_tables(struct spirv *e)
{
	size_t count = e->module->count, slots = 256;

	while (slots < 2 * count)
		slots *= 2;
	e->constants = calloc(1, slots * sizeof *e->constants + count * sizeof *e->ids);
	if (!e->constants)
		return -ENOMEM;
	e->ids = (uint32_t *)(e->constants + slots);
	e->constant_mask = (uint32_t)slots - 1;
	buffer_reserve(&e->body, count * 6 * sizeof(uint32_t));
	return 0;
}

static bool any_failed(const struct spirv *e)
{
	return e->decorations.failed || e->globals.failed || e->variables.failed ||
	       e->prologue.failed || e->body.failed;
}

static int emit(struct spirv e, struct buffer *out)
{
	int r = reserve_tables(&e);

	if (!r) {
		emit_module(&e, out);
		r = any_failed(&e) || out->failed ? -ENOMEM : 0;
	}
	out->failed = out->failed || r;
	free(e.constants);
	buffer_free(&e.decorations);
	buffer_free(&e.globals);
	buffer_free(&e.variables);
	buffer_free(&e.prologue);
	buffer_free(&e.body);
	return r;
}

int emit_spirv(const struct ir_module *module, struct buffer *out)
{
	return emit((struct spirv){.module = module, .next_id = 1}, out);
}

static int emit_web(const struct ir_module *module, bool clamps_storage, struct buffer *out)
{
	struct spirv e = {.module = module,
	        .bounds = emit_bounds(module),
	        .plan = emit_plan(module, true),
	        .clamps_storage = clamps_storage,
	        .next_id = 1};
	int r = e.bounds && e.plan ? emit(e, out) : -ENOMEM;

	out->failed = out->failed || r;
	free(e.bounds);
	free(e.plan);
	return r;
}

int emit_spirv_web(const struct ir_module *module, struct buffer *out)
{
	return emit_web(module, false, out);
}

int emit_spirv_web_clamped(const struct ir_module *module, struct buffer *out)
{
	return emit_web(module, true, out);
}
