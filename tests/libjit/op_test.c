/* SPDX-License-Identifier: Apache-2.0
 *
 * Descriptors: canonical text, keys, tensors, and every way to be refused.
 */
#include "nnjit.h"

#include <check.h>
#include <string.h>

static const struct {
	const char *text, *canonical;
} spellings[] = {
        {"matmul m=256 n=256 k=256", "matmul m=256 n=256 k=256"},
        {"  matmul  k=3\tn=2 m=1  ", "matmul m=1 n=2 k=3"},
        {"matmul m=1 n=2 k=3 batch=1 bias=0 act=none a=f32", "matmul m=1 n=2 k=3"},
        {"matmul act=gelu_tanh bias=1 k=3 residual=1 n=2 m=1 trans_a=1 trans_b=1 batch=4",
                "matmul m=1 n=2 k=3 batch=4 trans_a=1 trans_b=1 bias=1 residual=1 act=gelu_tanh"},
        {"matmul m=67108864 n=1 k=1", "matmul m=67108864 n=1 k=1"},
};

START_TEST(canonical)
{
	char text[OP_TEXT_BYTES];
	struct op op, again;

	ck_assert_int_eq(op_parse(spellings[_i].text, &op, NULL), 0);
	op_print(&op, text);
	ck_assert_str_eq(text, spellings[_i].canonical);
	ck_assert_int_eq(op_parse(text, &again, NULL), 0);
	ck_assert_uint_eq(op_key(&op), op_key(&again));
}
END_TEST

static const struct {
	const char *text;
	enum op_refusal refusal;
	const char *field;
} refusals[] = {
        {"", OP_BAD_SYNTAX, "op"},
        {"   ", OP_BAD_SYNTAX, "op"},
        {"matmul m", OP_BAD_SYNTAX, "op"},
        {"matmul =3", OP_BAD_SYNTAX, "op"},
        {"conv9d m=1", OP_UNKNOWN_OPERATOR, "op"},
        {"matmul m=1 n=1 k=1 colour=3", OP_UNKNOWN_FIELD, "colour"},
        {"matmul m=1 n=1 k=1 m=1", OP_DUPLICATE_FIELD, "m"},
        {"matmul m=1 n=1", OP_MISSING_FIELD, "k"},
        {"matmul m=0 n=1 k=1", OP_BAD_VALUE, "m"},
        {"matmul m=-1 n=1 k=1", OP_BAD_VALUE, "m"},
        {"matmul m=1.5 n=1 k=1", OP_BAD_VALUE, "m"},
        {"matmul m=0x10 n=1 k=1", OP_BAD_VALUE, "m"},
        {"matmul m=67108865 n=1 k=1", OP_BAD_VALUE, "m"},
        {"matmul m=99999999999999999999999 n=1 k=1", OP_BAD_VALUE, "m"},
        {"matmul m=1 n= k=1", OP_BAD_VALUE, "n"},
        {"matmul m=1 n=1 k=1 trans_a=2", OP_BAD_VALUE, "trans_a"},
        {"matmul m=1 n=1 k=1 act=swish", OP_BAD_VALUE, "act"},
        {"matmul m=1 n=1 k=1 a=f64", OP_BAD_VALUE, "a"},
        {"matmul m=65536 n=65536 k=1", OP_TOO_LARGE, "out"},
        {"matmul m=67108864 n=67108864 k=67108864 batch=67108864", OP_TOO_LARGE, "a"},
};

START_TEST(refused)
{
	struct op op = {.value = {42}};
	struct error err = {0};

	ck_assert_int_eq(op_parse(refusals[_i].text, &op, &err), refusals[_i].refusal);
	ck_assert_str_eq(err.field, refusals[_i].field);
	ck_assert_msg(err.text[0], "a refusal says why");
	ck_assert_uint_eq(op.value[0], 42); /* untouched */
}
END_TEST

START_TEST(long_words_do_not_overflow)
{
	char text[5000] = "matmul m=1 n=1 k=1 ";
	struct op op;

	memset(text + 19, 'x', sizeof text - 20);
	text[4000] = '=';
	text[sizeof text - 1] = '\0';
	ck_assert_int_ne(op_parse(text, &op, NULL), 0);
}
END_TEST

START_TEST(tensors)
{
	struct tensor t[OP_TENSORS_MAX];
	struct op op;

	ck_assert_int_eq(
	        op_parse("matmul m=2 n=3 k=5 batch=7 trans_a=1 bias=1 residual=1", &op, NULL), 0);
	ck_assert_uint_eq(op_tensors(&op, t), 5);
	static const struct {
		const char *name;
		uint32_t rank, shape[3];
	} expected[] = {{"a", 3, {7, 5, 2}}, {"b", 3, {7, 5, 3}}, {"bias", 1, {3}},
	        {"residual", 3, {7, 2, 3}}, {"out", 3, {7, 2, 3}}};
	for (uint32_t i = 0; i < 5; i++) {
		ck_assert_str_eq(t[i].name, expected[i].name);
		ck_assert_uint_eq(t[i].rank, expected[i].rank);
		ck_assert_mem_eq(t[i].shape, expected[i].shape, 4 * expected[i].rank);
		ck_assert_int_eq(t[i].output, i == 4);
	}
	ck_assert(op_flops(&op) == 2.0 * 2 * 3 * 5 * 7);
	ck_assert(op_bytes(&op) == 4.0 * (70 + 105 + 3 + 42 + 42));
}
END_TEST

START_TEST(keys_are_stable) /* stored on disk: a change here is a change of format */
{
	struct op op;

	ck_assert_int_eq(op_parse("matmul m=256 n=256 k=256", &op, NULL), 0);
	ck_assert_uint_eq(op_key(&op), 0x3e13c3866f534d9eull);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("op");
	TCase *tests = tcase_create("op");

	tcase_add_loop_test(tests, canonical, 0, sizeof spellings / sizeof *spellings);
	tcase_add_loop_test(tests, refused, 0, sizeof refusals / sizeof *refusals);
	tcase_add_test(tests, long_words_do_not_overflow);
	tcase_add_test(tests, tensors);
	tcase_add_test(tests, keys_are_stable);
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
