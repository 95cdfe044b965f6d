/* SPDX-License-Identifier: Apache-2.0
 *
 * The catalogue, row by row of operators.h: every operator in every element type that it accepts,
 * static and dynamic, in every schedule that any device is offered for it, each with valid SPIR-V
 * and right in the interpreter at several dimensions. property_test.c draws what no row says.
 * NNJIT_CATALOGUE_EVERY=N: of each variant one schedule in N, 1 for all; 8 where it is not given.
 */
#include "base/error.h"
#include "emit/spirv/spirv.h"
#include "kernel_cases.h"
#include "space/space.h"
#include "trial.h"
#include "variants.h"

#include <check.h>
#include <spirv-tools/libspirv.h>
#include <string.h>

#define SCHEDULES_MAX (4 * SPACE_MAX)

static struct nnjit *nnjit;
static spv_context spirv;
static uint32_t every = 8;

static void setup(void)
{
	ck_assert_int_eq(nnjit_create(&nnjit), 0);
	spirv = spvContextCreate(SPV_ENV_VULKAN_1_1);
}

static void teardown(void)
{
	nnjit_destroy(nnjit);
	spvContextDestroy(spirv);
}

/* ---- The schedules of every device. */

struct schedules {
	uint32_t count;
	struct schedule list[SCHEDULES_MAX]; /* distinct */
};

static void add(struct schedules *s, const struct schedule *schedule)
{
	for (uint32_t i = 0; i < s->count; i++)
		if (!memcmp(&s->list[i], schedule, sizeof *schedule))
			return;
	s->list[s->count++] = *schedule;
}

static void add_space(struct schedules *s, const struct op *op, const char *text,
        const struct limits *limits, const struct facts *facts)
{
	struct error err = {0};
	struct space space;

	ck_assert_msg(
	        space_enumerate(op, limits, facts, &space, &err) == 0, "%s: %s", text, err.text);
	ck_assert_msg(space.count >= 1 && space.count <= SPACE_MAX, "%s: %u candidates", text,
	        space.count);
	for (uint32_t i = 0; i < space.count; i++)
		add(s, &space.candidates[i].schedule);
}

/* With every feature, and as every page has it, on a GPU and on a processor. */
static void collect(struct schedules *s, const struct op *op, const char *text)
{
	struct limits rich = case_limits();

	rich.features = (1u << FEATURE_COUNT) - 1;
	s->count = 0;
	for (size_t f = 0; f < CASE_FACTS; f++) {
		add_space(s, op, text, &rich, &case_facts[f]);
		add_space(s, op, text, &limits_web_default, &case_facts[f]);
	}
}

/* ---- One kernel. */

static void check_spirv(
        const struct op *op, const struct schedule *schedule, nnjit_emitter *emit, const char *name)
{
	spv_diagnostic diagnostic = NULL;
	struct kernel k;

	if (case_is_foreign(schedule))
		return;
	ck_assert_msg(nnjit_generate(nnjit, op, schedule, emit, &k) == 0, "%s: refused", name);
	struct spv_const_binary_t binary = {(const uint32_t *)k.code, k.code_bytes / 4};
	ck_assert_msg(spvValidate(spirv, &binary, &diagnostic) == SPV_SUCCESS, "%s: %s", name,
	        diagnostic ? diagnostic->error : "?");
	spvDiagnosticDestroy(diagnostic);
}

/* As tuned, at the least, and in between; never so many that the interpreter takes long. */
static uint32_t dim_of(const struct op *op, uint32_t n, int point)
{
	uint32_t low, high, hint = op->value[op->dynamic[n].value];

	op_range(op, n, &low, &high);
	uint32_t near = hint <= 64 ? hint : 33, dim = point == 0   ? near
	                                              : point == 1 ? low
	                                                           : near + 5 + n;
	return dim < low ? low : dim > high ? high : dim;
}

static void check_numbers(const struct op *op, const struct schedule *schedule, const char *name)
{
	struct trial trial = {
	        .op = *op, .schedule = *schedule, .subgroup = CASE_SUBGROUP_SIZE, .inputs = 7};

	for (int point = 0; point < (op->dynamic_count ? 3 : 1); point++) {
		for (uint32_t n = 0; n < op->dynamic_count; n++)
			trial.dims[n] = dim_of(op, n, point);
		struct verdict v = trial_run(nnjit, &trial);
		ck_assert_msg(v.right, "%s at %u,%u,%u,%u: %s", name, trial.dims[0], trial.dims[1],
		        trial.dims[2], trial.dims[3], v.text);
	}
}

static void check_variant(const struct op *op)
{
	static struct schedules schedules;
	char text[OP_TEXT_BYTES], name[OP_TEXT_BYTES + SCHEDULE_TEXT_BYTES + 4];
	char axes[SCHEDULE_TEXT_BYTES];

	op_print(op, text);
	collect(&schedules, op, text);
	uint32_t first = (uint32_t)(op_key(op) % every) % schedules.count; /* not always the same */
	for (uint32_t i = first; i < schedules.count; i += every) {
		schedule_print(&schedules.list[i], axes);
		snprintf(name, sizeof name, "%s [%s]", text, axes);
		check_spirv(op, &schedules.list[i], emit_spirv, name);
		check_spirv(op, &schedules.list[i], emit_spirv_web_clamped, name);
		check_numbers(op, &schedules.list[i], name);
	}
}

/* ---- Tests. */

START_TEST(kernels_are_right)
{
	static struct op ops[VARIANTS_MAX];
	uint32_t count = variants_of((size_t)_i, ops);

	ck_assert_uint_gt(count, 0);
	for (uint32_t i = 0; i < count; i++)
		check_variant(&ops[i]);
}
END_TEST

START_TEST(rows_say_what_they_are)
{
	for (size_t i = 0; i < OPERATOR_ROWS; i++) {
		struct op op = variant_of(i);
		ck_assert_msg(op.kind == operator_rows[i].kind, "%s", operator_rows[i].text);
	}
}
END_TEST

START_TEST(every_operator_has_a_row)
{
	for (uint32_t kind = 0; kind < OP_COUNT; kind++) {
		size_t i = 0;
		while (i < OPERATOR_ROWS && operator_rows[i].kind != kind)
			i++;
		ck_assert_msg(i < OPERATOR_ROWS, "%s has no row in operators.h",
		        op_name((enum op_kind)kind));
	}
}
END_TEST

/* Whatever a page sends as indices, rows that exist are read. */
START_TEST(wild_indices_stay_within)
{
	static struct schedules schedules;
	struct op op;

	ck_assert_int_eq(op_parse("gather outer=2 rows=6 inner=10 count=22", &op, NULL), 0);
	collect(&schedules, &op, "gather");
	for (uint32_t i = 0; i < schedules.count; i++) {
		struct trial trial = {.op = op,
		        .schedule = schedules.list[i],
		        .subgroup = CASE_SUBGROUP_SIZE,
		        .wild = true};
		struct verdict v = trial_run(nnjit, &trial);
		ck_assert_msg(v.right, "%s", v.text);
	}
}
END_TEST

int main(void)
{
	const char *stride = getenv("NNJIT_CATALOGUE_EVERY");
	Suite *suite = suite_create("catalogue");
	TCase *tcase = tcase_create("catalogue");
	SRunner *runner = srunner_create(suite);

	if (stride && atoi(stride) > 0)
		every = (uint32_t)atoi(stride);
	tcase_set_timeout(tcase, 600);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, every_operator_has_a_row);
	tcase_add_test(tcase, rows_say_what_they_are);
	tcase_add_test(tcase, wild_indices_stay_within);
	tcase_add_loop_test(tcase, kernels_are_right, 0, (int)OPERATOR_ROWS);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
