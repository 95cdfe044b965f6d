/* SPDX-License-Identifier: Apache-2.0
 *
 * The emitters, on small kernels that between them use every instruction: what the interpreter
 * computes is compared with plain C, the SPIR-V must be valid for Vulkan 1.1, output must be the
 * same each time, and the texts of two kernels are golden.
 */
#include "base/buffer.h"
#include "base/error.h"
#include "base/half.h"
#include "emit/eval/eval.h"
#include "emit/spirv/spirv.h"
#include "emit/text/wgsl.h"
#include "golden.h"
#include "ir/ir.h"
#include "tests/bench/emit_glsl.h"

#include <check.h>
#include <math.h>
#include <spirv-tools/libspirv.h>
#include <spirv/unified1/spirv.h>
#include <stdlib.h>
#include <string.h>

#define U32 IR_TYPE(IR_U32, 1)
#define F32 IR_TYPE(IR_F32, 1)
#define F4  IR_TYPE(IR_F32, 4)

#define WORDS_MAX 256 /* of each buffer */
#define UNIFORM_1 3   /* number 1 of the uniform block */

struct kernel_case {
	const char *name;
	void (*build)(struct ir_builder *b);
	uint32_t workgroups, inputs, outputs; /* words of binding 0, of the last binding */
	float (*expected)(const float *in, uint32_t i);
	bool is_golden;
};

/* ---- copy: one element an invocation, the last ones outside. */

static void build_copy(struct ir_builder *b)
{
	ir_begin(b, (const uint32_t[3]){8, 1, 1});
	uint32_t a = ir_binding(b, "a", F32, false, 29), out = ir_binding(b, "out", F32, true, 29);
	ir_id i = ir_add(b, ir_mul(b, ir_builtin(b, IR_WORKGROUP_ID_X), ir_u32(b, 8)),
	        ir_builtin(b, IR_LOCAL_ID_X));

	ir_if(b, ir_compute(b, IR_LT, i, ir_u32(b, 29), 0));
	ir_store(b, out, i, ir_load(b, a, i));
	ir_end(b);
}

static float expect_copy(const float *in, uint32_t i)
{
	return in[i];
}

/* ---- scaled: an if with an else, floats without a short decimal. */

static void build_scaled(struct ir_builder *b)
{
	ir_begin(b, (const uint32_t[3]){4, 2, 2});
	uint32_t a = ir_binding(b, "a", F32, false, 32), out = ir_binding(b, "out", F32, true, 32);
	ir_id first = ir_mul(b, ir_builtin(b, IR_WORKGROUP_ID_X), ir_u32(b, 16));
	ir_id i = ir_add(b, first, ir_builtin(b, IR_LOCAL_INDEX));
	ir_id x = ir_load(b, a, i);

	ir_if(b, ir_compute(b, IR_GE, x, ir_f32(b, 0), 0));
	ir_store(b, out, i, ir_compute(b, IR_FMA, x, ir_f32(b, 0.1f), ir_f32(b, -3.5f)));
	ir_else(b);
	ir_store(b, out, i, ir_compute(b, IR_FDIV, x, ir_f32(b, 1e-20f), 0));
	ir_end(b);
}

static float expect_scaled(const float *in, uint32_t i)
{
	return in[i] >= 0 ? fmaf(in[i], 0.1f, -3.5f) : in[i] / 1e-20f;
}

/* ---- reduced: sums of 16 through workgroup memory, a barrier each round. */

static void build_reduced(struct ir_builder *b)
{
	ir_begin(b, (const uint32_t[3]){16, 1, 1});
	uint32_t a = ir_binding(b, "a", F32, false, 64), out = ir_binding(b, "out", F32, true, 4);
	uint32_t tile = ir_shared(b, F32, 16);
	ir_id lid = ir_builtin(b, IR_LOCAL_ID_X), wid = ir_builtin(b, IR_WORKGROUP_ID_X);

	ir_shared_store(b, tile, lid, ir_load(b, a, ir_add(b, ir_mul(b, wid, ir_u32(b, 16)), lid)));
	ir_barrier(b);
	for (uint32_t half = 8; half; half /= 2) {
		ir_if(b, ir_compute(b, IR_LT, lid, ir_u32(b, half), 0));
		ir_id other = ir_shared_load(b, tile, ir_add(b, lid, ir_u32(b, half)));
		ir_shared_store(b, tile, lid, ir_add(b, ir_shared_load(b, tile, lid), other));
		ir_end(b);
		ir_barrier(b);
	}
	ir_if(b, ir_compute(b, IR_EQ, lid, ir_u32(b, 0), 0));
	ir_store(b, out, wid, ir_shared_load(b, tile, lid));
	ir_end(b);
}

static float expect_reduced(const float *in, uint32_t i)
{
	float tile[16];

	memcpy(tile, in + 16 * i, sizeof tile);
	for (uint32_t half = 8; half; half /= 2)
		for (uint32_t j = 0; j < half; j++)
			tile[j] += tile[j + half];
	return tile[0];
}

/* ---- looped: loops of each kind, an accumulator, a value read before it is overwritten. */

static void build_looped(struct ir_builder *b)
{
	ir_begin(b, (const uint32_t[3]){8, 1, 1});
	uint32_t a = ir_binding(b, "a", F32, false, 64), out = ir_binding(b, "out", F32, true, 8);
	ir_id lid = ir_builtin(b, IR_LOCAL_ID_X);
	ir_id sum = ir_var(b, ir_f32(b, 0)), last = ir_var(b, ir_f32(b, 1));

	ir_id i = ir_loop(b, ir_u32(b, 4), ir_u32(b, 64), 8);
	ir_id x = ir_load(b, a, ir_add(b, i, ir_compute(b, IR_AND, lid, ir_u32(b, 3), 0)));
	ir_id before = ir_get(b, last);
	ir_set(b, last, x);
	ir_set(b, sum, ir_compute(b, IR_FMA, x, before, ir_get(b, sum)));
	ir_end(b);
	ir_id j = ir_loop(b, lid, ir_u32(b, 8), 1);
	ir_id k = ir_loop(b, ir_u32(b, 0), ir_add(b, j, lid), 2);
	ir_id more = ir_convert(b, ir_add(b, j, k), IR_F32);
	ir_set(b, sum, ir_add(b, ir_get(b, sum), more));
	ir_end(b);
	ir_end(b);
	ir_store(b, out, lid, ir_get(b, sum));
}

/* ---- fixed: a dispatch that is known, a mask, a loop from each lane's own place. */

static void build_fixed(struct ir_builder *b)
{
	ir_begin(b, (const uint32_t[3]){8, 1, 1});
	ir_fix(b, (const uint32_t[3]){4, 1, 1});
	uint32_t a = ir_binding(b, "a", F32, false, 96), out = ir_binding(b, "out", F32, true, 32);
	uint32_t tile = ir_shared(b, F32, 8);
	ir_id lid = ir_builtin(b, IR_LOCAL_ID_X), wid = ir_builtin(b, IR_WORKGROUP_ID_X);
	ir_id sum = ir_var(b, ir_f32(b, 0));
	ir_id row = ir_add(b, wid, ir_builtin(b, IR_WORKGROUP_ID_Y));

	ir_id i = ir_loop(b, lid, ir_u32(b, 24), 8);
	ir_id x = ir_load(b, a, ir_add(b, ir_mul(b, row, ir_u32(b, 24)), i));
	ir_set(b, sum, ir_add(b, ir_get(b, sum), x));
	ir_end(b);
	ir_id j = ir_loop(b, lid, ir_u32(b, 20), 8);
	ir_set(b, sum, ir_add(b, ir_get(b, sum), ir_load(b, a, j)));
	ir_end(b);
	ir_shared_store(b, tile, lid, ir_get(b, sum));
	ir_barrier(b);
	ir_id other = ir_compute(b, IR_AND, ir_add(b, lid, ir_u32(b, 3)), ir_u32(b, 7), 0);
	ir_store(b, out, ir_add(b, ir_mul(b, wid, ir_u32(b, 8)), lid),
	        ir_shared_load(b, tile, other));
}

static float expect_fixed(const float *in, uint32_t i)
{
	uint32_t lane = ((i & 7) + 3) & 7;
	float sum = 0;

	for (uint32_t k = lane; k < 24; k += 8)
		sum += in[i / 8 * 24 + k];
	for (uint32_t k = lane; k < 20; k += 8)
		sum += in[k];
	return sum;
}

static float expect_looped(const float *in, uint32_t lid)
{
	float sum = 0, last = 1;

	for (uint32_t i = 4; i < 64; i += 8) {
		float x = in[i + (lid & 3)];
		sum = fmaf(x, last, sum);
		last = x;
	}
	for (uint32_t j = lid; j < 8; j++)
		for (uint32_t k = 0; k < j + lid; k += 2)
			sum += (float)(j + k);
	return sum;
}

/* ---- vectors: every lane-wise thing at once. */

static void build_vectors(struct ir_builder *b)
{
	ir_begin(b, (const uint32_t[3]){2, 2, 1});
	uint32_t a = ir_binding(b, "a", F4, false, 4), out = ir_binding(b, "out", F4, true, 4);
	uint32_t tile = ir_shared(b, F4, 4);
	ir_id i = ir_builtin(b, IR_LOCAL_INDEX), x = ir_load(b, a, i);
	ir_id half = ir_splat(b, ir_f32(b, 0.5f), 4);
	ir_id y = ir_compute(b, IR_FMA, x, half, ir_splat(b, ir_extract(b, x, 2), 4));
	ir_id odd = ir_compute(
	        b, IR_EQ, ir_compute(b, IR_MOD, i, ir_u32(b, 2), 0), ir_u32(b, 1), 0);
	ir_id turned = ir_compose(b,
	        (const ir_id[]){ir_extract(b, y, 3), ir_extract(b, y, 0), ir_extract(b, y, 1),
	                ir_extract(b, y, 2)},
	        4);
	ir_id z = ir_var(b, ir_select(b, odd, turned, ir_compute(b, IR_FNEG, y, 0, 0)));

	ir_set(b, z, ir_compute(b, IR_MAX, ir_get(b, z), ir_splat(b, ir_f32(b, -1), 4), 0));
	ir_shared_store(b, tile, i, ir_compute(b, IR_FABS, ir_get(b, z), 0, 0));
	ir_barrier(b);
	ir_id next = ir_compute(b, IR_AND, ir_add(b, i, ir_u32(b, 1)), ir_u32(b, 3), 0);
	ir_store(b, out, i, ir_mul(b, ir_shared_load(b, tile, next), half));
}

static float vectors_lane(const float *in, uint32_t i, uint32_t lane)
{
	uint32_t from = i & 1 ? (lane + 3) & 3 : lane;
	float y = fmaf(in[4 * i + from], 0.5f, in[4 * i + 2]);

	return fabsf(fmaxf(i & 1 ? y : -y, -1)) * 0.5f;
}

static float expect_vectors(const float *in, uint32_t i)
{
	return vectors_lane(in, (i / 4 + 1) & 3, i & 3);
}

/* ---- subgroups: sums over 4, of those that are active. */

static void build_subgroups(struct ir_builder *b)
{
	ir_begin(b, (const uint32_t[3]){16, 1, 1});
	uint32_t a = ir_binding(b, "a", F32, false, 16), out = ir_binding(b, "out", F32, true, 16);
	ir_id i = ir_builtin(b, IR_LOCAL_INDEX), x = ir_load(b, a, i);
	ir_id lane = ir_convert(b, ir_builtin(b, IR_SUBGROUP_INVOCATION), IR_F32);

	ir_if(b, ir_compute(b, IR_LT, i, ir_u32(b, 10), 0));
	ir_store(b, out, i, ir_add(b, ir_subgroup(b, IR_SUBGROUP_ADD, x), lane));
	ir_else(b);
	ir_store(b, out, i, ir_convert(b, ir_subgroup(b, IR_SUBGROUP_ADD, i), IR_F32));
	ir_end(b);
}

static float expect_subgroups(const float *in, uint32_t i)
{
	uint32_t first = i & ~3u, sum = 0;
	float float_sum = 0;

	for (uint32_t j = first; j < first + 4; j++) {
		float_sum += j < 10 ? in[j] : 0;
		sum += j < 10 ? 0 : j;
	}
	return i < 10 ? float_sum + (float)(i & 3) : (float)sum;
}

/* ---- integers: signed and unsigned, bools in both directions, the other builtins. */

static void build_integers(struct ir_builder *b)
{
	ir_begin(b, (const uint32_t[3]){2, 2, 2});
	uint32_t a = ir_binding(b, "a", F32, false, 8), out = ir_binding(b, "out", F32, true, 8);
	ir_id i = ir_add(b,
	        ir_add(b, ir_builtin(b, IR_LOCAL_ID_X),
	                ir_mul(b, ir_u32(b, 2), ir_builtin(b, IR_LOCAL_ID_Y))),
	        ir_mul(b, ir_u32(b, 4), ir_builtin(b, IR_LOCAL_ID_Z)));
	ir_id x = ir_convert(b, ir_mul(b, ir_load(b, a, i), ir_f32(b, 100)), IR_I32);
	ir_id three = ir_convert(b, ir_u32(b, 3), IR_I32),
	      zero = ir_convert(b, ir_u32(b, 0), IR_I32);
	ir_id y = ir_compute(b, IR_DIV, ir_compute(b, IR_SHR, x, three, 0), three, 0);
	ir_id small = ir_compute(
	        b, IR_LAND, ir_compute(b, IR_LT, y, three, 0), ir_compute(b, IR_GE, y, zero, 0), 0);
	ir_id rest = ir_compute(
	        b, IR_MOD, ir_compute(b, IR_OR, i, ir_u32(b, 8), 0), ir_u32(b, 3), 0);
	ir_id z = ir_add(b, ir_convert(b, y, IR_F32), ir_convert(b, small, IR_F32));
	ir_id wid = ir_add(b, ir_builtin(b, IR_WORKGROUP_ID_Y), ir_builtin(b, IR_WORKGROUP_ID_Z));

	ir_store(b, out, ir_add(b, i, wid),
	        ir_compute(b, IR_MIN, ir_f32(b, 90),
	                ir_add(b, z, ir_compute(b, IR_EXP, ir_convert(b, rest, IR_F32), 0, 0)), 0));
}

static float expect_integers(const float *in, uint32_t i)
{
	int32_t y = ((int32_t)(in[i] * 100) >> 3) / 3;
	float z = (float)y + (y < 3 && y >= 0);

	return fminf(90, z + expf((float)((i | 8) % 3)));
}

/* ---- typed: f16, lanes chosen one by one, bits, and a loop as long as the uniform block says. */

static ir_id typed_sum(struct ir_builder *b, ir_id x)
{
	ir_id tenth = ir_splat(b, ir_float(b, IR_F16, 0.1f), 4);
	ir_id large = ir_compute(b, IR_GE, x, tenth, 0);
	ir_id even = ir_compute(b, IR_EQ, x, ir_compute(b, IR_ROUND, x, 0, 0), 0);
	ir_id chosen = ir_compute(b, IR_LAND, large, ir_compute(b, IR_LNOT, even, 0, 0), 0);
	ir_id sum = ir_var(b, ir_select(b, chosen, ir_mul(b, x, x), x)), end = ir_uniform(b, 1);

	ir_loop(b, ir_u32(b, 0), end, 1);
	ir_set(b, sum, ir_add(b, ir_get(b, sum), tenth));
	ir_end(b);
	return ir_get(b, sum);
}

/* The low two lanes of f16 with their signs turned, as f32. */
static ir_id typed_pair(struct ir_builder *b, ir_id x)
{
	const ir_id lanes[2] = {ir_extract(b, x, 0), ir_extract(b, x, 1)};
	ir_id word = ir_bitcast(b, ir_compose(b, lanes, 2), U32);

	return ir_unpack_half(b, ir_compute(b, IR_XOR, word, ir_u32(b, 0x80008000), 0));
}

static void build_typed(struct ir_builder *b)
{
	ir_begin(b, (const uint32_t[3]){8, 1, 1});
	uint32_t a = ir_binding(b, "a", F4, false, 8), out = ir_binding(b, "out", F4, true, 8);
	ir_id i = ir_builtin(b, IR_LOCAL_INDEX), x = ir_load(b, a, i);
	ir_id sum = typed_sum(b, ir_convert(b, x, IR_F16)), pair = typed_pair(b, sum);
	ir_id wide = ir_convert(b, sum, IR_F32);
	const ir_id lanes[4] = {ir_extract(b, pair, 0), ir_extract(b, pair, 1),
	        ir_extract(b, wide, 2), ir_extract(b, wide, 3)};

	ir_store(b, out, i, ir_compose(b, lanes, 4));
}

static float half(float x)
{
	return half_to_float(half_of_float(x));
}

static float expect_typed(const float *in, uint32_t i)
{
	float x = half(in[i]), sum = x >= half(0.1f) && x != rintf(x) ? half(x * x) : x;

	for (uint32_t j = 0; j < UNIFORM_1; j++)
		sum = half(sum + half(0.1f));
	return i % 4 < 2 ? -sum : sum;
}

static const struct kernel_case cases[] = {
        {"copy", build_copy, 4, 29, 29, expect_copy, false},
        {"scaled", build_scaled, 2, 32, 32, expect_scaled, true},
        {"reduced", build_reduced, 4, 64, 4, expect_reduced, false},
        {"looped", build_looped, 1, 64, 8, expect_looped, true},
        {"fixed", build_fixed, 4, 96, 32, expect_fixed, true},
        {"vectors", build_vectors, 1, 16, 16, expect_vectors, false},
        {"subgroups", build_subgroups, 1, 16, 16, expect_subgroups, false},
        {"integers", build_integers, 1, 8, 8, expect_integers, false},
        {"typed", build_typed, 1, 32, 32, expect_typed, true},
};
#define CASES ((int)(sizeof cases / sizeof *cases))

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

static const struct ir_module *build(const struct kernel_case *c)
{
	const struct ir_module *module;
	struct error err = {0};

	c->build(b);
	ck_assert_int_eq(ir_finish(b, &module), 0);
	ck_assert_msg(ir_check(module, &err) == 0, "%s: %s", c->name, err.text);
	return module;
}

START_TEST(evaluates)
{
	const struct kernel_case *c = &cases[_i];
	const struct ir_module *module = build(c);
	float in[WORDS_MAX], got[WORDS_MAX];
	struct emit_eval run = {.workgroups = {c->workgroups, 1, 1},
	        .subgroup_size = 4,
	        .uniforms = {0, UNIFORM_1, 0, 0},
	        .buffers = {in, got}};

	for (uint32_t i = 0; i < WORDS_MAX; i++) {
		in[i] = (float)(i * 37 % 101) / 16 - 2;
		got[i] = -777;
	}
	ck_assert_int_eq(emit_eval(module, &run), 0);
	ck_assert_uint_eq(run.out_of_bounds, 0);
	for (uint32_t i = 0; i < c->outputs; i++)
		ck_assert_msg(got[i] == c->expected(in, i), "%s: element %u is %a, should be %a",
		        c->name, i, (double)got[i], (double)c->expected(in, i));
	ck_assert(got[c->outputs] == -777);
}
END_TEST

/* Reads beyond the end give 0, writes vanish, both are counted, for active invocations only. */
START_TEST(counts_out_of_bounds)
{
	float in[4] = {1, 2, 3, 4}, got[4] = {5, 6, 7, 8};
	const struct ir_module *module;

	ir_begin(b, (const uint32_t[3]){8, 1, 1});
	uint32_t a = ir_binding(b, "a", F32, false, 4), o = ir_binding(b, "out", F32, true, 3);
	ir_id i = ir_builtin(b, IR_LOCAL_ID_X);
	ir_if(b, ir_compute(b, IR_LT, i, ir_u32(b, 6), 0));
	ir_store(b, o, i, ir_load(b, a, i));
	ir_end(b);
	ck_assert_int_eq(ir_finish(b, &module), 0);
	struct emit_eval run = {.workgroups = {1, 1, 1}, .buffers = {in, got}};
	ck_assert_int_eq(emit_eval(module, &run), 0);
	ck_assert_uint_eq(run.out_of_bounds, 2 + 3);
	ck_assert(got[0] == 1 && got[2] == 3 && got[3] == 8);
	run = (struct emit_eval){.workgroups = {1, 1, 1}, .buffers = {in, got}, .lengths = {2, 4}};
	ck_assert_int_eq(emit_eval(module, &run), 0);
	ck_assert_uint_eq(run.out_of_bounds, 4 + 2);
	ck_assert(got[1] == 2 && got[2] == 0 && got[3] == 0);
}
END_TEST

static nnjit_emitter *const forms[] = {emit_spirv, emit_spirv_web, emit_spirv_web_clamped};
#define FORMS 3

START_TEST(validates)
{
	const struct kernel_case *c = &cases[_i / FORMS];
	const struct ir_module *module = build(c);
	spv_context context = spvContextCreate(SPV_ENV_VULKAN_1_1);
	spv_diagnostic diagnostic = NULL;

	ck_assert_int_eq(forms[_i % FORMS](module, &out), 0);
	struct spv_const_binary_t binary = {(const uint32_t *)out.data, out.length / 4};
	ck_assert_msg(spvValidate(context, &binary, &diagnostic) == SPV_SUCCESS, "%s: %s", c->name,
	        diagnostic ? diagnostic->error : "?");
	spvDiagnosticDestroy(diagnostic);
	spvContextDestroy(context);
}
END_TEST

/* Where the first instruction of this kind stands; 0: nowhere. */
static size_t word_of(const struct buffer *words, SpvOp op)
{
	const uint32_t *word = (const uint32_t *)words->data;

	for (size_t at = 5; at < words->length / 4; at += word[at] >> SpvWordCountShift)
		if ((word[at] & SpvOpCodeMask) == op)
			return at;
	return 0;
}

/* out[i] = a[1] * a[1] - 3 / a[i], where the quotient was built first: the web computes it where it
 * stands, after the product; a native program where it was built. */
START_TEST(computes_where_the_web_does)
{
	const struct ir_module *module;

	ir_begin(b, (const uint32_t[3]){8, 1, 1});
	uint32_t a = ir_binding(b, "a", F32, false, 8), o = ir_binding(b, "out", F32, true, 8);
	ir_id i = ir_builtin(b, IR_LOCAL_ID_X);
	ir_id quotient = ir_compute(b, IR_FDIV, ir_f32(b, 3), ir_load(b, a, i), 0);
	ir_id element = ir_load(b, a, ir_u32(b, 1));
	ir_id product = ir_compute(b, IR_MUL, element, element, 0);
	ir_store(b, o, i, ir_compute(b, IR_SUB, product, quotient, 0));
	ck_assert_int_eq(ir_finish(b, &module), 0);
	for (uint32_t web = 0; web < 2; web++) {
		buffer_clear(&out);
		ck_assert_int_eq(forms[web](module, &out), 0);
		size_t product_at = word_of(&out, SpvOpFMul),
		       quotient_at = word_of(&out, SpvOpFDiv);
		ck_assert(product_at && quotient_at);
		ck_assert_int_eq(product_at < quotient_at, web);
	}
}
END_TEST

/* Twice from one builder, and once more after what others left in the output. */
START_TEST(repeats_itself)
{
	static nnjit_emitter *const emitters[] = {
	        emit_wgsl, emit_spirv, emit_glsl, emit_spirv_web, emit_spirv_web_clamped};
	struct buffer again = {0};

	for (size_t i = 0; i < sizeof emitters / sizeof *emitters; i++) {
		buffer_clear(&out);
		ck_assert_int_eq(emitters[i](build(&cases[_i]), &out), 0);
		size_t before = again.length;
		ck_assert_int_eq(emitters[i](build(&cases[_i]), &again), 0);
		ck_assert_uint_eq(again.length - before, out.length);
		ck_assert_mem_eq(again.data + before, out.data, out.length);
	}
	buffer_free(&again);
}
END_TEST

START_TEST(writes_golden_text)
{
	char name[64];

	if (!cases[_i].is_golden)
		return;
	ck_assert_int_eq(emit_wgsl(build(&cases[_i]), &out), 0);
	snprintf(name, sizeof name, "%s.wgsl", cases[_i].name);
	golden_compare(name, &out);
	buffer_clear(&out);
	ck_assert_int_eq(emit_glsl(build(&cases[_i]), &out), 0);
	snprintf(name, sizeof name, "%s.glsl", cases[_i].name);
	golden_compare(name, &out);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("emit");
	TCase *tcase = tcase_create("emit");
	SRunner *runner = srunner_create(suite);

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, evaluates, 0, CASES);
	tcase_add_test(tcase, counts_out_of_bounds);
	tcase_add_loop_test(tcase, validates, 0, CASES * FORMS);
	tcase_add_test(tcase, computes_where_the_web_does);
	tcase_add_loop_test(tcase, repeats_itself, 0, CASES);
	tcase_add_loop_test(tcase, writes_golden_text, 0, CASES);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
