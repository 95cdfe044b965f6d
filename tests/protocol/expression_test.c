/* SPDX-License-Identifier: Apache-2.0
 *
 * Expressions of manifests: what they come to, and the sentence for what has no value.
 */
#include "protocol/models/expression.h"

#include "base/error.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *text;
	uint64_t value;
	bool dynamic;
	const char *why; /* "": it has a value */
} expressions[] = {
        {"7", 7, false, ""},
        {" 2 * ( a + 3 ) - 1", 25, false, ""},
        {"a*b/c-d", 10 * 7 / 5 - 4, true, ""},
        {"a-b-2", 1, true, ""},
        {"a/c*c", 10, false, ""},
        {"((((a))))", 10, false, ""},
        {"b", 7, true, ""},
        {"", 0, false, "'': a number, a name or ( is missing at its end"},
        {"a+", 0, false, "'a+': a number, a name or ( is missing at its end"},
        {"a**2", 0, false, "'a**2': a number, a name or ( is missing before *2"},
        {"(a", 0, false, "'(a': a ) is missing"},
        {"a)", 0, false, "'a)': it should end before )"},
        {"a b", 0, false, "'a b': it should end before b"},
        {"ab", 0, false, "'ab': there is no size or input named 'ab'"},
        {"3-a", 0, false, "'3-a': 3 - 10 is below 0"},
        {"a/3", 0, false, "'a/3': 10 / 3 leaves a remainder"},
        {"a/(c-5)", 0, false, "'a/(c-5)': 10 is divided by 0"},
        {"99999999999999999999", 0, false, "'99999999999999999999': the number passes 2^62"},
        {"4611686018427387904+1", 0, false, "'4611686018427387904+1': the number passes 2^62"},
        {"3037000500*3037000500", 0, false, "'3037000500*3037000500': the number passes 2^62"},
        {"1099511627776*1099511627776", 0, false,
                "'1099511627776*1099511627776': the number passes 2^62"},
        {"(((((((((((((((((((((((((((((((((1)))))))))))))))))))))))))))))))))", 0, false,
                "'(((((((((((((((((((((((((((((((((1))))))))))))))))))))))))))': "
                "more than 32 parentheses are within one another"},
};

START_TEST(expressions_are_exact)
{
	static const struct expression_name known[] = {
	        {"a", 10, false}, {"b", 7, true}, {"c", 5, false}, {"d", 4, false}};
	static const struct expression_names names = {known, 4};
	const char *text = expressions[_i].text;
	bool fails = *expressions[_i].why;
	struct expression_value value = {0};
	struct error err = {0};

	int r = expression_evaluate(text, strlen(text), &names, &value, &err);
	ck_assert_int_eq(r, fails ? -EINVAL : 0);
	ck_assert_str_eq(err.text, expressions[_i].why);
	ck_assert_uint_eq(value.number, expressions[_i].value);
	ck_assert_int_eq(value.dynamic, expressions[_i].dynamic);
}
END_TEST

START_TEST(an_expression_ends_where_it_is_told)
{
	static const struct expression_names none = {NULL, 0};
	struct expression_value value;

	ck_assert_int_eq(expression_evaluate("12345", 2, &none, &value, NULL), 0);
	ck_assert_uint_eq(value.number, 12);
	ck_assert_int_eq(expression_evaluate("12", 0, &none, &value, NULL), -EINVAL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("expression");
	TCase *all = tcase_create("all");

	tcase_add_loop_test(
	        all, expressions_are_exact, 0, (int)(sizeof expressions / sizeof *expressions));
	tcase_add_test(all, an_expression_ends_where_it_is_told);
	suite_add_tcase(suite, all);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
