/* SPDX-License-Identifier: Apache-2.0
 *
 * The cases of tests/libjit/special_cases.c on every device that is here: infinities, NaN, zeros,
 * masks and what else is at the edges. A kernel of each space, another one from case to case.
 */
#include "tests/libjit/special_cases.h"

#include "reference/reference.h"
#include "runner.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static void check_case(struct runner *runner, uint32_t number)
{
	const struct tensor *out = &runner->tensors[runner->count - 1];
	const void *result = runner->data[runner->count - 1];
	char text[OP_TEXT_BYTES], axes[SCHEDULE_TEXT_BYTES];
	static struct space space;

	for (uint32_t i = 0; i + 1 < runner->count; i++)
		special_fill(&runner->op, i, runner->data[i]);
	runner_send(runner);
	runner_space(runner, &space);
	const struct schedule *schedule = &space.candidates[number % space.count].schedule;
	runner_launch(runner, schedule);
	op_print(&runner->op, text);
	schedule_print(schedule, axes);
	for (uint64_t e = 0; e < out->elements; e++) {
		struct special_range range = special_expect(&runner->op, runner->data, e);
		double got = reference_read(out->dtype, result, e);
		if (range.nan && !device_is_cpu(runner->device))
			continue; /* compilers of GPUs may take it that there is none */
		ck_assert_msg(special_allows(&range, got),
		        "%s on %s [%s]: element %llu is %g, not %g to %g", text,
		        runner->device->adapter->name, axes, (unsigned long long)e, got,
		        range.least, range.most);
	}
}

/* As it is tuned, where it is dynamic. */
static struct op fixed(const struct op *op)
{
	uint32_t dims[OP_DYNAMIC_MAX] = {0};

	for (uint32_t i = 0; i < op->dynamic_count; i++)
		dims[i] = op->value[op->dynamic[i].value];
	return op_at(op, dims);
}

START_TEST(is_right_at_the_edges)
{
	struct runner runner;
	struct op op;
	uint32_t n = 0;

	runner_open(&runner, _i);
	for (; special_op(n, &op); n++) {
		op = fixed(&op);
		runner_load(&runner, &op);
		check_case(&runner, n);
		runner_unload(&runner);
	}
	printf("%s: %u kernels right at the edges\n", runner.device->adapter->name, n);
	runner_close(&runner);
}
END_TEST

int main(void)
{
	int status = runner_find_devices();

	if (status)
		return status;
	Suite *suite = suite_create("specials");
	TCase *tcase = tcase_create("specials");
	tcase_set_timeout(tcase, 600);
	tcase_add_loop_test(tcase, is_right_at_the_edges, 0, (int)runner_adapters.count);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	adapters_free(&runner_adapters);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
