/* SPDX-License-Identifier: Apache-2.0
 *
 * Every row of ir.def that computes, in every scalar and with one, two and four lanes: the
 * interpreter against plain C in double, and SPIR-V that is valid. Then what is not lane by lane:
 * bits, packed bytes, the uniform block, halves in memory, literals.
 */
#include "row_cases.h"

#include "base/buffer.h"
#include "base/error.h"
#include "emit/eval/eval.h"
#include "emit/spirv/spirv.h"
#include "emit/text/wgsl.h"

#include <check.h>
#include <math.h>
#include <spirv-tools/libspirv.h>
#include <stdlib.h>

#define CASES_MAX 512

static struct row_case cases[CASES_MAX];
static struct ir_builder *b;
static struct buffer out;

static void setup(void)
{
	ck_assert_int_eq(ir_builder_create(&b), 0);
}

static void teardown(void)
{
	ir_builder_destroy(b);
	buffer_free(&out);
}

static const struct ir_module *finish(const char *name)
{
	const struct ir_module *module;
	struct error err = {0};

	ck_assert_int_eq(ir_finish(b, &module), 0);
	ck_assert_msg(ir_check(module, &err) == 0, "%s: %s", name, err.text);
	return module;
}

static const char *name_of(const struct row_case *c)
{
	static const char *const scalars[] = {"void", "bool", "i32", "u32", "f32", "f16"};
	static char text[128];

	snprintf(text, sizeof text, "%s of %s x%u to %s%s", ir_op_infos[c->row->op].name,
	        scalars[c->from], c->lanes, scalars[c->to], c->by_lane ? " by lane" : "");
	return text;
}

static void validate_as(nnjit_emitter emit, const struct ir_module *module, const char *name)
{
	spv_context context = spvContextCreate(SPV_ENV_VULKAN_1_1);
	spv_diagnostic diagnostic = NULL;

	buffer_clear(&out);
	ck_assert_int_eq(emit(module, &out), 0);
	struct spv_const_binary_t binary = {(const uint32_t *)out.data, out.length / 4};
	ck_assert_msg(spvValidate(context, &binary, &diagnostic) == SPV_SUCCESS, "%s: %s", name,
	        diagnostic ? diagnostic->error : "?");
	spvDiagnosticDestroy(diagnostic);
	spvContextDestroy(context);
}

static void validate(const struct ir_module *module, const char *name)
{
	validate_as(emit_spirv, module, name);
	validate_as(emit_spirv_web, module, name);
}

/* ---- The rows. */

START_TEST(computes)
{
	const struct row_case *c = &cases[_i];
	uint32_t in[ROW_BYTES / 4] = {0}, got[ROW_BYTES / 4] = {0};
	struct emit_eval run = {
	        .workgroups = {1, 1, 1}, .subgroup_size = ROW_SUBGROUP, .buffers = {in, got}};

	row_build(b, c);
	const struct ir_module *module = finish(name_of(c));
	ck_assert(module->uses_f16 == (c->from == IR_F16 || c->to == IR_F16));
	row_fill(c, in);
	ck_assert_int_eq(emit_eval(module, &run), 0);
	ck_assert_uint_eq(run.out_of_bounds, 0);
	for (uint32_t e = 0; e < ROW_INVOCATIONS * c->lanes; e++) {
		double x = row_read(got, row_stored(c->to), e);
		double want = row_expected(c, e / c->lanes, e % c->lanes);
		ck_assert_msg(fabs(x - want) <= row_tolerance(c) * fmax(1, fabs(want)),
		        "%s: element %u is %a, should be %a", name_of(c), e, x, want);
	}
	validate(module, name_of(c));
}
END_TEST

/* A row that takes and gives numbers has a row here. */
START_TEST(leaves_no_row_out)
{
	for (uint32_t op = 0; op < IR_OP_COUNT; op++) {
		size_t r = 0;
		if (ir_op_infos[op].class == IR_STRUCTURAL)
			continue;
		while (r < ROW_COUNT && rows[r].op != op)
			r++;
		ck_assert_msg(r < ROW_COUNT, "%s has no row in row_cases.h", ir_op_infos[op].name);
	}
}
END_TEST

/* ---- Bits: what is stored is what was loaded. */

START_TEST(keeps_bits)
{
	uint32_t in[32], got[32] = {0}, bytes = ir_bytes_of(row_bitcasts[_i].from);
	struct emit_eval run = {.workgroups = {1, 1, 1}, .buffers = {in, got}};

	for (uint32_t i = 0; i < 32; i++)
		in[i] = 0x3c00b555u + i * 0x01230457u;
	row_build_bitcast(b, (uint32_t)_i);
	const struct ir_module *module = finish("bitcast");
	ck_assert_int_eq(emit_eval(module, &run), 0);
	ck_assert_mem_eq(in, got, 8 * bytes);
	validate(module, "bitcast");
}
END_TEST

/* ---- Packed words, and what is known at dispatch alone. */

START_TEST(multiplies_bytes)
{
	static const int32_t sums[] = {10, -2, 65536, 16384 - 1 - 16256};
	uint32_t in[8] = {0x01010101, 0x000000ff, 0x80808080, 0x7f00ff80, /* x */
	        0x04030201, 0x00000002, 0x80808080, 0x80000180};
	int32_t got[4] = {0};
	struct emit_eval run = {.workgroups = {1, 1, 1}, .buffers = {in, got}};

	row_build_dot(b);
	const struct ir_module *module = finish("dot4i8");
	ck_assert(module->uses_dot4);
	ck_assert_int_eq(emit_eval(module, &run), 0);
	ck_assert_mem_eq(got, sums, sizeof sums);
	validate(module, "dot4i8");
}
END_TEST

START_TEST(unpacks_halves)
{
	uint32_t in[2] = {0xc1003e00, 0x00017c00}; /* 1.5, -2.5; an infinity, 2^-24 */
	float got[4] = {0};
	struct emit_eval run = {.workgroups = {1, 1, 1}, .buffers = {in, got}};

	row_build_halves(b);
	const struct ir_module *module = finish("halves");
	ck_assert(!module->uses_f16);
	ck_assert_int_eq(emit_eval(module, &run), 0);
	ck_assert(got[0] == 3 && got[1] == -5);
	ck_assert(isinf(got[2]) && got[3] == 0x1p-23f);
	validate(module, "halves");
}
END_TEST

START_TEST(reads_uniforms)
{
	uint32_t in[8] = {1, 2, 3, 4, 5, 6, 7, 8}, got[1] = {0};
	struct emit_eval run = {
	        .workgroups = {1, 1, 1}, .uniforms = {9, 5, 9, 7}, .buffers = {in, got}};

	row_build_uniforms(b);
	const struct ir_module *module = finish("uniforms");
	ck_assert_uint_eq(module->uniforms, 4);
	ck_assert_int_eq(emit_eval(module, &run), 0);
	ck_assert_uint_eq(got[0], 15 * 7);
	validate(module, "uniforms");
}
END_TEST

START_TEST(counts_uniforms_in_use_only)
{
	ir_begin(b, (const uint32_t[3]){1, 1, 1});
	ir_uniform(b, 3);
	ir_convert(b, ir_float(b, IR_F16, 1), IR_F32);
	const struct ir_module *module = finish("dead");
	ck_assert_uint_eq(module->uniforms, 0);
	ck_assert(!module->uses_f16);
}
END_TEST

/* ---- Halves in memory: workgroup arrays of two bytes an element, nothing beside it touched. */

START_TEST(stores_halves)
{
	uint32_t lanes = 1u << _i;
	uint16_t in[5 * 4], got[6 * 4];
	struct emit_eval run = {.workgroups = {1, 1, 1}, .buffers = {in, got}};

	for (uint32_t i = 0; i < 24; i++)
		got[i] = 0xabcd;
	for (uint32_t i = 0; i < 20; i++)
		in[i] = half_of_float((float)i);
	row_build_memory(b, lanes);
	const struct ir_module *module = finish("halves in memory");
	ck_assert(module->uses_f16);
	ck_assert_int_eq(emit_eval(module, &run), 0);
	for (uint32_t e = 0; e < 5 * lanes; e++)
		ck_assert_uint_eq(got[e], in[(4 - e / lanes) * lanes + e % lanes]);
	ck_assert_uint_eq(got[5 * lanes], 0xabcd);
	validate(module, "halves in memory");
}
END_TEST

/* Rounding in the interpreter's rows is that of base/half.h, for each exponent and each way to tie.
 */
START_TEST(rounds_as_memory_does)
{
	uint32_t in[2048], got[2048];
	struct emit_eval run = {.workgroups = {8, 1, 1}, .buffers = {in, got}};

	for (uint32_t i = 0; i < 2048; i++) /* all exponents, tails about the tie, even and odd */
		in[i] = i / 8 << 23 | (0x2a6fffu + (i & 3)) | (i & 4) << 11;
	ir_begin(b, (const uint32_t[3]){256, 1, 1});
	uint32_t from = ir_binding(b, "a", IR_TYPE(IR_F32, 1), false, 2048);
	uint32_t to = ir_binding(b, "out", IR_TYPE(IR_F32, 1), true, 2048);
	ir_id first = ir_mul(b, ir_builtin(b, IR_WORKGROUP_ID_X), ir_u32(b, 256));
	ir_id i = ir_add(b, first, ir_builtin(b, IR_LOCAL_INDEX));
	ir_id half = ir_convert(b, ir_load(b, from, i), IR_F16);
	ir_store(b, to, i, ir_convert(b, half, IR_F32));
	ck_assert_int_eq(emit_eval(finish("rounding"), &run), 0);
	for (uint32_t e = 0; e < 2048; e++) {
		float x, y, want;
		memcpy(&x, &in[e], sizeof x);
		memcpy(&y, &got[e], sizeof y);
		want = half_to_float(half_of_float(x));
		ck_assert_msg(isnan(want) ? isnan(y) : memcmp(&y, &want, sizeof y) == 0,
		        "%a becomes %a, should be %a", (double)x, (double)y, (double)want);
	}
}
END_TEST

/* ---- Infinities and NaN as constants. */

START_TEST(keeps_specials)
{
	static const float wants[] = {INFINITY, -INFINITY, NAN};
	enum ir_scalar scalar = _i ? IR_F16 : IR_F32;
	uint32_t in[4] = {0}, got[5 * 4];
	struct emit_eval run = {.workgroups = {1, 1, 1}, .buffers = {in, got}};

	row_build_specials(b, scalar);
	const struct ir_module *module = finish("specials");
	ck_assert_int_eq(emit_eval(module, &run), 0);
	for (uint32_t e = 0; e < 20; e++) {
		double x = row_read(got, scalar, e);
		double want = e >= 16 ? 0 : e == 15 ? 1 : (double)wants[e < 12 ? e / 4 : e - 12];
		ck_assert_msg(isnan(want) ? isnan(x) : x == want, "element %u is %a", e, x);
	}
	validate(module, "specials");
}
END_TEST

/* ---- Float literals, which must be exact to the bit. */

static const struct {
	float value;
	const char *text;
} floats[] = {
        {0, "0.0f"},
        {-0.0f, "-0.0f"},
        {1, "1.0f"},
        {-2.5f, "-2.5f"},
        {0.015625f, "0.015625f"},
        {1000, "1000.0f"},
        {16777216, "0x1p+24f"},
        {0.1f, "0x1.99999ap-4f"},
        {3.4028234663852886e38f, "0x1.fffffep+127f"},
        {-3.4028234663852886e38f, "-0x1.fffffep+127f"},
        {1.17549435e-38f, "0x1p-126f"},
        {1.40129846e-45f, "0x1p-149f"},
        {5.88e-39f, "0x1.001c3p-127f"},
};

static void check_literal(enum ir_scalar scalar, float value, const char *text)
{
	const struct ir_module *module;
	char expected[64];

	ir_begin(b, (const uint32_t[3]){1, 1, 1});
	uint32_t o = ir_binding(b, "out", IR_TYPE(scalar, 1), true, 1);
	ir_store(b, o, ir_u32(b, 0), ir_float(b, scalar, value));
	ck_assert_int_eq(ir_finish(b, &module), 0);
	ck_assert_int_eq(emit_wgsl(module, &out), 0);
	snprintf(expected, sizeof expected, "out[0u] = %s;", text);
	ck_assert_msg(strstr(out.data, expected) != NULL, "no '%s' in:\n%s", expected, out.data);
	ck_assert(strtof(text, NULL) == value);
}

START_TEST(writes_floats)
{
	check_literal(IR_F32, floats[_i].value, floats[_i].text);
}
END_TEST

static const struct {
	float value;
	const char *text;
} halves[] = {
        {-0.0f, "-0.0h"},
        {-2.5f, "-2.5h"},
        {0x1.998p-4f, "0x1.998p-4h"}, /* the half next to 0.1 */
        {65504, "65504.0h"},
        {0x1p-14f, "0x1p-14h"},
        {0x1.ff8p-15f, "0x1.ff8p-15h"}, /* subnormal from here on */
        {0x1p-24f, "0x1p-24h"},
};

START_TEST(writes_halves)
{
	check_literal(IR_F16, halves[_i].value, halves[_i].text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("rows");
	TCase *tcase = tcase_create("rows");
	SRunner *runner = srunner_create(suite);
	uint32_t count = row_cases(cases, CASES_MAX);

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, computes, 0, (int)count);
	tcase_add_test(tcase, leaves_no_row_out);
	tcase_add_loop_test(tcase, keeps_bits, 0, (int)ROW_BITCASTS);
	tcase_add_test(tcase, multiplies_bytes);
	tcase_add_test(tcase, unpacks_halves);
	tcase_add_test(tcase, reads_uniforms);
	tcase_add_test(tcase, counts_uniforms_in_use_only);
	tcase_add_loop_test(tcase, stores_halves, 0, 3);
	tcase_add_test(tcase, rounds_as_memory_does);
	tcase_add_loop_test(tcase, keeps_specials, 0, 2);
	tcase_add_loop_test(tcase, writes_floats, 0, (int)(sizeof floats / sizeof *floats));
	tcase_add_loop_test(tcase, writes_halves, 0, (int)(sizeof halves / sizeof *halves));
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
