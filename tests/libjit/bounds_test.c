/* SPDX-License-Identifier: Apache-2.0
 *
 * What is taken as proved of indices and loops: each row is what Tint was seen to leave without a
 * clamp, or to clamp.
 */
#include "emit/bounds.h"

#include "ir/ir.h"

#include <check.h>
#include <stdlib.h>

static struct ir_builder *b;

static ir_id lid(void)
{
	return ir_builtin(b, IR_LOCAL_ID_X);
}

static ir_id wid(void)
{
	return ir_builtin(b, IR_WORKGROUP_ID_X);
}

static ir_id with(enum ir_op op, ir_id x, uint32_t y)
{
	return ir_compute(b, op, x, ir_u32(b, y), 0);
}

static ir_id value(int which)
{
	switch (which) {
	case 0:
		return lid();
	case 1:
		return ir_builtin(b, IR_LOCAL_INDEX);
	case 2:
		return wid();
	case 3:
		return ir_builtin(b, IR_WORKGROUP_ID_Z);
	case 4:
		return ir_add(b, ir_mul(b, wid(), ir_u32(b, 100)), lid());
	case 5:
		return with(IR_SHL, lid(), 3);
	case 6:
		return with(IR_SHR, with(IR_MUL, lid(), 9), 1);
	case 7:
		return with(IR_DIV, ir_builtin(b, IR_LOCAL_INDEX), 3);
	case 8:
		return with(IR_MOD, ir_uniform(b, 0), 100);
	case 9:
		return with(IR_MIN, ir_uniform(b, 0), 9);
	case 10:
		return with(IR_AND, ir_uniform(b, 0), 15); /* said by min() */
	case 11:
		return with(IR_SHR, ir_uniform(b, 0), 24);
	case 12:
		return with(IR_XOR, lid(), 1);
	case 13:
		return with(IR_OR, lid(), 16);
	case 14:
		return ir_select(b, with(IR_LT, lid(), 2), lid(), ir_u32(b, 1));
	case 15:
		return ir_compute(b, IR_SUB, ir_u32(b, 100), lid(), 0);
	case 16:
		return with(IR_SUB, lid(), 1);
	case 17:
		return ir_get(b, ir_var(b, lid()));
	case 18:
		return with(IR_MUL, lid(), 0x80000000u);
	default:
		return with(IR_MAX, wid(), 5);
	}
}

static const struct emit_bound expected[] = {{0, 7, 0}, {0, 31, 0}, {0, 11, 0}, {0, UINT32_MAX, 0},
        {0, 1107, 0}, {0, 56, 0}, {0, 31, 0}, {0, 10, 0}, {0, 99, 0}, {0, 9, 0}, {0, 15, 0},
        {0, UINT32_MAX, 0}, {0, UINT32_MAX, 0}, {0, UINT32_MAX, 0}, {0, UINT32_MAX, 0},
        {93, 100, 0}, {0, UINT32_MAX, 0}, {0, UINT32_MAX, 0}, {0, UINT32_MAX, 0}, {5, 11, 0}};

static void begin(void)
{
	ck_assert_int_eq(ir_builder_create(&b), 0);
	ir_begin(b, (const uint32_t[3]){8, 4, 1});
	ir_fix(b, (const uint32_t[3]){12, 2, 0});
	ir_binding(b, "out", IR_TYPE(IR_F32, 1), true, 4096);
}

START_TEST(values)
{
	const struct ir_module *m;

	begin();
	ir_id id = value(_i);
	ir_store(b, 0, id, ir_f32(b, 1));
	ck_assert_int_eq(ir_finish(b, &m), 0);
	struct emit_bound *bounds = emit_bounds(m);
	ck_assert_ptr_nonnull(bounds);
	ck_assert_uint_eq(bounds[id].least, expected[_i].least);
	ck_assert_uint_eq(bounds[id].most, expected[_i].most);
	free(bounds);
	ir_builder_destroy(b);
}
END_TEST

static const struct {
	bool by_lane, open; /* from the lane's own place; to what only the dispatch says */
	uint32_t from, to, by;
	struct emit_rounds rounds;
	uint32_t most; /* of the loop's value */
} loops[] = {{0, 0, 0, 10, 1, {0, 10, true, true}, 9}, {0, 0, 4, 10, 1, {4, 6, true, true}, 9},
        {0, 0, 4, 64, 8, {0, 8, false, true}, 60}, {1, 0, 0, 24, 8, {0, 3, false, true}, 23},
        {1, 0, 0, 20, 8, {0, 3, false, false}, 23},
        {0, 1, 0, 0, 1, {0, UINT32_MAX, true, false}, UINT32_MAX},
        {1, 1, 0, 0, 8, {0, UINT32_MAX, false, false}, UINT32_MAX}};

START_TEST(rounds)
{
	const struct ir_module *m;

	begin();
	ir_id from = loops[_i].by_lane ? lid() : ir_u32(b, loops[_i].from);
	ir_id to = loops[_i].open ? ir_uniform(b, 0) : ir_u32(b, loops[_i].to);
	ir_id i = ir_loop(b, from, to, loops[_i].by);
	ir_store(b, 0, i, ir_f32(b, 1));
	ir_end(b);
	ck_assert_int_eq(ir_finish(b, &m), 0);
	struct emit_bound *bounds = emit_bounds(m);
	ck_assert_ptr_nonnull(bounds);
	struct emit_rounds r = emit_rounds(m, bounds, &m->insts[i]);
	ck_assert_uint_eq(r.first, loops[_i].rounds.first);
	ck_assert_uint_eq(r.most, loops[_i].rounds.most);
	ck_assert_int_eq(r.plain, loops[_i].rounds.plain);
	ck_assert_int_eq(r.exact, loops[_i].rounds.exact);
	ck_assert_uint_eq(bounds[i].most, loops[_i].most);
	free(bounds);
	ir_builder_destroy(b);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("bounds");
	TCase *tcase = tcase_create("bounds");

	tcase_add_loop_test(tcase, values, 0, (int)(sizeof expected / sizeof *expected));
	tcase_add_loop_test(tcase, rounds, 0, (int)(sizeof loops / sizeof *loops));
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
