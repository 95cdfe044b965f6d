/* SPDX-License-Identifier: Apache-2.0
 *
 * The JSON writer against Jansson, whose spelling clients know: escapes, numbers, commas.
 */
#include "protocol/artifact/writer.h"

#include <check.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void check_text(struct buffer *text, json_t *value, size_t flags)
{
	char *wanted = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | flags);

	ck_assert(!text->failed);
	ck_assert_str_eq(text->data, wanted);
	free(wanted);
	json_decref(value);
	buffer_free(text);
}

static const char *const texts[] = {"", "plain", "\"", "\\", "a\"b\\c/d", "\b\f\n\r\t",
        "\x01\x1f\x7f", "caf\xc3\xa9 \xe2\x82\xac", "line\nline\n"};

START_TEST(texts_are_escaped)
{
	struct buffer text = {0};
	struct writer writer = {.text = &text};

	write_text(&writer, NULL, texts[_i]);
	check_text(&text, json_string(texts[_i]), 0);
}
END_TEST

static const double numbers[] = {0, -0.0, 1, -1, 8, 0.1, 0.2, 1. / 3, 2. / 3, 1e-7, 1.25e-7, 1e300,
        -1e-300, 123456789012, 1234567890123, 1e15, 1e16, 1e17, 1e21, 100, 1e5, 6.8, 4.9e-324,
        1.7976931348623157e308, 1e10, 1e-10, 1e100, 3.0000000000000004};

START_TEST(numbers_are_spelt_alike)
{
	static const int digits[] = {12, 17, 1};

	for (size_t i = 0; i < sizeof digits / sizeof *digits; i++) {
		struct buffer text = {0};
		struct writer writer = {.text = &text, .digits = digits[i]};
		write_real(&writer, NULL, numbers[_i]);
		check_text(&text, json_real(numbers[_i]), JSON_REAL_PRECISION(digits[i]));
	}
}
END_TEST

START_TEST(what_is_no_number_is_null)
{
	struct buffer text = {0};
	struct writer writer = {.text = &text, .digits = 12};

	write_open(&writer, NULL, '[');
	write_real(&writer, NULL, NAN);
	write_real(&writer, NULL, INFINITY);
	write_close(&writer, ']');
	check_text(&text, json_pack("[n,n]"), 0);
}
END_TEST

START_TEST(members_stand_in_order_with_commas_between)
{
	struct buffer text = {0};
	struct writer writer = {.text = &text, .digits = 12};

	write_open(&writer, NULL, '{');
	write_open(&writer, "empty", '{');
	write_close(&writer, '}');
	write_open(&writer, "list", '[');
	write_whole(&writer, NULL, INT64_MIN);
	write_null(&writer, NULL);
	write_open(&writer, NULL, '[');
	write_close(&writer, ']');
	write_close(&writer, ']');
	write_name(&writer, "raw");
	buffer_puts(&text, "true");
	write_whole(&writer, "last", INT64_MAX);
	write_close(&writer, '}');
	check_text(&text,
	        json_pack("{s:{},s:[I,n,[]],s:b,s:I}", "empty", "list", (json_int_t)INT64_MIN,
	                "raw", 1, "last", (json_int_t)INT64_MAX),
	        0);
}
END_TEST

#define LENGTH(array) ((int)(sizeof(array) / sizeof *(array)))

int main(void)
{
	Suite *suite = suite_create("writer");
	TCase *tests = tcase_create("writer");

	tcase_add_loop_test(tests, texts_are_escaped, 0, LENGTH(texts));
	tcase_add_loop_test(tests, numbers_are_spelt_alike, 0, LENGTH(numbers));
	tcase_add_test(tests, what_is_no_number_is_null);
	tcase_add_test(tests, members_stand_in_order_with_commas_between);
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
