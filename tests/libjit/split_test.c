/* SPDX-License-Identifier: Apache-2.0
 *
 * Operators cut into parts: every part fits and starts aligned, and the parts run one after another
 * over the whole buffers give what the whole operator means. What cannot be cut says so.
 */
#include "kernel_cases.h"

#include "base/error.h"
#include "nnjit_eval.h"
#include "space/space.h"

#include <check.h>
#include <errno.h>

static const struct {
	const char *op;
	uint64_t most_bytes; /* of a binding */
	uint32_t least_runs; /* of kernels, in all */
	uint32_t most_steps;
} rows[] = {
        {"matmul m=8 n=8 k=8", 4096, 1, 1},
        {"matmul m=64 n=32 k=32", 4096, 2, 2},
        {"matmul m=1 n=500 k=64 trans_b=1 bias=1", 32768, 4, 2},
        {"matmul m=1 n=512 k=64 trans_b=1", 32768, 4, 1},
        {"matmul m=3 n=257 k=64 trans_b=1 bias=1 residual=1 act=relu", 32768, 3, 2},
        {"matmul m=16 n=16 k=16 batch=12", 4096, 3, 2},
        {"matmul m=16 n=16 k=16 batch=12 batch_b=1", 4096, 3, 2},
        {"matmul m=5 n=300 k=64 trans_b=1 pitch=320", 32768, 3, 2},
        {"matmul_nbits m=2 n=256 k=128 zeros=1", 8192, 2, 2},
        {"matmul_nbits m=1 n=300 k=128 bias=1", 8192, 2, 2},
        /* Along k, each part added to the last. */
        {"matmul m=1 n=64 k=300", 32768, 3, 3},
        {"matmul m=5 n=64 k=300 bias=1 act=relu", 32768, 3, 3},
        {"matmul m=5 n=64 k=300 residual=1 bias=1 act=gelu scale=0.5", 32768, 3, 3},
        {"matmul m=5 n=64 k=300 trans_a=1", 32768, 3, 3},
        {"matmul m=5 n=33 k=1024 a=f16 b=f16 out=f16", 32768, 3, 4},
        {"matmul m=5 n=32 k=1024 a=i8 b=i8 out=i32", 8192, 4, 5},
        {"matmul m=5 n=48 k=700 b=i8", 16384, 3, 3},
        /* Along two dimensions. */
        {"matmul m=96 n=512 k=64 trans_b=1", 65536, 6, 10},
        {"matmul m=96 n=128 k=256", 32768, 6, 16},
        {"matmul m=4 n=64 k=256 batch=3", 32768, 6, 9},
        {"conv2d batch=8 c=4 h=8 w=8 oc=4 kernel=3 pad=1", 4096, 2, 2},
        {"conv2d c=2 h=8 w=8 oc=160 kernel=3 pad=1 bias=1 residual=1", 16384, 3, 2},
        {"conv2d batch=2 c=2 h=8 w=8 oc=160 kernel=3 pad=1", 16384, 6, 6},
        {"softmax rows=64 n=64", 4096, 4, 2},
        {"softmax rows=96 n=64 mask=1 mask_rows=8", 6144, 4, 2},
        {"log_softmax rows=96 n=64 mask=1", 6144, 4, 2},
        {"softmax rows=96 n=64 mask=1 mask_rows=4 mask_every=2", 6144, 4, 2},
        {"layernorm rows=64 n=64 residual=1", 4096, 4, 2},
        {"groupnorm batch=4 c=8 inner=32 groups=2", 2048, 2, 1},
        {"gelu shape=40,64", 4096, 3, 2},
        {"gelu shape=1,40,64", 4096, 3, 2},
        {"gelu shape=2,40,64", 4096, 4, 4},
        {"add shape=40,64 y=64", 4096, 3, 2},
        {"add shape=40,64 y=40,64", 4096, 3, 2},
        {"add shape=2,40,64 y=40,64", 4096, 4, 4},
        {"gather rows=8 inner=16 count=512", 8192, 4, 2},
        {"gather rows=300 inner=16 count=40", 8192, 3, 3},
        {"gather rows=300 inner=16 count=40 dtype=f16", 4096, 3, 3},
        {"gather rows=300 inner=16 count=500 dtype=i32", 8192, 6, 16},
        {"transpose shape=4,16,16,8 perm=0,2,1,3", 16384, 2, 1},
        {"slice shape=100,64 size=10,64 begin=32,0", 4096, 1, 1},
        {"slice shape=100,64 size=50,32 begin=4,16", 4096, 3, 2},
        {"pad shape=64,30 before=0,1 after=0,1", 4096, 2, 2},
        {"tile shape=16,64 repeats=1,2", 4096, 2, 1},
        {"concat sizes=16,32,20 inner=64", 4096, 5, 4},
        {"concat sizes=3,5 inner=16 outer=64", 8192, 4, 2},
        {"attention batch=4 heads=2 q=16 kv=16 dim=16", 4096, 2, 1},
        {"gate rows=64 n=32", 8192, 2, 1},
};

/* What a step binds is all that is there of it: what it may not touch is memory of others. */
static void *part_of(const struct case_buffers *whole, void *scratch, const struct op_place *place,
        uint32_t turn)
{
	char *from = place->tensor == OP_SCRATCH ? scratch : whole->data[place->tensor];

	return from + place->offset_bytes + turn * place->advance_bytes;
}

/* The plainest kernel of a step. */
static void run_step(struct nnjit *nnjit, const struct op_step *step,
        const struct case_buffers *whole, void *scratch)
{
	struct limits limits = case_limits();
	void *buffers[OP_TENSORS_MAX];
	struct tensor tensors[OP_TENSORS_MAX];
	uint32_t count = op_tensors(&step->op, tensors);
	struct space space;
	struct error err;

	ck_assert_msg(
	        !space_enumerate(&step->op, &limits, &case_facts[1], &space, &err), "%s", err.text);
	for (uint32_t turn = 0; turn < step->repeat; turn++) {
		for (uint32_t i = 0; i < count; i++)
			buffers[i] = part_of(whole, scratch, &step->places[i], turn);
		struct nnjit_eval_params params = {buffers, .subgroup_size = CASE_SUBGROUP_SIZE};
		ck_assert_int_eq(
		        nnjit_eval(nnjit, &step->op, &space.candidates[0].schedule, &params), 0);
	}
}

static void check_place(const struct op_step *step, uint32_t i, const struct tensor *tensor,
        const struct op_way *way, const struct case_buffers *whole)
{
	const struct op_place *place = &step->places[i];
	uint64_t end = place->offset_bytes + (step->repeat - 1) * place->advance_bytes +
	               tensor_bytes(tensor);

	ck_assert_uint_eq(place->offset_bytes % 256, 0);
	ck_assert(step->repeat == 1 || place->advance_bytes % 256 == 0);
	ck_assert_uint_le(end, place->tensor == OP_SCRATCH
	                               ? way->scratch_bytes
	                               : tensor_bytes(&whole->tensors[place->tensor]));
}

/* No buffer is read and written by one dispatch, which WebGPU forbids. */
static void check_step(const struct op_step *step, const struct op_way *way,
        const struct case_buffers *whole, uint64_t most_bytes)
{
	struct tensor tensors[OP_TENSORS_MAX];
	uint32_t count = op_tensors(&step->op, tensors);

	ck_assert_int_eq(op_validate(&step->op, NULL), 0);
	for (uint32_t i = 0; i < count; i++) {
		ck_assert_uint_le(tensor_bytes(&tensors[i]), most_bytes);
		check_place(step, i, &tensors[i], way, whole);
		ck_assert(
		        i + 1 == count || step->places[i].tensor != step->places[count - 1].tensor);
	}
}

static uint32_t runs_of(const struct op_way *way)
{
	uint32_t runs = 0;

	for (uint32_t i = 0; i < way->count; i++)
		runs += way->steps[i].repeat;
	return runs;
}

static double run_way(struct nnjit *nnjit, const struct op_way *way, struct case_buffers *whole,
        uint64_t most_bytes)
{
	void *scratch = calloc(way->scratch_bytes + 1, 1);
	double worst = 0;

	for (uint32_t round = 0; round < case_rounds(whole); round++) {
		case_poison(whole, round);
		for (uint32_t i = 0; i < way->count; i++) {
			check_step(&way->steps[i], way, whole, most_bytes);
			run_step(nnjit, &way->steps[i], whole, scratch);
		}
		worst = fmax(worst, case_error(whole, round));
	}
	free(scratch);
	return worst;
}

START_TEST(steps_make_the_whole)
{
	const uint32_t none[OP_DYNAMIC_MAX] = {0};
	struct nnjit *nnjit;
	struct op_way way;
	struct error err;
	struct op op;

	ck_assert_int_eq(nnjit_create(&nnjit), 0);
	ck_assert_msg(!op_parse(rows[_i].op, &op, &err), "%s: %s", rows[_i].op, err.text);
	ck_assert_msg(
	        !op_split(&op, rows[_i].most_bytes, &way, &err), "%s: %s", rows[_i].op, err.text);
	ck_assert_msg(runs_of(&way) >= rows[_i].least_runs && way.count <= rows[_i].most_steps,
	        "%s: %u runs in %u steps", rows[_i].op, runs_of(&way), way.count);
	struct case_buffers whole = case_make(&op, none, 5);
	double error = run_way(nnjit, &way, &whole, rows[_i].most_bytes);
	ck_assert_msg(error <= whole.tolerance, "%s: the error is %g", rows[_i].op, error);
	case_free(&whole);
	nnjit_destroy(nnjit);
}
END_TEST

/* Shapes of models under WebGPU's default limits: how many dispatches each takes. */
static const struct {
	const char *op;
	uint32_t runs;
} models[] = {
        {"matmul m=1 n=50257 k=768 trans_b=1", 2},
        {"matmul m=?1..1024 n=50257 k=768 trans_b=1", 2},
        {"matmul m=1 n=50257 k=768", 2},
        {"matmul m=?1..64 n=50257 k=768", 2},
        {"matmul m=1 n=32000 k=4096 trans_b=1 a=f16 b=f16 out=f16", 2},
        {"matmul m=2048 n=32000 k=4096 trans_b=1", 8},
        {"matmul_nbits m=1 n=128256 k=4096 a=f16 scales=f16", 2},
        {"matmul m=1 n=128256 k=2048 trans_b=1 a=f16 b=f16 out=f16", 4},
        {"gather rows=50257 inner=768 count=?1..1024", 2},
        {"gather rows=128256 inner=2048 count=7 dtype=f16", 4},
        {"gelu shape=1,4096,11008", 2},
        {"transpose shape=1,32,4096,512 perm=0,2,1,3", 0},
        {"transpose shape=8,4096,32,128 perm=0,2,1,3", 4},
        {"softmax rows=65536 n=1024 mask=1 mask_rows=2048", 2},
};

START_TEST(models_fit_default_limits)
{
	struct op_way way;
	struct error err = {0};
	struct op op;

	ck_assert_msg(!op_parse(models[_i].op, &op, &err), "%s: %s", models[_i].op, err.text);
	int r = op_split(&op, limits_web_default.binding_bytes, &way, &err);
	ck_assert_msg(models[_i].runs ? !r : r == -ERANGE, "%s: %s", models[_i].op, err.text);
	ck_assert_msg(r || runs_of(&way) == models[_i].runs, "%s: %u", models[_i].op,
	        r ? 0 : runs_of(&way));
}
END_TEST

START_TEST(what_cannot_be_cut_says_so)
{
	static const char *const ops[] = {"transpose shape=512,512 perm=1,0",
	        "softmax rows=2 n=100000", "gelu shape=?2048,512",
	        "reduce_sum rows=1 n=4096 inner=2", "gather rows=4096 inner=65 count=4 dtype=f16"};
	struct error err = {0};
	struct op_way way;
	struct op op;

	ck_assert_int_eq(op_parse(ops[_i], &op, NULL), 0);
	ck_assert_int_eq(op_split(&op, 4096, &way, &err), -ERANGE);
	ck_assert_ptr_nonnull(strstr(err.text, "maxStorageBufferBindingSize"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("split");
	TCase *split = tcase_create("split");

	tcase_add_loop_test(split, steps_make_the_whole, 0, sizeof rows / sizeof *rows);
	tcase_add_loop_test(split, models_fit_default_limits, 0, sizeof models / sizeof *models);
	tcase_add_loop_test(split, what_cannot_be_cut_says_so, 0, 5);
	suite_add_tcase(suite, split);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
