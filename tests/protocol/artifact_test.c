/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernel artifact, member by member, because clients and scripts read it so; and the base64 in
 * which SPIR-V travels.
 */
#include "protocol/artifact.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct artifact example(const char *op_text, enum nnjit_target target)
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
        "\"required_features\":[],\"required_limits\":{},"
        "\"schedule\":\"%s\",\"status\":\"tuned\",\"progress\":{\"measured\":30,\"of\":34},"
        "\"timing\":{\"median_ns\":1048576,\"mad_ns\":1001,\"samples\":20,\"gflops\":8.0,"
        "\"roofline\":0.2,\"baseline_ns\":4194304},"
        "\"verified\":{\"max_rel_err\":1e-7,\"checked\":4096}}";

START_TEST(members_are_as_promised)
{
	struct artifact artifact = example("matmul m=256 n=128 k=64 batch=2 bias=1", NNJIT_WGSL);
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

START_TEST(a_prediction_has_no_timing_but_says_what_is_predicted)
{
	struct artifact artifact = example("matmul m=8 n=8 k=8", NNJIT_WGSL);

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
	struct artifact artifact = example("matmul m=8 n=8 k=8", NNJIT_SPIRV);
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
