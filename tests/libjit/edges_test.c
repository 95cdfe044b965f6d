/* SPDX-License-Identifier: Apache-2.0
 *
 * Infinities, NaN, zeros and what else is at the edges: every function of numbers in the
 * interpreter, held against its meaning. tests/gpu/edges_test.c does the same on devices.
 */
#include "edges.h" /* before the global that its parameters' name would shadow */

#include "building.h"
#include "emit/eval/eval.h"

#include <stdlib.h>

START_TEST(is_right_at_the_edges)
{
	struct edges edges = edges_of((enum scalar)_i);
	float *in = malloc(edges.arity * edges.count * sizeof *in);
	float *out = calloc(edges.count, sizeof *out);
	struct emit_eval run = {
	        .workgroups = {edges.count / EDGE_GROUP, 1, 1}, .buffers = {in, out}};

	ck_assert(in && out);
	for (uint32_t n = 0; n < edges.arity; n++)
		for (uint32_t i = 0; i < edges.count; i++)
			in[n * edges.count + i] = edge_input(&edges, n, i);
	edges_build(b, &edges);
	ck_assert_int_eq(emit_eval(finish(), &run), 0);
	for (uint32_t i = 0; i < edges.count; i++)
		ck_assert_msg(edge_is_right(&edges, i, out[i]), "%s of %g, %g, %g is %g",
		        scalar_info(edges.function)->name, (double)edge_input(&edges, 0, i),
		        edges.arity > 1 ? (double)edge_input(&edges, 1, i) : 0,
		        edges.arity > 2 ? (double)edge_input(&edges, 2, i) : 0, (double)out[i]);
	free(in);
	free(out);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("edges");
	TCase *tcase = tcase_create("edges");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, is_right_at_the_edges, SCALAR_END + 1, SCALAR_FUNCTION_END);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
