/* SPDX-License-Identifier: Apache-2.0
 *
 * Infinities, NaN, zeros, masks and what else is at the edges: kernels of the cases' spaces in the
 * interpreter, held against the reference; and the reference against what docs/OPERATORS.md says.
 */
#include "kernel_cases.h"
#include "nnjit_eval.h"
#include "space/space.h"
#include "special_cases.h"

#include <check.h>
#include <float.h>

/* A case at some dimensions, and what each element may be. */
struct special {
	struct case_buffers buffers;
	struct special_range *ranges;
	uint32_t dims[OP_DYNAMIC_MAX];
};

static void check_kernel(struct nnjit *nnjit, const struct op *op, const struct schedule *schedule,
        struct special *special)
{
	struct case_buffers *buffers = &special->buffers;
	struct nnjit_eval_params params = {buffers->data, special->dims, CASE_SUBGROUP_SIZE, NULL};
	const struct tensor *out = &buffers->tensors[buffers->count - 1];
	char text[OP_TEXT_BYTES], axes[SCHEDULE_TEXT_BYTES];

	op_print(op, text);
	schedule_print(schedule, axes);
	case_poison(buffers, 0);
	ck_assert_msg(!nnjit_eval(nnjit, op, schedule, &params), "%s [%s]", text, axes);
	for (uint64_t e = 0; e < out->elements; e++) {
		double got = reference_read(out->dtype, buffers->data[buffers->count - 1], e);
		const struct special_range *range = &special->ranges[e];
		ck_assert_msg(special_allows(range, got),
		        "%s [%s]: element %llu is %g, not %g to %g", text, axes,
		        (unsigned long long)e, got, range->least, range->most);
	}
}

static void make(const struct op *op, struct special *special)
{
	struct case_buffers *buffers = &special->buffers;

	*buffers = (struct case_buffers){.op = op_at(op, special->dims)};
	buffers->count = op_tensors(&buffers->op, buffers->tensors);
	for (uint32_t i = 0; i < buffers->count; i++) {
		buffers->data[i] = calloc(1, tensor_bytes(&buffers->tensors[i]));
		if (i + 1 < buffers->count)
			special_fill(&buffers->op, i, buffers->data[i]);
	}
	buffers->outputs = buffers->tensors[buffers->count - 1].elements;
	special->ranges = malloc(buffers->outputs * sizeof *special->ranges);
	for (uint64_t e = 0; e < buffers->outputs; e++)
		special->ranges[e] = special_expect(&buffers->op, buffers->data, e);
}

static void check_space(struct nnjit *nnjit, const struct op *op, const struct facts *facts,
        struct special *special)
{
	struct limits limits = case_limits();
	struct space space;

	ck_assert_int_eq(space_enumerate(op, &limits, facts, &space, NULL), 0);
	/* Of functions the first kernels: the others differ in how they walk. */
	uint32_t count = op_has_steps(op) && space.count > 2 ? 2 : space.count;
	for (uint32_t n = 0; n < count; n++)
		check_kernel(nnjit, op, &space.candidates[n].schedule, special);
}

START_TEST(is_right_at_the_edges)
{
	struct special special;
	struct nnjit *nnjit;
	struct op op;

	ck_assert(special_op((uint32_t)_i, &op));
	ck_assert_int_eq(nnjit_create(&nnjit), 0);
	for (uint32_t n = 0; n < 2 && case_dims(&op, n, special.dims); n++) {
		make(&op, &special);
		for (size_t i = 0; i < CASE_FACTS; i++)
			check_space(nnjit, &op, &case_facts[i], &special);
		free(special.ranges);
		case_free(&special.buffers);
	}
	nnjit_destroy(nnjit);
}
END_TEST

/* ---- What the reference says. */

static const struct {
	const char *op;
	float x[4];
	float out[4]; /* as many as there are */
} rows[] = {
        {"softmax rows=1 n=4", {-INFINITY, -INFINITY, -INFINITY, -INFINITY}, {0, 0, 0, 0}},
        {"softmax rows=1 n=4", {-INFINITY, 1, -INFINITY, 1}, {0, 0.5f, 0, 0.5f}},
        {"softmax rows=1 n=4", {INFINITY, 1, 1, 1}, {NAN, NAN, NAN, NAN}},
        {"softmax rows=1 n=4", {-FLT_MAX, -FLT_MAX, -FLT_MAX, -FLT_MAX},
                {0.25f, 0.25f, 0.25f, 0.25f}},
        {"log_softmax rows=1 n=4", {-INFINITY, -INFINITY, -INFINITY, -INFINITY},
                {-INFINITY, -INFINITY, -INFINITY, -INFINITY}},
        {"log_softmax rows=1 n=2", {-INFINITY, 7}, {-INFINITY, 0}},
        {"reduce_max rows=1 n=4", {-INFINITY, -INFINITY, -INFINITY, -INFINITY}, {-INFINITY}},
        {"reduce_max rows=1 n=4", {1, NAN, 2, -INFINITY}, {NAN}},
        {"reduce_min rows=1 n=4", {INFINITY, INFINITY, INFINITY, INFINITY}, {INFINITY}},
        {"reduce_min rows=1 n=4", {1, NAN, 2, -INFINITY}, {NAN}},
        {"reduce_sum rows=1 n=4", {INFINITY, 1, -INFINITY, 1}, {NAN}},
        {"reduce_l2 rows=1 n=4", {-INFINITY, 1, 1, 1}, {INFINITY}},
        {"cumsum rows=1 n=4", {1, -INFINITY, 1, INFINITY}, {1, -INFINITY, -INFINITY, NAN}},
        {"rmsnorm rows=1 n=4 weight=0 eps=0", {0, 0, 0, 0}, {NAN, NAN, NAN, NAN}},
        {"max_pool c=1 h=2 w=2 kernel=2", {-INFINITY, -INFINITY, -INFINITY, -INFINITY},
                {-INFINITY}},
        {"max_pool c=1 h=1 w=1 kernel=2 pad=1,1,1,1 dilation=2", {-INFINITY}, {0}},
};

START_TEST(says_what_the_document_says)
{
	struct tensor tensors[OP_TENSORS_MAX];
	float in[4];
	struct op op;

	ck_assert_int_eq(op_parse(rows[_i].op, &op, NULL), 0);
	ck_assert_uint_eq(op_tensors(&op, tensors), 2);
	memcpy(in, rows[_i].x, sizeof in);
	for (uint32_t e = 0; e < tensors[1].elements; e++) {
		double got = reference_element(&op, (void *[]){in, NULL}, e);
		double want = (double)rows[_i].out[e];
		ck_assert_msg(isnan(want) ? isnan(got) : got == want || fabs(got - want) < 1e-6,
		        "%s: element %u is %g, not %g", rows[_i].op, e, got, want);
	}
}
END_TEST

START_TEST(sees_nothing_and_is_nothing)
{
	static const float masks[] = {-INFINITY, -1e9f, -FLT_MAX};
	float q[2] = {1, 2}, k[4] = {1, 0, 0, 3}, v[4] = {10, 20, 30, 40}, mask[2];
	struct op op;

	ck_assert_int_eq(op_parse("attention heads=1 q=1 kv=2 dim=2 mask=pair", &op, NULL), 0);
	for (uint32_t i = 0; i < 3; i++) {
		mask[0] = mask[1] = masks[i];
		double got = reference_element(&op, (void *[]){q, k, v, mask, NULL}, 0);
		/* -1e9 for all is as good as none; what is too large for a score to be seen beside
		 * it weighs alike. */
		double weight = 1 / (1 + exp((2 * 3 - 1) / sqrt(2)));
		double want = i == 0 ? 0 : i == 1 ? 10 * weight + 30 * (1 - weight) : 20;
		ck_assert_msg(fabs(got - want) < 1e-5, "mask %g: %g, not %g", (double)masks[i], got,
		        want);
	}
	mask[0] = -1e9f, mask[1] = -2e9f;
	ck_assert(reference_element(&op, (void *[]){q, k, v, mask, NULL}, 0) == 10);
}
END_TEST

static int case_count(void)
{
	struct op op;
	uint32_t count = 0;

	while (special_op(count, &op))
		count++;
	return (int)count;
}

int main(void)
{
	Suite *suite = suite_create("specials");
	TCase *tcase = tcase_create("specials");

	tcase_set_timeout(tcase, 300);
	tcase_add_loop_test(
	        tcase, says_what_the_document_says, 0, (int)(sizeof rows / sizeof *rows));
	tcase_add_test(tcase, sees_nothing_and_is_nothing);
	tcase_add_loop_test(tcase, is_right_at_the_edges, 0, case_count());
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
