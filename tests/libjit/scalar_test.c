/* SPDX-License-Identifier: Apache-2.0
 *
 * What functions of scalar.def cost: each is lowered alone, in f32 and one lane, and the columns
 * `instructions` and `cost` must be what is then in the module.
 */
#include "building.h"

#include "lower/lower.h"

/* What instructions cost to run, in multiply-adds; those without a row cost one. */
static const uint8_t weights[IR_OP_COUNT] = {
        [IR_FDIV] = 4, [IR_SQRT] = 4, [IR_RSQRT] = 4, [IR_EXP] = 8, [IR_LOG] = 8, [IR_POW] = 16};

struct count {
	uint32_t instructions, cost;
};

static bool is_counted(const struct ir_inst *inst)
{
	return inst->op < IR_NOP || inst->op == IR_SELECT;
}

static struct count count_module(const struct ir_module *module)
{
	struct count count = {0};

	for (uint32_t i = 1; i < module->count; i++) {
		if (!is_counted(&module->insts[i]))
			continue;
		uint32_t weight = weights[module->insts[i].op];
		count.instructions++;
		count.cost += weight ? weight : 1;
	}
	return count;
}

/* A number, or a truth, that no one can fold. */
static ir_id operand(uint32_t n, bool truth)
{
	static const char *const names[] = {"x", "y", "z"};
	uint32_t binding = ir_binding(b, names[n], truth ? U32 : F32, false, 4);
	ir_id value = ir_load(b, binding, ir_u32(b, 0));

	return truth ? ir_convert(b, value, IR_BOOL) : value;
}

static void store(ir_id value)
{
	bool truth = ir_scalar_of(ir_type_of(b, value)) == IR_BOOL;
	uint32_t out = ir_binding(b, "out", truth ? U32 : F32, true, 4);

	ir_store(b, out, ir_u32(b, 0), truth ? ir_convert(b, value, IR_U32) : value);
}

START_TEST(costs_what_its_row_says)
{
	enum scalar function = (enum scalar)_i;
	const struct scalar_info *info = scalar_info(function);
	ir_id operands[3] = {0};

	for (uint32_t n = 0; n < info->arity; n++)
		operands[n] = operand(
		        n, info->takes == TAKES_LOGIC || (info->takes == TAKES_CHOICE && n == 0));
	store(lower_scalar(b, function, operands[0], operands[1], operands[2]));
	struct count count = count_module(finish());
	ck_assert_msg(count.instructions == info->instructions && count.cost == info->cost,
	        "%s: its row says %u instructions and a cost of %u, and must say %u and %u",
	        info->name, info->instructions, info->cost, count.instructions, count.cost);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("scalar");
	TCase *tcase = tcase_create("scalar");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, costs_what_its_row_says, SCALAR_END + 1, SCALAR_FUNCTION_END);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
