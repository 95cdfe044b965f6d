/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernel artifact, member by member, because clients and scripts read it so; and the base64 in
 * which SPIR-V travels.
 */
#include "protocol/artifact_json.h"

#include "base/base64.h"
#include "base/buffer.h"
#include "base/cleanup.h"
#include "space/space.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct artifact example(const char *op_text, enum target target)
{
	struct artifact artifact = {
	        .target = target,
	        .device = 0x00ab00cd00ef0012,
	        .facts = {.fma_gflops = 40, .memory_gbps = 10},
	        .status = ARTIFACT_TUNED,
	        .measured = 30,
	        .of = 34,
	        .median_ns = 1048576.4,
	        .mad_ns = 1000.6,
	        .baseline_ns = 4194304,
	        .samples = 20,
	        .pipeline_ns = 31000000,
	        .spirv_bytes = 9120,
	        .max_rel_err = 1e-7,
	        .checked = 4096,
	};

	ck_assert_int_eq(op_parse(op_text, &artifact.op, NULL), 0);
	artifact.schedule = space_baseline(&artifact.op);
	return artifact;
}

static json_t *make(const struct artifact *artifact)
{
	struct nnjit *nnjit;
	json_t *object = NULL;

	ck_assert_int_eq(nnjit_create(&nnjit), 0);
	ck_assert_int_eq(artifact_json(nnjit, artifact, &object), 0);
	nnjit_destroy(nnjit);
	return object;
}

/* Everything but the code, which the generator's own tests look at. */
static const char expected[] =
        "{\"op\":\"matmul m=256 n=128 k=64 batch=2 bias=1\",\"key\":\"%016llx\","
        "\"device\":\"00ab00cd00ef0012\",\"target\":\"wgsl\",\"profile\":\"web\","
        "\"entry_point\":\"main\",\"workgroup_size\":[8,8,1],\"workgroups\":[4,8,2],"
        "\"bindings\":["
        "{\"binding\":0,\"name\":\"a\",\"type\":\"read-only-storage\",\"dtype\":\"f32\","
        "\"shape\":[2,256,64],\"bytes\":131072},"
        "{\"binding\":1,\"name\":\"b\",\"type\":\"read-only-storage\",\"dtype\":\"f32\","
        "\"shape\":[2,64,128],\"bytes\":65536},"
        "{\"binding\":2,\"name\":\"bias\",\"type\":\"read-only-storage\",\"dtype\":\"f32\","
        "\"shape\":[128],\"bytes\":512},"
        "{\"binding\":3,\"name\":\"out\",\"type\":\"storage\",\"dtype\":\"f32\","
        "\"shape\":[2,256,128],\"bytes\":262144}],"
        "\"required_features\":[],\"required_language_features\":[],\"required_limits\":{},"
        "\"schedule\":\"%s\",\"status\":\"tuned\",\"progress\":{\"measured\":30,\"of\":34},"
        "\"timing\":{\"median_ns\":1048576,\"mad_ns\":1001,\"samples\":20,\"gflops\":8.0,"
        "\"roofline\":0.2,\"baseline_ns\":4194304,\"clock\":\"timestamp\"},"
        "\"compile\":{\"pipeline_ns\":31000000,\"spirv_bytes\":9120},"
        "\"verified\":{\"max_rel_err\":1e-7,\"checked\":4096}}";

START_TEST(members_are_as_promised)
{
	struct artifact artifact = example("matmul m=256 n=128 k=64 batch=2 bias=1", TARGET_WGSL);
	char schedule[SCHEDULE_TEXT_BYTES], wanted[2048];
	json_t *object = make(&artifact);
	const char *code = json_string_value(json_object_get(object, "code"));

	ck_assert_ptr_nonnull(code);
	ck_assert_ptr_nonnull(strstr(code, "@compute"));
	json_object_del(object, "code");
	schedule_print(&artifact.schedule, schedule);
	snprintf(wanted, sizeof wanted, expected, (unsigned long long)op_key(&artifact.op),
	        schedule);
	char *text = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(12));
	ck_assert_str_eq(text, wanted);
	free(text);
	json_decref(object);
}
END_TEST

/* The text that is passed on is the text of the values. */
static void check_same(struct buffer *text, json_t *object)
{
	char *dumped = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(ARTIFACT_DIGITS));

	ck_assert(json_is_object(object));
	ck_assert_str_eq(text->data, dumped);
	buffer_free(text);
	free(dumped);
	json_decref(object);
}

START_TEST(text_and_values_are_the_same)
{
	struct artifact kernels[] = {example("matmul m=?20 n=48 k=16", TARGET_SPIRV),
	        example("attention heads=2 q=8 kv=8 dim=8", TARGET_WGSL)};
	const struct artifact_step steps[] = {{1, 1, true, {{0}, {1, 256, 0}, {OP_SCRATCH, 0, 0}}},
	        {0, 3, false, {{.advance_bytes = 512}}}};
	const struct artifact_steps all = {&kernels[1], kernels, 2, steps, 2, 4096};
	struct buffer text = {0};
	struct nnjit *nnjit;
	json_t *object;

	kernels[0].status = ARTIFACT_NAIVE;
	kernels[1].share = 0.3333333333333;
	kernels[1].settled = true;
	ck_assert_int_eq(nnjit_create(&nnjit), 0);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(artifact_write(nnjit, &kernels[i], ARTIFACT_DIGITS, &text), 0);
		ck_assert_int_eq(artifact_json(nnjit, &kernels[i], &object), 0);
		check_same(&text, object);
	}
	AUTO(buffer_free) struct buffer exact = {0};
	ck_assert_int_eq(artifact_steps_write(nnjit, &all, ARTIFACT_ALL_DIGITS, &exact), 0);
	ck_assert_int_eq(artifact_value(&exact, &object), 0);
	ck_assert_int_eq(artifact_steps_write(nnjit, &all, ARTIFACT_DIGITS, &text), 0);
	check_same(&text, object);
	nnjit_destroy(nnjit);
}
END_TEST

static char *compact(const json_t *object, const char *member)
{
	return json_dumps(json_object_get(object, member), JSON_COMPACT | JSON_ENCODE_ANY);
}

static const struct {
	const char *op, *member, *text;
} member_rows[] = {
        {"matmul m=?20 n=48 k=16", "dimensions",
                "[{\"name\":\"m\",\"min\":1,\"max\":33554432,\"hint\":20}]"},
        {"matmul m=?20 n=48 k=16", "workgroups", "[2,1,1]"},
        {"matmul m=?20 n=48 k=16", "dispatch",
                "[{\"times\":48,\"over\":32,\"dims\":[]},"
                "{\"times\":1,\"over\":32,\"dims\":[\"m\"],\"most\":65535},"
                "{\"times\":1,\"over\":1,\"dims\":[]}]"},
        {"matmul m=?20 n=48 k=16", "bindings",
                "[{\"binding\":0,\"name\":\"a\",\"type\":\"read-only-storage\",\"dtype\":\"f32\","
                "\"shape\":[20,16],\"bytes\":1280,\"dims\":[\"m\",null]},"
                "{\"binding\":1,\"name\":\"b\",\"type\":\"read-only-storage\",\"dtype\":\"f32\","
                "\"shape\":[16,48],\"bytes\":3072},"
                "{\"binding\":2,\"name\":\"out\",\"type\":\"storage\",\"dtype\":\"f32\","
                "\"shape\":[20,48],\"bytes\":3840,\"dims\":[\"m\",null]},"
                "{\"binding\":3,\"name\":\"dims\",\"type\":\"uniform\",\"dtype\":\"u32\","
                "\"shape\":[4],\"bytes\":16}]"},
        {"matmul m=8 n=8 k=8", "dimensions", NULL},
        {"matmul m=8 n=8 k=8", "dispatch", NULL},
        {"transpose shape=2,?3..9,4 perm=2,1,0 dtype=i8", "bindings",
                "[{\"binding\":0,\"name\":\"x\",\"type\":\"read-only-storage\",\"dtype\":\"i8\","
                "\"shape\":[2,5,4],\"bytes\":40,\"dims\":[null,\"shape[1]\",null]},"
                "{\"binding\":1,\"name\":\"out\",\"type\":\"storage\",\"dtype\":\"i8\","
                "\"shape\":[4,5,2],\"bytes\":40,\"dims\":[null,\"shape[1]\",null]},"
                "{\"binding\":2,\"name\":\"dims\",\"type\":\"uniform\",\"dtype\":\"u32\","
                "\"shape\":[4],\"bytes\":16}]"},
        {"transpose shape=2,?3..9,4 perm=2,1,0 dtype=i8", "dimensions",
                "[{\"name\":\"shape[1]\",\"min\":3,\"max\":9,\"hint\":5}]"},
};

START_TEST(members_of_dynamic_operators)
{
	struct artifact artifact = example(member_rows[_i].op, TARGET_WGSL);
	json_t *object = make(&artifact);
	char *text = compact(object, member_rows[_i].member);

	if (member_rows[_i].text)
		ck_assert_str_eq(text, member_rows[_i].text);
	else
		ck_assert_ptr_null(text);
	free(text);
	json_decref(object);
}
END_TEST

/* Bytes of a binding with these dimensions, as a client reckons them. */
static uint64_t bytes_at(
        const json_t *binding, const json_t *dimensions, const uint32_t dims[OP_DYNAMIC_MAX])
{
	static const struct {
		const char *dtype;
		uint32_t bits;
	} types[] = {{"f32", 32}, {"f16", 16}, {"i32", 32}, {"i8", 8}, {"u8", 8}, {"u4", 4},
	        {"bool", 8}};
	const char *dtype = json_string_value(json_object_get(binding, "dtype"));
	const json_t *shape = json_object_get(binding, "shape"), *size;
	uint64_t elements = 1, bits = 0;
	size_t axis, i;

	json_array_foreach(shape, axis, size)
	{
		const char *name = json_string_value(
		        json_array_get(json_object_get(binding, "dims"), axis));
		uint64_t extent = (uint64_t)json_integer_value(size);
		const json_t *d;
		json_array_foreach(dimensions, i,
		        d) if (name && !strcmp(name, json_string_value(json_object_get(d, "name"))))
		        extent = extent / (uint64_t)json_integer_value(json_object_get(d, "hint")) *
		                 dims[i];
		elements *= extent;
	}
	for (i = 0; i < sizeof types / sizeof *types; i++)
		if (!strcmp(types[i].dtype, dtype))
			bits = types[i].bits;
	return (elements * bits + 31) / 32 * 4;
}

static const char *const reckoned[] = {"matmul m=?1 n=?7 k=?3 batch=?1 bias=1 residual=1",
        "matmul m=5 n=6 k=7 batch=?4 batch_a=1", "softmax rows=?3 n=?5 inner=?1",
        "reduce_sum rows=2 n=?5 inner=?1", "gate rows=?3 n=?5", "cast shape=?3,5,?7 out=bool",
        "attention batch=?2 heads=4 kv_heads=2 q=?3 kv=?5 dim=8 mask=full",
        "conv2d batch=?2 c=3 h=5 w=5 oc=2 kernel=3", "quantize outer=?3 c=2 inner=?5",
        "rotary batch=?2 heads=2 seq=?3 dim=6 dtype=f16", "gather outer=?2 rows=3 count=?5 inner=3",
        "matmul_nbits m=?3 n=?5 k=40 zeros=1"};

/* What a client reckons from shape, dims and hint is what the kernel is made for. */
START_TEST(bytes_follow_from_the_axes)
{
	static const uint32_t tries[][OP_DYNAMIC_MAX] = {{1, 1, 1, 1}, {2, 3, 4, 5}, {9, 8, 7, 6}};
	struct artifact artifact = example(reckoned[_i], TARGET_WGSL);
	json_t *object = make(&artifact), *bindings = json_object_get(object, "bindings");

	for (size_t t = 0; t < sizeof tries / sizeof *tries; t++) {
		struct tensor tensors[OP_TENSORS_MAX];
		struct op at = op_at(&artifact.op, tries[t]);
		uint32_t count = op_tensors(&at, tensors);
		ck_assert_uint_eq(json_array_size(bindings), count + 1);
		for (uint32_t i = 0; i < count; i++)
			ck_assert_uint_eq(bytes_at(json_array_get(bindings, i),
			                          json_object_get(object, "dimensions"), tries[t]),
			        tensor_bytes(&tensors[i]));
	}
	json_decref(object);
}
END_TEST

START_TEST(features_of_the_language_stand_apart)
{
	struct artifact artifact = example(
	        "matmul m=8 n=8 k=64 a=i8 b=i8 trans_b=1 out=i32", TARGET_WGSL);
	struct limits limits = limits_web_default;
	struct facts facts = {.fma_gflops = 1000, .memory_gbps = 100};
	struct space space;
	uint32_t with = 0;

	limits.features = FEATURE_DOT4;
	ck_assert_int_eq(space_enumerate(&artifact.op, &limits, &facts, &space, NULL), 0);
	for (uint32_t i = 0; i < space.count; i++) {
		artifact.schedule = space.candidates[i].schedule;
		json_t *object = make(&artifact);
		char *language = compact(object, "required_language_features");
		ck_assert_uint_eq(json_array_size(json_object_get(object, "required_features")), 0);
		if (artifact.schedule.axis[AXIS_DOT4]) {
			ck_assert_str_eq(language, "[\"packed_4x8_integer_dot_product\"]");
			with++;
		} else {
			ck_assert_str_eq(language, "[]");
		}
		free(language);
		json_decref(object);
	}
	ck_assert_uint_gt(with, 0);
}
END_TEST

START_TEST(a_prediction_has_no_timing_but_says_what_is_predicted)
{
	struct artifact artifact = example("matmul m=8 n=8 k=8", TARGET_WGSL);

	artifact.status = ARTIFACT_PREDICTED;
	artifact.median_ns = artifact.mad_ns = artifact.baseline_ns = 0;
	artifact.samples = 0;
	artifact.predicted_ns = 1234;
	json_t *object = make(&artifact);
	json_t *timing = json_object_get(object, "timing");
	ck_assert_str_eq(json_string_value(json_object_get(object, "status")), "predicted");
	ck_assert_int_eq(json_integer_value(json_object_get(timing, "median_ns")), 0);
	ck_assert_double_eq(json_number_value(json_object_get(timing, "gflops")), 0);
	ck_assert_double_eq(json_number_value(json_object_get(timing, "roofline")), 0);
	ck_assert_int_eq(json_integer_value(json_object_get(timing, "predicted_ns")), 1234);
	json_decref(object);
}
END_TEST

START_TEST(spirv_travels_as_base64)
{
	struct artifact artifact = example("matmul m=8 n=8 k=8", TARGET_SPIRV);
	struct buffer words = {0};
	uint32_t magic;
	json_t *object = make(&artifact);

	ck_assert_int_eq(
	        base64_decode(&words, json_string_value(json_object_get(object, "code"))), 0);
	ck_assert_uint_gt(words.length, 20);
	ck_assert_uint_eq(words.length % 4, 0);
	memcpy(&magic, words.data, sizeof magic);
	ck_assert_uint_eq(magic, 0x07230203);
	ck_assert_str_eq(json_string_value(json_object_get(object, "target")), "spirv");
	buffer_free(&words);
	json_decref(object);
}
END_TEST

START_TEST(roofline_takes_the_lower_bound)
{
	struct op op;

	ck_assert_int_eq(op_parse("matmul m=1 n=1024 k=1024", &op, NULL), 0);
	struct facts facts = {.fma_gflops = 1000, .memory_gbps = 10};
	double ns = op_bytes(&op) / 10; /* exactly what the memory allows */
	ck_assert_double_eq_tol(artifact_roofline(&op, &facts, ns), 1, 1e-9);
	facts.fma_gflops = op_flops(&op) / ns / 2; /* arithmetic allows half of that */
	ck_assert_double_eq_tol(artifact_roofline(&op, &facts, 4 * ns), 0.5, 1e-9);
	ck_assert_double_eq(artifact_roofline(&op, &facts, ns), 1); /* never more than all of it */
	facts = (struct facts){0};
	ck_assert_double_eq(artifact_roofline(&op, &facts, ns), 0);
	ck_assert_double_eq(artifact_roofline(&op, &facts, 0), 0);
}
END_TEST

/* Of a range the means over the points it is tuned at. */
START_TEST(performance_over_a_range)
{
	struct facts facts = {.fma_gflops = 1000, .memory_gbps = 1e9};
	struct op op;

	ck_assert_int_eq(op_parse("matmul m=?1..100 n=64 k=64", &op, NULL), 0); /* 1, 10, 100 */
	ck_assert_double_eq_tol(artifact_gflops(&op, 1000), 2 * 37 * 64 * 64 / 1000.0, 1e-9);
	ck_assert_double_eq_tol(artifact_roofline(&op, &facts, 1000), 2 * 37 * 64 * 64 / 1e6, 1e-9);
	ck_assert_int_eq(op_parse("transpose shape=64,64 perm=1,0", &op, NULL), 0);
	facts.memory_gbps = 10; /* nothing to compute: memory alone bounds it */
	ck_assert_double_eq_tol(artifact_roofline(&op, &facts, op_bytes(&op) / 5), 0.5, 1e-9);
}
END_TEST

/* RFC 4648, section 10. */
static const struct {
	const char *bytes, *text;
} vectors[] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
};

START_TEST(base64_both_ways)
{
	struct buffer text = {0}, bytes = {0};

	buffer_puts(&text, "");
	buffer_puts(&bytes, "");
	base64_encode(&text, vectors[_i].bytes, strlen(vectors[_i].bytes));
	ck_assert_str_eq(text.data, vectors[_i].text);
	ck_assert_int_eq(base64_decode(&bytes, vectors[_i].text), 0);
	ck_assert_uint_eq(bytes.length, strlen(vectors[_i].bytes));
	ck_assert_int_eq(memcmp(bytes.data, vectors[_i].bytes, bytes.length), 0);
	buffer_free(&text);
	buffer_free(&bytes);
}
END_TEST

static const char *const not_base64[] = {
        "Z", "Zg", "Zg=", "Z===", "====", "Zg==Zg==", "Zm9*", "Z=g="};

START_TEST(base64_refuses)
{
	struct buffer bytes = {0};

	ck_assert_int_eq(base64_decode(&bytes, not_base64[_i]), -EINVAL);
	buffer_free(&bytes);
}
END_TEST

#define LENGTH(array) ((int)(sizeof(array) / sizeof *(array)))

int main(void)
{
	Suite *suite = suite_create("artifact");
	TCase *tests = tcase_create("artifact");

	tcase_add_test(tests, members_are_as_promised);
	tcase_add_test(tests, text_and_values_are_the_same);
	tcase_add_loop_test(tests, members_of_dynamic_operators, 0, LENGTH(member_rows));
	tcase_add_loop_test(tests, bytes_follow_from_the_axes, 0, LENGTH(reckoned));
	tcase_add_test(tests, features_of_the_language_stand_apart);
	tcase_add_test(tests, performance_over_a_range);
	tcase_add_test(tests, a_prediction_has_no_timing_but_says_what_is_predicted);
	tcase_add_test(tests, spirv_travels_as_base64);
	tcase_add_test(tests, roofline_takes_the_lower_bound);
	tcase_add_loop_test(tests, base64_both_ways, 0, LENGTH(vectors));
	tcase_add_loop_test(tests, base64_refuses, 0, LENGTH(not_base64));
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
