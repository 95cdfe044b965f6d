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
	uint32_t least_parts;
} rows[] = {
        {"matmul m=8 n=8 k=8", 4096, 1},
        {"matmul m=64 n=32 k=32", 4096, 2},
        {"matmul m=1 n=500 k=64 trans_b=1 bias=1", 32768, 4},
        {"matmul m=3 n=257 k=64 trans_b=1 bias=1 residual=1 act=relu", 32768, 3},
        {"matmul m=16 n=16 k=16 batch=12", 4096, 3},
        {"matmul m=16 n=16 k=16 batch=12 batch_b=1", 4096, 3},
        {"matmul m=5 n=300 k=64 trans_b=1 pitch=320", 32768, 3},
        {"matmul_nbits m=2 n=256 k=128 zeros=1", 8192, 2},
        {"conv2d batch=8 c=4 h=8 w=8 oc=4 kernel=3 pad=1", 4096, 2},
        {"softmax rows=64 n=64", 4096, 4},
        {"layernorm rows=64 n=64 residual=1", 4096, 4},
        {"groupnorm batch=4 c=8 inner=32 groups=2", 2048, 2},
        {"gelu shape=40,64", 4096, 3},
        {"add shape=40,64 y=64", 4096, 3},
        {"add shape=40,64 y=40,64", 4096, 3},
        {"gather rows=8 inner=16 count=512", 8192, 4},
        {"attention batch=4 heads=2 q=16 kv=16 dim=16", 4096, 2},
        {"gate rows=64 n=32", 8192, 2},
};

/* The plainest kernel of a part, on the buffers from its offsets on. */
static void run_part(struct nnjit *nnjit, const struct op_part *part, struct case_buffers *whole)
{
	struct limits limits = case_limits();
	void *buffers[OP_TENSORS_MAX];
	struct space space;
	struct error err;

	ck_assert_msg(
	        !space_enumerate(&part->op, &limits, &case_facts[1], &space, &err), "%s", err.text);
	for (uint32_t i = 0; i < whole->count; i++)
		buffers[i] = (char *)whole->data[i] + part->offset_bytes[i];
	struct nnjit_eval_params params = {buffers, .subgroup_size = CASE_SUBGROUP_SIZE};
	ck_assert_int_eq(nnjit_eval(nnjit, &part->op, &space.candidates[0].schedule, &params), 0);
}

static void check_part(const struct op_part *part, uint64_t most_bytes)
{
	struct tensor tensors[OP_TENSORS_MAX];
	uint32_t count = op_tensors(&part->op, tensors);

	ck_assert_int_eq(op_validate(&part->op, NULL), 0);
	for (uint32_t i = 0; i < count; i++) {
		ck_assert_uint_le(tensor_bytes(&tensors[i]), most_bytes);
		ck_assert_uint_eq(part->offset_bytes[i] % 256, 0);
	}
}

START_TEST(parts_make_the_whole)
{
	static struct op_part parts[OP_PARTS_MAX];
	const uint32_t none[OP_DYNAMIC_MAX] = {0};
	struct nnjit *nnjit;
	uint32_t count;
	struct error err;
	struct op op;

	ck_assert_int_eq(nnjit_create(&nnjit), 0);
	ck_assert_msg(!op_parse(rows[_i].op, &op, &err), "%s", err.text);
	ck_assert_msg(!op_split(&op, rows[_i].most_bytes, parts, &count, &err), "%s", err.text);
	ck_assert_uint_ge(count, rows[_i].least_parts);
	struct case_buffers whole = case_make(&op, none, 5);
	case_poison(&whole, 0);
	for (uint32_t i = 0; i < count; i++) {
		check_part(&parts[i], rows[_i].most_bytes);
		run_part(nnjit, &parts[i], &whole);
	}
	ck_assert_msg(case_error(&whole, 0) <= whole.tolerance, "%s: the error is %g", rows[_i].op,
	        case_error(&whole, 0));
	case_free(&whole);
	nnjit_destroy(nnjit);
}
END_TEST

START_TEST(what_cannot_be_cut_says_so)
{
	static const char *const ops[] = {"gather rows=4096 inner=64 count=4",
	        "transpose shape=512,512 perm=1,0", "matmul m=2 n=512 k=512",
	        "softmax rows=2 n=100000", "gelu shape=?2048,512"};
	static struct op_part parts[OP_PARTS_MAX];
	struct error err = {0};
	uint32_t count;
	struct op op;

	ck_assert_int_eq(op_parse(ops[_i], &op, NULL), 0);
	ck_assert_int_eq(op_split(&op, 4096, parts, &count, &err), -ERANGE);
	ck_assert_ptr_nonnull(strstr(err.text, "maxStorageBufferBindingSize"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("split");
	TCase *split = tcase_create("split");

	tcase_add_loop_test(split, parts_make_the_whole, 0, sizeof rows / sizeof *rows);
	tcase_add_loop_test(split, what_cannot_be_cut_says_so, 0, 5);
	suite_add_tcase(suite, split);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
