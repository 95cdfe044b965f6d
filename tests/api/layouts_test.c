/* SPDX-License-Identifier: Apache-2.0
 *
 * A product with a constant input: which of its two layouts is served, and what is to be done to
 * the input then.
 */
#include "tests/api/service.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ASKED "matmul m=4 n=24 k=16"
#define OTHER "matmul m=4 n=24 k=16 trans_b=1"

static void put(const char *text, double median_ns)
{
	struct store_kernel kernel = {.schedule = "wg_x=8",
	        .generation = nnjit_generation,
	        .finished = true,
	        .measured = 3,
	        .of = 3,
	        .median_ns = median_ns,
	        .mad_ns = 10,
	        .baseline_ns = 4e6,
	        .samples = 9,
	        .checked = 64};
	struct op op;

	if (median_ns <= 0)
		return;
	snprintf(kernel.op, sizeof kernel.op, "%s", text);
	ck_assert_int_eq(op_parse(text, &op, NULL), 0);
	const struct store_key key = {class_of(0xa1), 0xd1, op_key(&op), 0};
	ck_assert_int_eq(store_put_kernel(store, &key, &kernel), 0);
}

/* Times as they are stored, 0 for what is only predicted, and what is served for them. */
static const struct {
	double asked_ns, other_ns;
	const char *rest, *served, *status;
} rows[] = {
        {1e6, 0.9e6, "", OTHER, "tuned"},
        {1e6, 0.98e6, "", ASKED, "tuned"}, /* a near-tie */
        {1e6, 1.5e6, "", ASKED, "tuned"},
        {1e6, 0, "", ASKED, "tuning"}, /* what is measured goes first */
        {0, 1e6, "", OTHER, "tuning"},
        {1e4, 0.9e4, ",\"runs\":1", ASKED, "tuned"}, /* too little to pay for laying it out */
        {1e9, 1e6, ",\"runs\":1", OTHER, "tuned"},
};

static json_t *ask(const char *op, const char *input, const char *rest)
{
	char message[512];

	snprintf(message, sizeof message,
	        "{\"id\":1,\"method\":\"kernel\",\"params\":{\"op\":\"%s\",\"device\":\"swift\","
	        "\"constant\":\"%s\"%s}}",
	        op, input, rest);
	return say(message);
}

/* The operator of the kernel that step i runs, or that of the only one. */
static const char *runs(const json_t *reply, size_t i)
{
	const json_t *result = json_object_get(reply, "result");
	const json_t *step = json_array_get(json_object_get(result, "steps"), i);
	size_t kernel = (size_t)json_integer_value(json_object_get(step, "kernel"));

	if (!step)
		return text_at(result, "op", NULL);
	return text_at(json_array_get(json_object_get(result, "kernels"), kernel), "op", NULL);
}

START_TEST(the_faster_layout_is_served)
{
	put(ASKED, rows[_i].asked_ns);
	put(OTHER, rows[_i].other_ns);
	json_t *reply = ask(ASKED, "b", rows[_i].rest);
	bool other = !strcmp(rows[_i].served, OTHER);
	const json_t *steps = json_object_get(json_object_get(reply, "result"), "steps");

	ck_assert_str_eq(text_at(reply, "result", "op"), ASKED);
	ck_assert_str_eq(text_at(reply, "result", "status"), rows[_i].status);
	ck_assert_uint_eq(json_array_size(steps), other ? 2 : 0);
	ck_assert_str_eq(runs(reply, 1), rows[_i].served);
	if (other) {
		ck_assert_str_eq(runs(reply, 0), "transpose shape=16,24 perm=1,0");
		ck_assert(json_is_true(json_object_get(json_array_get(steps, 0), "once")));
		ck_assert(json_is_false(json_object_get(json_array_get(steps, 1), "once")));
	}
	json_decref(reply);
}
END_TEST

/* Batches, types and what has no other layout. */
static const struct {
	const char *op, *input, *preparation; /* NULL: there is none */
} others[] = {
        {"matmul m=4 n=24 k=16 trans_b=1", "b", "transpose shape=24,16 perm=1,0"},
        {"matmul m=4 n=24 k=16 batch=3", "b", "transpose shape=3,16,24 perm=0,2,1"},
        {"matmul m=4 n=24 k=16 batch=3 batch_b=1", "b", "transpose shape=16,24 perm=1,0"},
        {"matmul m=4 n=24 k=16", "a", "transpose shape=4,16 perm=1,0"},
        {"matmul m=4 n=24 k=16 a=f16 b=f16 out=f16", "b",
                "transpose shape=16,24 perm=1,0 dtype=f16"},
        {"matmul m=4 n=1 k=16", "b", NULL},
        {"matmul m=?4 n=24 k=16", "b", NULL},
        {"matmul m=4 n=24 k=16 bias=1", "bias", NULL},
        {"gelu shape=4,4", "x", NULL},
};

START_TEST(what_can_be_laid_out_anew)
{
	struct op_way way;
	struct op op;
	char text[OP_TEXT_BYTES];
	struct error err;

	ck_assert_int_eq(op_parse(others[_i].op, &op, NULL), 0);
	int r = op_relaid(&op, others[_i].input, &way, &err);
	ck_assert_int_eq(r, others[_i].preparation ? 0 : -ENOENT);
	if (!r) {
		ck_assert_uint_eq(way.count, 2);
		op_print(&way.steps[0].op, text);
		ck_assert_str_eq(text, others[_i].preparation);
	}
	json_t *reply = ask(others[_i].op, others[_i].input, "");
	ck_assert_str_eq(text_at(reply, "error", "code"), "");
	json_decref(reply);
}
END_TEST

START_TEST(an_input_that_is_not_there_is_refused)
{
	json_t *reply = ask(ASKED, "weights", "");

	ck_assert_str_eq(text_at(reply, "error", "code"), "bad-value");
	ck_assert_str_eq(text_at(reply, "error", "field"), "constant");
	ck_assert_ptr_nonnull(strstr(text_at(reply, "error", "detail"), "a, b"));
	json_decref(reply);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("layouts");
	TCase *tc = tcase_create("layouts");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_loop_test(tc, the_faster_layout_is_served, 0, sizeof rows / sizeof *rows);
	tcase_add_loop_test(tc, what_can_be_laid_out_anew, 0, sizeof others / sizeof *others);
	tcase_add_test(tc, an_input_that_is_not_there_is_refused);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
