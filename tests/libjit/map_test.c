/* SPDX-License-Identifier: Apache-2.0
 *
 * Maps where random inputs do not go: values at the edges of types, indices out of range, arguments
 * of sine that take many turns, products that wrap round; and schedules that no space would offer.
 */
#include "nnjit.h"

#include "base/error.h"
#include "nnjit_eval.h"
#include "reference/reference.h"
#include "space/space.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LENGTH(array) (sizeof(array) / sizeof *(array))
#define ROOM          64 /* elements of any tensor here */

static const struct facts cpu = {
        .fma_gflops = 20, .memory_gbps = 10, .launch_ns = 5000, .cpu = true};
static const struct facts gpu = {.fma_gflops = 10000, .memory_gbps = 500, .launch_ns = 3000};

static struct op parse(const char *text)
{
	struct error err = {0};
	struct op op;

	ck_assert_msg(!op_parse(text, &op, &err), "%s: %s", text, err.text);
	return op;
}

/* ---- Values at the edges. Inputs beyond those listed are as usual. */

static const struct edge {
	const char *op;
	double x[8]; /* of the first tensor */
	double y[8]; /* of the second, if it has one */
	double out[8];
	double error;
} edges[] = {
        {"cast shape=8 out=i8", {127.9, -128.9, 300, -300, 0.9, -0.9, 1e9, -1e9}, {0},
                {127, -128, 127, -128, 0, 0, 127, -128}, 0},
        {"cast shape=8 out=u8", {255.5, -1, 256, 0.99, 1.5, 254.9, 1e9, -1e9}, {0},
                {255, 0, 255, 0, 1, 254, 255, 0}, 0},
        {"cast shape=8 out=i32", {0x1p31, -0x1p31, 3e9, -3e9, 1.9, -1.9, 0, 2147483520}, {0},
                {INT32_MAX, INT32_MIN, INT32_MAX, INT32_MIN, 1, -1, 0, 2147483520}, 0},
        {"cast shape=8 out=bool", {0, -0.0, 1e-30, -1, 2, 0.5, 0, 1}, {0}, {0, 0, 1, 1, 1, 1, 0, 1},
                0},
        {"cast shape=8 out=i32", {NAN, -NAN, INFINITY, -INFINITY, 1, -1, 0, 2}, {0},
                {0, 0, INT32_MAX, INT32_MIN, 1, -1, 0, 2}, 0},
        {"cast shape=8 out=u8", {NAN, -NAN, INFINITY, -INFINITY, 1, -1, 0, 2}, {0},
                {0, 0, 255, 0, 1, 0, 0, 2}, 0},
        {"cast shape=8 out=bool", {NAN, -NAN, INFINITY, -INFINITY, 1, -1, 0, -0.0}, {0},
                {1, 1, 1, 1, 1, 1, 0, 0}, 0},
        {"cast shape=8 dtype=i32 out=i8", {300, -300, 127, 128, -129, 255, 256, 0}, {0},
                {44, -44, 127, -128, 127, -1, 0, 0}, 0},
        {"cast shape=8 dtype=i8 out=u8", {-1, -128, 127, 0, 1, -2, 5, -5}, {0},
                {255, 128, 127, 0, 1, 254, 5, 251}, 0},
        {"mul shape=8 dtype=i32", {65536, INT32_MIN, 123456, -7, 0, 1, INT32_MAX, 3},
                {65536, -1, 654321, 9, 5, INT32_MIN, INT32_MAX, -4},
                {0, INT32_MIN, (int32_t)(uint32_t)(123456ull * 654321), -63, 0, INT32_MIN, 1, -12},
                0},
        {"abs shape=8 dtype=i32", {INT32_MIN, -1, 0, 1, INT32_MAX, -INT32_MAX, 7, -7}, {0},
                {INT32_MIN, 1, 0, 1, INT32_MAX, INT32_MAX, 7, 7}, 0},
        {"gather rows=5 count=8", {10, 11, 12, 13, 14}, {0, 4, 5, 100, -1, -5, -6, INT32_MIN},
                {10, 14, 14, 14, 14, 10, 10, 10}, 0},
        {"quantize outer=8", {0.5, 1.5, 2.5, -0.5, -1.5, 1000, -1000, 0.49}, {1},
                {0, 2, 2, 0, -2, 127, -128, 0}, 0},
        {"sin shape=8", {0, 1.5707964, 3.1415927, 100, -1000, 10000, -25000, 0.001}, {0},
                {0, 1, -8.742278e-8, -0.5063656, -0.8268796, -0.3056144, 0.7133993, 0.001}, 1e-6},
        {"cos shape=8", {0, 1.5707964, 3.1415927, 100, -1000, 10000, -25000, 0.001}, {0},
                {1, -4.371139e-8, -1, 0.8623189, 0.5623791, -0.9521554, 0.7007577, 0.9999995},
                1e-6},
        {"map shape=8 dtype=i32 steps=x,alpha,add alpha=16777217", {1, 2, 3, 4, 5, 6, 7, 8}, {0},
                {16777218, 16777219, 16777220, 16777221, 16777222, 16777223, 16777224, 16777225},
                0},
        {"pad shape=6 before=1 after=1 dtype=i32 value=-2147483647", {1, 2, 3, 4, 5, 6}, {0},
                {-2147483647, 1, 2, 3, 4, 5, 6, -2147483647}, 0},
        {"resize h=1 w=2 oh=1 ow=4 mode=linear", {-0x1p127, 0x1p127}, {0},
                {-0x1p127, -0x1p126, 0x1p126, 0x1p127}, 0},
        {"resize h=1 w=2 oh=1 ow=4 mode=linear", {-INFINITY, 1}, {0},
                {-INFINITY, -INFINITY, -INFINITY, 1}, 0},
        {"max_pool c=1 h=1 w=1 kernel=2 dilation=2 pad=1", {7}, {0}, {0}, 0},
        {"max_pool c=1 h=1 w=1 kernel=3 dilation=2 pad=2", {-INFINITY}, {0}, {-INFINITY}, 0},
        {"max_pool c=1 h=1 w=1 kernel=5 pad=2 dtype=f16", {-INFINITY}, {0}, {-INFINITY}, 0},
        {"max_pool c=1 h=1 w=4 kernel=1,2 stride=1,2 dtype=f16", {-INFINITY, -INFINITY, 5, 4}, {0},
                {-INFINITY, 5}, 0},
        {"max_pool c=1 h=1 w=8 kernel=3,7 pad=1,3",
                {-INFINITY, -INFINITY, -INFINITY, -INFINITY, -INFINITY, -INFINITY, -INFINITY, 1},
                {0}, {-INFINITY, -INFINITY, -INFINITY, -INFINITY, 1, 1, 1, 1}, 0},
        {"avg_pool c=1 h=1 w=1 kernel=2 dilation=2 pad=1", {7}, {0}, {0}, 0},
};

static bool is_right(const struct edge *row, uint32_t element, double value)
{
	double wanted = row->out[element];

	return isfinite(wanted) ? fabs(value - wanted) <= row->error
	       : isnan(wanted)  ? isnan(value)
	                        : value == wanted;
}

/* Runs every schedule of the space on the row's inputs. */
static void check_space(const struct edge *row, const struct facts *facts, void *buffers[])
{
	struct limits limits = limits_web_default;
	struct op op = parse(row->op);
	struct tensor tensors[OP_TENSORS_MAX];
	uint32_t count = op_tensors(&op, tensors);
	static struct space space;
	struct nnjit *nnjit;

	limits.features = FEATURE_F16;
	ck_assert_int_eq(space_enumerate(&op, &limits, facts, &space, NULL), 0);
	ck_assert_int_eq(nnjit_create(&nnjit), 0);
	for (uint32_t i = 0; i < space.count; i++) {
		const struct schedule *s = &space.candidates[i].schedule;
		memset(buffers[count - 1], 0xff, tensor_bytes(&tensors[count - 1]));
		struct nnjit_eval_params params = {buffers, .subgroup_size = 4};
		ck_assert_int_eq(nnjit_eval(nnjit, &op, s, &params), 0);
		for (uint32_t j = 0; j < tensors[count - 1].elements; j++) {
			double value = reference_read(
			        tensors[count - 1].dtype, buffers[count - 1], j);
			ck_assert_msg(is_right(row, j, value), "%s: element %u is %.9g, not %.9g",
			        row->op, j, value, row->out[j]);
		}
	}
	nnjit_destroy(nnjit);
}

START_TEST(edge_values)
{
	const struct edge *row = &edges[_i];
	struct op op = parse(row->op);
	struct tensor tensors[OP_TENSORS_MAX];
	uint32_t count = op_tensors(&op, tensors);
	static double storage[OP_TENSORS_MAX][ROOM];
	void *buffers[OP_TENSORS_MAX];

	for (uint32_t i = 0; i < count; i++) {
		buffers[i] = storage[i];
		for (uint32_t j = 0; i + 1 < count && j < tensors[i].elements; j++)
			reference_write(tensors[i].dtype, buffers[i], j, i ? row->y[j] : row->x[j]);
	}
	for (uint32_t j = 0; j < tensors[count - 1].elements; j++)
		ck_assert_msg(is_right(row, j, reference_element(&op, buffers, j)),
		        "%s: the reference gives %.9g for element %u, not %.9g", row->op,
		        reference_element(&op, buffers, j), j, row->out[j]);
	check_space(row, &cpu, buffers);
	check_space(row, &gpu, buffers);
}
END_TEST

/* ---- Schedules. */

static const struct {
	const char *op, *schedule, *field; /* what the refusal names; NULL: it is well-formed */
} schedules[] = {
        {"relu shape=64", "wg_x=16 tile_n=4 vec=4", NULL},
        {"relu shape=64", "wg_x=16 tile_n=4 vec=3", "vec"},
        {"relu shape=64", "wg_x=16 tile_n=6 vec=4", "vec"},
        {"relu shape=63", "wg_x=16 tile_n=4 vec=4", "vec"},
        {"relu shape=64", "wg_x=0", "schedule"},
        {"relu shape=64", "wg_x=65535 tile_n=65535", "unroll"},
        {"relu shape=64", "wg_x=16 tile_m=2 tile_n=4 vec=2", "tile_m"},
        {"relu shape=64", "wg_x=16 tile_n=8 unroll=3", "unroll"},
        {"relu shape=64", "wg_x=16 stage_a=1", "k_step"},
        {"relu shape=64", "wg_x=16 split_k=2", "schedule"},
        {"relu shape=64", "f16=1", "f16"},
        {"relu shape=64 dtype=f16", "", "vec"},
        {"relu shape=64 dtype=f16", "f16=1", NULL},
        {"relu shape=63 dtype=f16", "tile_n=2 vec=2", NULL},
        {"relu shape=63 dtype=f16", "tile_n=4 vec=4", "vec"},
        {"equal shape=63", "tile_n=4 vec=4", NULL},
        {"equal shape=63", "tile_n=2 vec=2", "vec"},
        {"transpose shape=64,64 perm=1,0", "wg_x=16 wg_y=16 stage_a=1", NULL},
        {"transpose shape=64,64 perm=1,0", "wg_x=16 wg_y=8 stage_a=1", "stage_a"},
        {"transpose shape=64,64 perm=1,0", "tile_n=4 k_step=4 vec=4", NULL},
        {"transpose shape=64,62 perm=1,0", "tile_n=4 k_step=4 vec=4", "vec"},
        {"transpose shape=8,8,64 perm=1,0,2", "wg_x=16 wg_y=16 stage_a=1", "k_step"},
};

START_TEST(schedule_rules)
{
	struct op op = parse(schedules[_i].op);
	struct schedule schedule;
	struct error err = {0};

	ck_assert_int_eq(schedule_parse(schedules[_i].schedule, &schedule, &err), 0);
	int r = space_check(&op, &schedule, NULL, &err);
	if (!schedules[_i].field) {
		ck_assert_msg(
		        !r, "%s [%s]: %s", schedules[_i].op, schedules[_i].schedule, err.text);
		return;
	}
	ck_assert_msg(r && !strcmp(err.field, schedules[_i].field), "%s [%s]: %d names '%s'",
	        schedules[_i].op, schedules[_i].schedule, r, err.field);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("map");
	TCase *tcase = tcase_create("map");
	SRunner *runner;

	tcase_add_loop_test(tcase, edge_values, 0, (int)LENGTH(edges));
	tcase_add_loop_test(tcase, schedule_rules, 0, (int)LENGTH(schedules));
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
