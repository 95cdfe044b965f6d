/* SPDX-License-Identifier: Apache-2.0
 *
 * The checker and the printer: a right module is golden as printed, and every way to break it in
 * one place is refused with the rule it breaks.
 */
#include "building.h"
#include "ir/ir.h"

#include "base/buffer.h"
#include "base/error.h"
#include "golden.h"

#include <check.h>
#include <errno.h>
#include <string.h>

/* ---- The checker: a right module, broken in one place. The module is golden too, so no two
 * builder calls stand in one argument list, where C gives them no order. */

struct broken {
	const char *rule; /* part of what the checker must say */
	void (*break_it)(struct ir_module *m);
};

/* Two words through each kind of conversion. */
static ir_id build_bits(ir_id x, ir_id y)
{
	ir_id halves = ir_convert(b, ir_unpack_half(b, x), IR_F16);
	ir_id one = ir_splat(b, ir_float(b, IR_F16, 0.1f), 2);
	ir_id larger = ir_compute(b, IR_GE, halves, one, 0);
	ir_id word = ir_bitcast(b, ir_select(b, larger, halves, one), U32);
	ir_id packed = ir_convert(b, ir_extract(b, ir_unpack_half(b, y), 0), IR_U32);
	ir_id limit = ir_uniform(b, 2);
	ir_id sum = ir_subgroup(b, IR_SUBGROUP_MIN, ir_dot4i8(b, word, packed));

	return ir_compute(b, IR_MIN, ir_convert(b, sum, IR_U32), limit, 0);
}

static struct ir_module build_right(void)
{
	uint32_t a = ir_binding(b, "a", U32, false, 4), out = ir_binding(b, "out", U32, true, 4);
	uint32_t tile = ir_shared(b, U32, 4);
	ir_id x = ir_builtin(b, IR_LOCAL_INDEX), value = ir_load(b, a, x);
	ir_id sum = ir_add(b, value, ir_u32(b, 5)), variable = ir_var(b, sum);

	ir_if(b, compute(IR_LT, value, sum));
	ir_set(b, variable, ir_mul(b, value, sum));
	ir_else(b);
	ir_store(b, out, x, ir_get(b, variable));
	ir_end(b);
	ir_id from = ir_u32(b, 0), to = ir_u32(b, 4);
	ir_id i = ir_loop(b, from, to, 1);
	ir_shared_store(b, tile, i, ir_select(b, compute(IR_EQ, i, x), i, x));
	ir_end(b);
	ir_barrier(b);
	ir_id kept = ir_get(b, variable), shared = ir_shared_load(b, tile, x);
	ir_id least = build_bits(kept, shared);
	ir_store(b, out, x, ir_add(b, kept, least));
	return *finish();
}

static struct ir_inst *find(struct ir_module *m, enum ir_op op)
{
	for (ir_id id = m->count - 1; id > 0; id--)
		if (m->insts[id].op == op)
			return &m->insts[id];
	ck_abort_msg("no such instruction");
	return NULL;
}

static struct ir_inst *first(struct ir_module *m, enum ir_op op)
{
	ir_id id = 1;

	while (id < m->count && m->insts[id].op != op)
		id++;
	ck_assert_uint_lt(id, m->count);
	return &m->insts[id];
}

static void break_binding(struct ir_module *m)
{
	find(m, IR_LOAD)->arg[1] = 2;
}
static void break_shared(struct ir_module *m)
{
	find(m, IR_SHARED_LOAD)->arg[1] = 1;
}
static void break_writable(struct ir_module *m)
{
	find(m, IR_STORE)->arg[2] = 0;
}
static void break_element_type(struct ir_module *m)
{
	m->bindings[1].type = F32;
}
static void break_operand_types(struct ir_module *m)
{
	m->insts[m->insts[find(m, IR_VAR)->arg[0]].arg[1]].type = F32; /* of the sum's 5 */
}
static void break_result_type(struct ir_module *m)
{
	find(m, IR_ADD)->type = IR_TYPE(IR_I32, 1);
}
static void break_no_type(struct ir_module *m)
{
	find(m, IR_MUL)->type = IR_VOID;
}
static void break_forward(struct ir_module *m)
{
	find(m, IR_MUL)->arg[0] = m->count - 1;
}
static void break_out_of_range(struct ir_module *m)
{
	find(m, IR_MUL)->arg[0] = 1u << 30;
}
static void break_no_value(struct ir_module *m)
{
	first(m, IR_SELECT)->arg[1] = (ir_id)(find(m, IR_SET) - m->insts);
}
static void break_scope(struct ir_module *m)
{
	first(m, IR_SELECT)->arg[1] = (ir_id)(find(m, IR_MUL) - m->insts);
}
static void break_induction_scope(struct ir_module *m)
{
	find(m, IR_STORE)->arg[0] = (ir_id)(find(m, IR_LOOP) - m->insts);
}
static void break_condition(struct ir_module *m)
{
	find(m, IR_IF)->arg[0] = find(m, IR_MUL)->arg[0];
}
static void break_else(struct ir_module *m)
{
	find(m, IR_ELSE)->arg[0] = 1;
}
static void break_end(struct ir_module *m)
{
	find(m, IR_END)->arg[0] = 1;
}
static void break_open(struct ir_module *m)
{
	*find(m, IR_END) = (struct ir_inst){.op = IR_NOP, .block = find(m, IR_SHARED_STORE)->block};
	m->count = (uint32_t)(find(m, IR_SHARED_STORE) - m->insts) + 1;
}
static void break_closed(struct ir_module *m)
{
	*find(m, IR_BARRIER) = (struct ir_inst){.op = IR_END};
}
static void break_block(struct ir_module *m)
{
	find(m, IR_BARRIER)->block = 1;
}
static void break_variable(struct ir_module *m)
{
	find(m, IR_SET)->arg[1] = 1;
}
static void break_variable_type(struct ir_module *m)
{
	find(m, IR_GET)->type = F32;
}
static void break_step(struct ir_module *m)
{
	m->insts[find(m, IR_LOOP)->arg[2]].arg[0] = 0;
}
static void break_divisor(struct ir_module *m)
{
	find(m, IR_MUL)->op = IR_DIV;
	*find(m, IR_VAR) = (struct ir_inst){.op = IR_CONST, .type = U32};
	find(m, IR_DIV)->arg[1] = find(m, IR_SET)->arg[1];
}
static void break_nan(struct ir_module *m)
{
	*find(m, IR_VAR) = (struct ir_inst){.op = IR_CONST, .type = F32, .arg = {0xffc00000}};
}
static void break_op(struct ir_module *m)
{
	find(m, IR_BARRIER)->op = IR_OP_COUNT;
}
static void break_builtin(struct ir_module *m)
{
	find(m, IR_BUILTIN)->arg[0] = IR_BUILTIN_COUNT;
}
static void break_subgroups(struct ir_module *m)
{
	m->uses_subgroups = false;
}
static void break_subgroup_type(struct ir_module *m)
{
	find(m, IR_SUBGROUP_MIN)->type = U32;
}
static void break_f16(struct ir_module *m)
{
	m->uses_f16 = false;
}
static void break_f16_array(struct ir_module *m)
{
	m->uses_f16 = false;
	m->shared[0].type = IR_TYPE(IR_F16, 1);
}
static void break_f16_nan(struct ir_module *m)
{
	*find(m, IR_VAR) = (struct ir_inst){
	        .op = IR_CONST, .type = IR_TYPE(IR_F16, 1), .arg = {0x7c01}};
}
static void break_f16_bits(struct ir_module *m)
{
	*find(m, IR_VAR) = (struct ir_inst){
	        .op = IR_CONST, .type = IR_TYPE(IR_F16, 1), .arg = {0x10000}};
}
static void break_dot(struct ir_module *m)
{
	m->uses_dot4 = false;
}
static void break_dot_type(struct ir_module *m)
{
	find(m, IR_DOT4I8)->type = U32;
}
static void break_uniform(struct ir_module *m)
{
	m->uniforms = 2;
}
static void break_uniforms(struct ir_module *m)
{
	m->uniforms = 5;
}
static void break_bitcast(struct ir_module *m)
{
	find(m, IR_BITCAST)->type = IR_TYPE(IR_U32, 2);
}
static void break_bitcast_infinity(struct ir_module *m)
{
	struct ir_inst *bitcast = find(m, IR_BITCAST);

	bitcast->type = F32;
	bitcast->arg[0] = find(m, IR_LOOP)->arg[1];
	m->insts[bitcast->arg[0]].arg[0] = 0x7f800000;
}
static void break_convert(struct ir_module *m)
{
	find(m, IR_CONVERT)->type = IR_TYPE(IR_U32, 2);
}
static void break_convert_infinity(struct ir_module *m)
{
	struct ir_inst *convert = find(m, IR_CONVERT);

	convert->type = IR_TYPE(IR_F16, 1);
	convert->arg[0] = find(m, IR_LOOP)->arg[1];
	m->insts[convert->arg[0]].arg[0] = 65520;
}
static void break_halves(struct ir_module *m)
{
	find(m, IR_UNPACK_HALF)->type = IR_TYPE(IR_F32, 4);
}
static void break_select(struct ir_module *m)
{
	find(m, IR_SELECT)->type = IR_TYPE(IR_F16, 4);
}
static void break_size(struct ir_module *m)
{
	m->workgroup_size[1] = 0;
}
static void break_name(struct ir_module *m)
{
	strcpy(m->bindings[0].name, "v12");
}
static void break_dims(struct ir_module *m)
{
	strcpy(m->bindings[0].name, "dims");
}
static void break_special(struct ir_module *m)
{
	strcpy(m->bindings[0].name, "minus_inf");
}
static void break_length(struct ir_module *m)
{
	m->shared[0].length = 0;
}

static const struct broken brokens[] = {
        {"no such binding", break_binding},
        {"no such workgroup array", break_shared},
        {"not writable", break_writable},
        {"not the element's", break_element_type},
        {"differ", break_operand_types},
        {"does not follow", break_result_type},
        {"its type is not one", break_no_type},
        {"not an earlier", break_forward},
        {"not an earlier", break_out_of_range},
        {"has no value", break_no_value},
        {"outside its block", break_scope},
        {"outside its block", break_induction_scope},
        {"not a bool", break_condition},
        {"no IF is open", break_else},
        {"innermost block", break_end},
        {"never closed", break_open},
        {"no block is open", break_closed},
        {"another block", break_block},
        {"no such variable", break_variable},
        {"not the variable's", break_variable_type},
        {"step is not a constant above 0", break_step},
        {"constant 0", break_divisor},
        {"a NaN other", break_nan},
        {"no such operation", break_op},
        {"no such builtin", break_builtin},
        {"uses subgroups", break_subgroups},
        {"does not follow", break_subgroup_type},
        {"uses f16", break_f16},
        {"workgroup array 0", break_f16_array},
        {"a NaN other", break_f16_nan},
        {"more than 16 bits", break_f16_bits},
        {"uses the packed dot product", break_dot},
        {"gives an i32", break_dot_type},
        {"no such uniform", break_uniform},
        {"uniforms", break_uniforms},
        {"as many bytes", break_bitcast},
        {"not finite", break_bitcast_infinity},
        {"keeps the lanes", break_convert},
        {"not finite as an f16", break_convert_infinity},
        {"two halves", break_halves},
        {"have lanes", break_select},
        {"workgroup size", break_size},
        {"binding 0", break_name},
        {"binding 0", break_dims},
        {"binding 0", break_special},
        {"workgroup array 0", break_length},
};

START_TEST(refuses)
{
	struct ir_module module = build_right();
	struct error err = {0};

	brokens[_i].break_it(&module);
	ck_assert_int_eq(ir_check(&module, &err), -EINVAL);
	ck_assert_msg(strstr(err.text, brokens[_i].rule) != NULL, "'%s' does not say '%s'",
	        err.text, brokens[_i].rule);
}
END_TEST

START_TEST(prints)
{
	struct ir_module module = build_right();
	struct buffer out = {0};

	ir_print(&module, &out);
	golden_compare("module.ir", &out);
	buffer_free(&out);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("check");
	TCase *tcase = tcase_create("check");
	SRunner *runner = srunner_create(suite);

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, refuses, 0, (int)(sizeof brokens / sizeof *brokens));
	tcase_add_test(tcase, prints);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
