/* SPDX-License-Identifier: Apache-2.0
 *
 * Which output elements are verified: all of small ones, the edges of large ones, of any rank,
 * never one that is not there; with which dimensions dynamic operators are tried; and that inputs
 * and choices are the same on every machine.
 */
#include "base/error.h"
#include "daemon/gpu/points.h"
#include "daemon/gpu/samples.h"
#include "reference/reference.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>

static struct op parse(const char *text)
{
	struct error err;
	struct op op;

	ck_assert_msg(op_parse(text, &op, &err) == 0, "%s: %s", text, err.text);
	return op;
}

static struct samples choose(const char *text, struct tensor *ret_output)
{
	struct tensor tensors[OP_TENSORS_MAX];
	struct samples samples;
	struct op op = parse(text);

	uint32_t count = op_tensors(&op, tensors);
	ck_assert_int_eq(samples_choose(&op, 42, SAMPLES_STEPS, &samples), 0);
	*ret_output = tensors[count - 1];
	return samples;
}

static bool holds(const struct samples *samples, uint64_t element)
{
	for (uint32_t i = 0; i < samples->count; i++)
		if (samples->elements[i] == element)
			return true;
	return false;
}

static const struct {
	const char *text;
	uint32_t count;
} counts[] = {
        {"matmul m=1 n=1 k=1", 1},
        {"matmul m=7 n=5 k=3 batch=3", 105},
        {"matmul m=64 n=64 k=64", 4096},
        {"matmul m=65 n=64 k=64", 4096},
        {"matmul m=4096 n=4096 k=4096", 4096},
        {"matmul m=256 n=256 k=65536", 305},
        {"matmul m=100 n=100 k=10000000", 64},
        {"matmul m=1 n=4 k=10000000", 4},
        {"matmul m=1 n=50257 k=768", 4096},
        {"matmul m=50257 n=1 k=768", 4096},
        {"softmax rows=1000 n=1000", 4096},
        {"reduce_sum rows=2 n=60000000", 2},
        {"argmax rows=500 n=100000", 200},
        {"attention heads=12 q=512 kv=512 dim=64", 4096},
        {"transpose shape=3,4,5,6,7,8 perm=5,4,3,2,1,0", 4096},
        {"cast shape=2000000 dtype=f32 out=bool", 4096},
        {"groupnorm batch=2 c=320 inner=4096 groups=32", 488},
};

START_TEST(count_and_range)
{
	struct tensor output;
	struct samples samples = choose(counts[_i].text, &output);

	ck_assert_uint_eq(samples.count, counts[_i].count);
	for (uint32_t i = 0; i < samples.count; i++) {
		ck_assert_uint_lt(samples.elements[i], output.elements);
		if (i)
			ck_assert_uint_ge(samples.elements[i], samples.elements[i - 1]);
		if (output.elements == samples.count)
			ck_assert_uint_eq(samples.elements[i], i);
	}
	samples_free(&samples);
}
END_TEST

/* Rows of attention are dear: the samples lie in a few hundred of them, and what is computed of a
 * row together is what it is one by one. */
START_TEST(elements_of_a_row_together)
{
	struct tensor output, tensors[OP_TENSORS_MAX];
	struct samples samples = choose("attention heads=8 q=1024 kv=1024 dim=80", &output);
	struct op op = parse("attention heads=2 kv_heads=1 q=5 kv=7 dim=4 causal=1 mask=pair");
	void *buffers[OP_TENSORS_MAX] = {0};
	uint64_t elements[40];
	double values[40];
	uint32_t rows = 1, count = op_tensors(&op, tensors) - 1;

	for (uint32_t i = 1; i < samples.count; i++)
		rows += samples.elements[i] / 80 != samples.elements[i - 1] / 80;
	ck_assert_uint_lt(rows, 800);
	ck_assert_uint_gt(rows, 200);
	samples_free(&samples);
	for (uint32_t i = 0; i < count; i++) {
		buffers[i] = malloc(tensor_bytes(&tensors[i]));
		reference_fill(&op, i, 1, buffers[i]);
	}
	for (uint32_t i = 0; i < 40; i++)
		elements[i] = i;
	reference_elements(&op, buffers, elements, 40, values);
	for (uint32_t i = 0; i < 40; i++)
		ck_assert_double_eq(values[i], reference_element(&op, buffers, i));
	for (uint32_t i = 0; i < count; i++)
		free(buffers[i]);
}
END_TEST

/* All crossings of edges fit among the samples of this one. */
START_TEST(tile_edges)
{
	static const uint64_t edges[] = {
	        0, 3, 4, 7, 8, 15, 16, 31, 32, 63, 64, 127, 128, 255, 256, 299};
	struct tensor output;
	struct samples samples = choose("matmul m=300 n=300 k=8", &output);

	for (size_t i = 0; i < sizeof edges / sizeof *edges; i++)
		for (size_t j = 0; j < sizeof edges / sizeof *edges; j++)
			ck_assert_msg(holds(&samples, edges[i] * 300 + edges[j]),
			        "row %lu column %lu", (unsigned long)edges[i],
			        (unsigned long)edges[j]);
	samples_free(&samples);
}
END_TEST

/* Where two dimensions are tiled as one, their joint edges count. */
START_TEST(edges_of_joined_dimensions)
{
	struct tensor output;
	struct samples samples = choose("conv2d c=1 h=30 w=50 oc=90", &output);
	uint32_t joined = 0, flat = 0;

	for (uint32_t i = 0; i < samples.count; i++) {
		uint64_t pixel = samples.elements[i] % 1500;
		joined += pixel == 63 || pixel == 64 || pixel == 127 || pixel == 128;
		flat += samples.elements[i] == 1500 * 90 - 1 || samples.elements[i] == 127;
	}
	ck_assert_uint_gt(joined, 40); /* by chance 11 */
	ck_assert_uint_ge(flat, 2);
	samples_free(&samples);
}
END_TEST

START_TEST(corners_of_first_and_last_matrix)
{
	struct tensor output;
	struct samples samples = choose("matmul m=500 n=600 k=100000 batch=3", &output);

	ck_assert_uint_eq(samples.count, 200);
	ck_assert(holds(&samples, 0));
	ck_assert(holds(&samples, 599));
	ck_assert(holds(&samples, 499 * 600));
	ck_assert(holds(&samples, 2 * 300000));
	ck_assert(holds(&samples, 3 * 300000 - 1));
	samples_free(&samples);
}
END_TEST

START_TEST(same_everywhere)
{
	struct tensor output;
	struct samples one = choose("matmul m=1000 n=1000 k=1000", &output);
	struct samples two = choose("matmul m=1000 n=1000 k=1000", &output);

	for (uint32_t i = 0; i < one.count; i++)
		ck_assert_uint_eq(one.elements[i], two.elements[i]);
	/* Written down once; another machine must agree to the bit. */
	struct op op = parse("matmul m=1000 n=1000 k=1000");
	ck_assert_double_eq(reference_input(&op, 0, 1, 0), -0x1.93p-2);
	ck_assert_double_eq(reference_input(&op, 0, 1, 1), -0x1.6p-2);
	ck_assert_double_eq(reference_input(&op, 1, 7, 123456789012345), -0x1.438p-1);
	samples_free(&one);
	samples_free(&two);
}
END_TEST

START_TEST(inputs_spread_evenly)
{
	double sum = 0, squares = 0;
	const int count = 100000;
	struct op op = parse("matmul m=1000 n=1000 k=1000");

	for (int i = 0; i < count; i++) {
		double x = reference_input(&op, 1, 3, (uint64_t)i);
		ck_assert(x >= -1 && x < 1);
		sum += x;
		squares += x * x;
	}
	ck_assert_double_lt(fabs(sum / count), 0.01);
	ck_assert_double_lt(fabs(squares / count - 1.0 / 3), 0.01);
}
END_TEST

/* 1 x 1 of a row of ones and a column of halves: the reference is the sum, the scale its size. */
START_TEST(references)
{
	float a[4] = {1, 1, 1, 1}, b[4] = {0.5, 0.5, 0.5, 0.5};
	void *buffers[OP_TENSORS_MAX] = {a, b};
	struct tensor output;
	struct samples samples = choose("matmul m=1 n=1 k=4", &output);
	struct op op = parse("matmul m=1 n=1 k=4");

	samples_refer(&samples, &op, buffers, REFERENCE_ORDINARY);
	ck_assert_double_eq(samples.references[0], 2);
	ck_assert_double_eq(samples.rule.scale, 2);
	ck_assert_double_eq(samples.rule.tolerance, 1e-5);
	b[0] = -1.5;
	samples_refer(&samples, &op, buffers, REFERENCE_ORDINARY);
	ck_assert_double_eq(samples.references[0], 0);
	ck_assert_double_eq(samples.rule.scale, 2.0 / 3);
	samples_free(&samples);
}
END_TEST

START_TEST(rows_apart)
{
	struct tensor output;
	struct samples samples = choose("matmul m=3 n=4 k=2 pitch=6", &output);

	ck_assert_uint_eq(samples.count, 16); /* the last row ends with its own */
	for (uint64_t e = 0; e < 16; e++)
		ck_assert_int_eq(samples_between_rows(&samples, e), e % 6 >= 4);
	samples_free(&samples);
	samples = choose("matmul m=3 n=4 k=2", &output);
	ck_assert(!samples_between_rows(&samples, 5));
	samples_free(&samples);
}
END_TEST

/* ---- Points. */

static const struct {
	const char *text;
	uint64_t most_bytes;
	uint32_t timed, count, dims[POINTS_MAX][2];
} point_rows[] = {
        {"matmul m=8 n=8 k=8", UINT64_MAX, 1, 1, {{0}}},
        {"matmul m=?128 n=8 k=8", UINT64_MAX, 1, 4, {{128}, {1}, {127}, {129}}},
        {"matmul m=?1 n=8 k=8", UINT64_MAX, 1, 2, {{1}, {2}}},
        {"matmul m=?64..256 n=8 k=8", UINT64_MAX, 3, 5, {{64}, {128}, {256}, {127}, {129}}},
        {"matmul m=?5..5 n=8 k=8", UINT64_MAX, 1, 1, {{5}}},
        {"matmul m=?7..8 n=8 k=8", UINT64_MAX, 2, 2, {{7}, {8}}},
        {"matmul m=?100 n=?1..9 k=8", UINT64_MAX, 3, 6,
                {{100, 1}, {100, 3}, {100, 9}, {1, 1}, {99, 2}, {101, 4}}},
        {"matmul m=?1..4096 n=8 k=8", 8192, 2, 4, {{1}, {64}, {63}, {65}}},
        {"matmul m=?100 n=8 k=8", 100, 1, 1, {{100}}}, /* the first is refused elsewhere */
};

START_TEST(points_chosen)
{
	struct op op = parse(point_rows[_i].text);
	struct points points;

	points_choose(&op, point_rows[_i].most_bytes, &points);
	ck_assert_uint_eq(points.timed, point_rows[_i].timed);
	ck_assert_uint_eq(points.count, point_rows[_i].count);
	for (uint32_t i = 0; i < points.count; i++)
		for (uint32_t n = 0; n < 2; n++)
			ck_assert_msg(points.dims[i][n] == point_rows[_i].dims[i][n],
			        "%s: point %u has %u,%u", point_rows[_i].text, i, points.dims[i][0],
			        points.dims[i][1]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("samples");
	TCase *tests = tcase_create("samples");
	SRunner *runner = srunner_create(suite);

	tcase_add_loop_test(tests, count_and_range, 0, sizeof counts / sizeof *counts);
	tcase_add_test(tests, elements_of_a_row_together);
	tcase_add_test(tests, tile_edges);
	tcase_add_test(tests, corners_of_first_and_last_matrix);
	tcase_add_test(tests, same_everywhere);
	tcase_add_test(tests, inputs_spread_evenly);
	tcase_add_test(tests, references);
	tcase_add_test(tests, rows_apart);
	tcase_add_test(tests, edges_of_joined_dimensions);
	tcase_add_loop_test(tests, points_chosen, 0, sizeof point_rows / sizeof *point_rows);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
