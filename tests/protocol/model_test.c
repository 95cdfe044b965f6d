/* SPDX-License-Identifier: Apache-2.0
 *
 * The model manifests of the tree: their weights add up to the published counts, their operators
 * are valid and cost what is published, in every element type and while decoding; and what the
 * reader does with other sizes, and with manifests that are wrong.
 */
#include "protocol/models/model.h"

#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_BINDING (128u << 20) /* WebGPU's default maxStorageBufferBindingSize */

static const char *models_dir(void)
{
	static char path[512];
	const char *source = getenv("NNJIT_SOURCE");

	snprintf(path, sizeof path, "%s/protocol/models", source ? source : ".");
	return path;
}

/* The model with these sizes ("" none), or a failure with the reader's own sentence. */
static struct model *load(const char *name, const char *sizes)
{
	struct error err = {0};
	struct model *model = NULL;

	ck_assert_msg(!model_load(models_dir(), name, &model, &err), "%s", err.text);
	ck_assert_msg(!model_set_all(model, sizes, &err), "%s", err.text);
	return model;
}

static struct model_list expand(const struct model *model)
{
	struct model_list list = {0};
	struct error err = {0};

	ck_assert_msg(!model_expand(model, &list, &err), "%s", err.text);
	return list;
}

static const struct {
	const char *name;
	uint64_t parameters;
	double gmacs;       /* published; 0: none known */
	const char *decode; /* sizes of one step of decoding; "": it does not decode */
} rows[] = {
        {"bert-base", 109482240, 11.2, ""},
        {"roberta-base", 124645632, 11.2, ""},
        {"bart-large", 406291456, 0, "target_seq=1,cache=100,encode=0"},
        {"t5-base", 222903552, 0, "target_seq=1,cache=100,encode=0"},
        {"gpt2", 124439808, 0, "seq=1,cache=1000"},
        {"llama-2-7b", 6738415616, 0, "seq=1,cache=1024"},
        {"llama-3.2-1b", 1235814400, 0, "seq=1,cache=1024"},
        {"whisper-tiny", 37760640, 0, "target_seq=1,cache=100,encode=0"},
        {"vit-b-16", 86567656, 17.6, ""},
        {"resnet-50", 25557032, 4.09, ""},
        {"mobilenet-v2", 3504872, 0.30, ""},
        {"sd-1.5-unet", 859520964, 0, ""},
};
#define ROWS (int)(sizeof rows / sizeof *rows)

START_TEST(every_manifest_has_a_row)
{
	json_t *names, *name;
	size_t i;

	ck_assert_int_eq(model_names(models_dir(), &names, NULL), 0);
	ck_assert_uint_eq(json_array_size(names), ROWS);
	json_array_foreach(names, i, name)
	{
		int found = 0;
		for (int row = 0; row < ROWS; row++)
			found += !strcmp(rows[row].name, json_string_value(name));
		ck_assert_msg(found == 1, "%s has no row here", json_string_value(name));
	}
	json_decref(names);
}
END_TEST

START_TEST(weights_are_the_published_count)
{
	struct model *model = load(rows[_i].name, "");
	struct model_list list = expand(model);

	ck_assert_uint_eq(model_parameters(model), rows[_i].parameters);
	ck_assert_uint_eq(list.parameters, rows[_i].parameters);
	model_list_free(&list);
	model_free(model);
}
END_TEST

START_TEST(arithmetic_is_what_is_published)
{
	struct model *model = load(rows[_i].name, "");
	struct model_list list = expand(model);
	double flops = 0, published = 2e9 * rows[_i].gmacs;

	for (uint32_t i = 0; i < list.count; i++)
		flops += op_flops(&list.ops[i].op) * (double)list.ops[i].times;
	ck_assert_double_gt(flops, 0);
	if (published > 0)
		ck_assert_msg(fabs(flops / published - 1) < 0.1, "%.3g operations for %.3g", flops,
		        published);
	model_list_free(&list);
	model_free(model);
}
END_TEST

static uint64_t largest_bytes(const struct op *op)
{
	struct tensor tensors[OP_TENSORS_MAX];
	uint32_t count = op_tensors(op, tensors);
	uint64_t largest = 0;

	for (uint32_t i = 0; i < count; i++)
		if (tensor_bytes(&tensors[i]) > largest)
			largest = tensor_bytes(&tensors[i]);
	return largest;
}

/* In f32, at the manifest's own inputs. */
START_TEST(big_is_what_exceeds_a_page)
{
	struct model *model = load(rows[_i].name, "");
	struct model_list list = expand(model);

	for (uint32_t i = 0; i < list.count; i++) {
		uint64_t bytes = largest_bytes(&list.ops[i].op);
		ck_assert_msg(list.ops[i].big == (bytes > PAGE_BINDING),
		        "%s (%s): %llu bytes and big is %s", list.ops[i].name, list.ops[i].text,
		        (unsigned long long)bytes, list.ops[i].big ? "said" : "not said");
	}
	model_list_free(&list);
	model_free(model);
}
END_TEST

static bool has_float(const struct op *op, enum dtype dtype)
{
	bool has = false;

	for (uint32_t i = 0; op_field(op->kind, i); i++) {
		const struct op_field *field = op_field(op->kind, i);
		if (field->kind == FIELD_DTYPE && strcmp(field->name, "acc"))
			has |= op->value[field->value] == dtype;
	}
	return has;
}

static void check_list(const struct model_list *list)
{
	struct op again;
	struct error err = {0};

	ck_assert_uint_gt(list->count, 0);
	for (uint32_t i = 0; i < list->count; i++) {
		const struct model_op *op = &list->ops[i];
		ck_assert_msg(!op_parse(op->text, &again, &err), "%s: %s", op->text, err.text);
		ck_assert_msg(
		        !memcmp(&again, &op->op, sizeof again), "%s is read otherwise", op->text);
		ck_assert_uint_ge(op->times, 1);
		ck_assert_uint_gt(strlen(op->name), 0);
		for (uint32_t j = 0; j < i; j++)
			ck_assert_msg(strcmp(list->ops[j].text, op->text), "%s twice", op->text);
	}
}

static const struct {
	const char *name;
	bool half, quantised;
} dtypes[] = {
        {"f32", false, false}, {"f16", true, false}, {"q4", false, true}, {"q4f16", true, true}};

START_TEST(operators_are_valid_in_every_type)
{
	for (size_t d = 0; d < sizeof dtypes / sizeof *dtypes; d++) {
		struct model *model = load(rows[_i].name, "");
		bool quantised = false;
		ck_assert_int_eq(model_set_dtype(model, dtypes[d].name, NULL), 0);
		struct model_list list = expand(model);
		check_list(&list);
		for (uint32_t i = 0; i < list.count; i++) {
			ck_assert_msg(
			        !has_float(&list.ops[i].op, dtypes[d].half ? DTYPE_F32 : DTYPE_F16),
			        "%s: %s", dtypes[d].name, list.ops[i].text);
			quantised |= list.ops[i].op.kind == OP_MATMUL_NBITS;
		}
		ck_assert_int_eq(quantised, dtypes[d].quantised);
		model_list_free(&list);
		model_free(model);
	}
}
END_TEST

START_TEST(decoding_is_valid)
{
	struct model *model = load(rows[_i].name, rows[_i].decode);
	struct model_list list = expand(model);

	check_list(&list);
	for (uint32_t i = 0; *rows[_i].decode && i < list.count; i++)
		if (list.ops[i].op.kind == OP_ATTENTION)
			ck_assert_uint_eq(list.ops[i].op.value[ATTENTION_Q], 1);
	model_list_free(&list);
	model_free(model);
}
END_TEST

static const struct model_op *first_of(const struct model_list *list, enum op_kind kind)
{
	for (uint32_t i = 0; i < list->count; i++)
		if (list->ops[i].op.kind == kind)
			return &list->ops[i];
	ck_abort_msg("no operator of this kind");
	return NULL;
}

START_TEST(inputs_answer_to_their_former_names)
{
	static const char own[] =
	        "{\"name\":\"own\",\"title\":\"t\",\"parameters\":1,\"inputs\":{\"target\":4},"
	        "\"sizes\":{},\"ops\":[{\"name\":\"o\",\"op\":\"relu shape={target}\"}]}";
	static const char *const names[] = {"target", "target_seq"};
	json_t *manifest = json_loads(own, 0, NULL);
	struct model *model;

	for (int listed = 0; listed < 2; listed++) {
		if (listed)
			model = load("t5-base", "");
		else
			ck_assert_int_eq(model_read(manifest, &model, NULL), 0);
		for (uint64_t i = 0; i < 2; i++) {
			json_t *inputs;
			ck_assert_int_eq(model_set(model, names[i], 5 + i, NULL), 0);
			ck_assert_int_eq(model_set_dynamic(model, names[i], NULL), 0);
			ck_assert_int_eq(model_inputs(model, &inputs, NULL), 0);
			ck_assert_int_eq(
			        json_integer_value(json_object_get(inputs, names[listed])), 5 + i);
			json_decref(inputs);
		}
		model_free(model);
	}
	json_decref(manifest);
}
END_TEST

START_TEST(lengths_may_be_dynamic)
{
	struct model *model = load("llama-2-7b", "seq=1,cache=1024");
	struct error err = {0};

	ck_assert_int_eq(model_set_dynamic(model, "cache", &err), 0);
	struct model_list list = expand(model);
	check_list(&list);
	const char *text = first_of(&list, OP_ATTENTION)->text;
	ck_assert_msg(strstr(text, " q=1 kv=?1..4096 "), "%s", text);
	ck_assert_uint_eq(first_of(&list, OP_MATMUL)->op.dynamic_count, 0);
	model_list_free(&list);
	ck_assert_int_eq(model_set_dynamic(model, "seq,cache", &err), 0);
	list = expand(model);
	check_list(&list);
	ck_assert_ptr_nonnull(strstr(first_of(&list, OP_ATTENTION)->text, " q=?1 kv=?1..4096 "));
	ck_assert_ptr_nonnull(strstr(first_of(&list, OP_MATMUL)->text, " m=?1 "));
	ck_assert_uint_eq(first_of(&list, OP_SLICE)->op.dynamic_count, 0); /* takes none */
	model_list_free(&list);
	ck_assert_int_eq(model_set_dtype(model, "q4f16", &err), 0);
	list = expand(model);
	check_list(&list);
	ck_assert_ptr_nonnull(strstr(first_of(&list, OP_MATMUL_NBITS)->text, " m=?1 "));
	model_list_free(&list);
	ck_assert_int_eq(model_set_dynamic(model, "hidden", &err), -EINVAL);
	ck_assert_str_eq(err.text, "llama-2-7b has no input 'hidden'; it has batch, seq, cache");
	model_free(model);
}
END_TEST

START_TEST(sizes_follow_from_one_another)
{
	struct model *model = load("bert-base", "hidden=64,layers=1,vocab=100,seq=16");
	struct model_list list = expand(model);
	json_t *sizes;

	check_list(&list);
	ck_assert_int_eq(model_sizes(model, &sizes, NULL), 0);
	ck_assert_int_eq(json_integer_value(json_object_get(sizes, "heads")), 1);
	ck_assert_int_eq(json_integer_value(json_object_get(sizes, "ffn")), 256);
	json_decref(sizes);
	ck_assert_str_eq(first_of(&list, OP_ATTENTION)->text,
	        "attention heads=1 q=16 kv=16 dim=64 mask=key order=bshd");
	ck_assert_uint_eq(first_of(&list, OP_ATTENTION)->times, 1);
	model_list_free(&list);
	model_free(model);
}
END_TEST

/* ---- What is refused. */

static const struct {
	const char *sizes;
	const char *field, *why;
} settings[] = {
        {"seq=513", "seq", "seq=513: bert-base allows at most 512 (positions)"},
        {"hidden=100", "", "bert-base, heads: 'hidden/head': 100 / 64 leaves a remainder"},
        {"seq=0", "count",
                "bert-base, token embedding: count=0: must be a whole number from 1 to 67108864, "
                "or dynamic: ?128, ?64..4096"},
        {"batch=60000000,seq=500", "count",
                "bert-base, token embedding: count=30000000000: must be a whole number from 1 to "
                "67108864, or dynamic: ?128, ?64..4096"},
};

START_TEST(values_that_do_not_do)
{
	struct model *model = load("bert-base", settings[_i].sizes);
	struct model_list list;
	struct error err = {0};

	ck_assert_int_eq(model_expand(model, &list, &err), -EINVAL);
	ck_assert_str_eq(err.text, settings[_i].why);
	ck_assert_str_eq(err.field, settings[_i].field);
	model_free(model);
}
END_TEST

static const struct {
	const char *sizes;
	const char *why;
} lists[] = {
        {"hidden", "'hidden' is not of the form name=number; write sizes as hidden=64,layers=2"},
        {"hidden=64,=3", "'=3' is not of the form name=number; write sizes as hidden=64,layers=2"},
        {"hidden=64,,", "'' is not of the form name=number; write sizes as hidden=64,layers=2"},
        {"hidden=-1",
                "'hidden=-1' is not of the form name=number; write sizes as hidden=64,layers=2"},
        {"hidden=64k", "hidden=64k: must be a whole number"},
        {"hidden=67108865", "hidden=67108865: must be at most 67108864"},
        {"hiden=64", "bert-base has no input or size 'hiden'; it has batch, seq, layers, hidden, "
                     "head, heads, ffn, vocab, positions, types"},
};

START_TEST(lists_of_sizes_that_are_wrong)
{
	struct model *model = load("bert-base", "");
	struct error err = {0};

	ck_assert_int_eq(model_set_all(model, lists[_i].sizes, &err), -EINVAL);
	ck_assert_str_eq(err.text, lists[_i].why);
	model_free(model);
}
END_TEST

START_TEST(models_that_are_not_there)
{
	static const char *const names[] = {"bert", "", "../models/bert-base", ".", "/etc/passwd"};
	struct model *model;
	struct error err;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		ck_assert_int_eq(model_load(models_dir(), names[i], &model, &err), -ENOENT);
		ck_assert_msg(
		        strstr(err.text, "there are bart-large, bert-base, "), "%s", err.text);
	}
	ck_assert_int_eq(model_load("/no/such/folder", "bert-base", &model, &err), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, "/no/such/folder"));
	model = load("bert-base", "");
	ck_assert_int_eq(model_set_dtype(model, "f64", &err), -EINVAL);
	ck_assert_str_eq(err.text, "dtype must be f32, f16, q4 or q4f16, not 'f64'");
	model_free(model);
}
END_TEST

#define MANIFEST(more) \
	"{\"name\":\"x\",\"title\":\"X\",\"parameters\":6,\"inputs\":{\"batch\":2}," more "}"

static const struct {
	const char *manifest;
	int code; /* of reading, or, if that is 0, of expanding */
	const char *why;
} manifests[] = {
        {"[]", -EBADMSG, "a manifest is an object"},
        {"{\"name\":\"x\",\"colour\":1}", -EBADMSG, "x: 'colour' means nothing here"},
        {"{\"name\":\"x\",\"title\":1}", -EBADMSG, "x: title must be text"},
        {MANIFEST("\"sizes\":{}"), -EBADMSG, "x: ops is missing"},
        {MANIFEST("\"sizes\":{\"batch\":1},\"ops\":[]"), -EBADMSG,
                "x: a size has the name of an input"},
        {MANIFEST("\"sizes\":{\"a-b\":1},\"ops\":[]"), -EBADMSG,
                "x: 'a-b' must begin with a letter and hold letters, digits and _ alone"},
        {MANIFEST("\"sizes\":{\"a\":-1},\"ops\":[]"), -EBADMSG,
                "x: 'a' must be a whole number or an expression as text"},
        {MANIFEST("\"sizes\":{},\"at_most\":{\"n\":1},\"ops\":[]"), -EBADMSG,
                "x: at_most: 'n' is no input and no size"},
        {MANIFEST("\"sizes\":{},\"ops\":[1]"), -EBADMSG, "x: ops[0] must be an object"},
        {MANIFEST("\"sizes\":{},\"ops\":[{\"op\":\"relu\"}]"), -EBADMSG,
                "x: ops[0]: name is missing"},
        {MANIFEST("\"sizes\":{},\"ops\":[{\"name\":\"a\",\"tims\":1}]"), -EBADMSG,
                "x: ops[0]: 'tims' means nothing here"},
        {MANIFEST("\"sizes\":{},\"ops\":[{\"name\":\"a\",\"linear\":1}]"), -EBADMSG,
                "x: ops[0]: linear must be true or false"},
        {MANIFEST("\"sizes\":{\"a\":\"b\",\"b\":1},\"ops\":[]"), -EINVAL,
                "x, a: 'b': there is no size or input named 'b'"},
        {MANIFEST("\"sizes\":{},\"ops\":[{\"name\":\"a\",\"op\":\"relu shape={batch\"}]"), -EINVAL,
                "x, a: a } is missing after '{batch'"},
        {MANIFEST("\"sizes\":{},\"ops\":[{\"name\":\"a\",\"op\":\"relu shape={n}\"}]"), -EINVAL,
                "x, a: 'n': there is no size or input named 'n'"},
        {MANIFEST("\"sizes\":{},\"ops\":[{\"name\":\"a\",\"op\":\"relux shape=3\"}]"), -EINVAL,
                "x, a: there is no operator 'relux'; `nnjitctl help ops` lists those there are"},
        {MANIFEST(
                 "\"sizes\":{},\"ops\":[{\"name\":\"a\",\"op\":\"relu shape=3\",\"linear\":true}]"),
                -EINVAL, "x, a: a linear layer is a matmul without batch"},
        {MANIFEST("\"sizes\":{},\"ops\":[{\"name\":\"a\",\"op\":\"relu shape=3\","
                  "\"weights\":4611686018427387904,\"times\":8}]"),
                -EINVAL, "x, a: times or weights are too many"},
};

START_TEST(manifests_that_are_wrong)
{
	json_t *json = json_loads(manifests[_i].manifest, JSON_REJECT_DUPLICATES, NULL);
	struct model *model = NULL;
	struct model_list list;
	struct error err = {0};

	ck_assert_ptr_nonnull(json);
	int r = model_read(json, &model, &err);
	if (!r)
		r = model_expand(model, &list, &err) ? -EINVAL : 0;
	ck_assert_str_eq(err.text, manifests[_i].why);
	ck_assert_int_eq(r, manifests[_i].code);
	model_free(model);
	json_decref(json);
}
END_TEST

START_TEST(rows_are_merged)
{
	json_t *json = json_loads(
	        MANIFEST("\"sizes\":{\"n\":\"2*batch\"},\"ops\":["
	                 "{\"name\":\"first\",\"op\":\"relu shape={n},4\",\"times\":\"batch+1\","
	                 "\"weights\":1},"
	                 "{\"name\":\"second\",\"op\":\"relu dtype=f32 shape=4,{2*batch}\","
	                 "\"times\":2},"
	                 "{\"name\":\"never\",\"op\":\"relu shape={batch-3}\",\"times\":0,"
	                 "\"weights\":7},"
	                 "{\"name\":\"not run\",\"weights\":3}]"),
	        0, NULL);
	struct model *model = NULL;

	ck_assert_int_eq(model_read(json, &model, NULL), 0);
	struct model_list list = expand(model);
	ck_assert_uint_eq(list.count, 1);
	ck_assert_str_eq(list.ops[0].text, "relu shape=4,4");
	ck_assert_str_eq(list.ops[0].name, "first; second");
	ck_assert_uint_eq(list.ops[0].times, 5);
	ck_assert_uint_eq(list.parameters, model_parameters(model));
	model_list_free(&list);
	model_free(model);
	json_decref(json);
}
END_TEST

#define COUNT(table) (int)(sizeof table / sizeof *table)

int main(void)
{
	Suite *suite = suite_create("model");
	TCase *tree = tcase_create("tree"), *reader = tcase_create("reader");

	tcase_add_test(tree, every_manifest_has_a_row);
	tcase_add_loop_test(tree, weights_are_the_published_count, 0, ROWS);
	tcase_add_loop_test(tree, arithmetic_is_what_is_published, 0, ROWS);
	tcase_add_loop_test(tree, big_is_what_exceeds_a_page, 0, ROWS);
	tcase_add_loop_test(tree, operators_are_valid_in_every_type, 0, ROWS);
	tcase_add_loop_test(tree, decoding_is_valid, 0, ROWS);
	tcase_add_test(tree, inputs_answer_to_their_former_names);
	tcase_add_test(tree, lengths_may_be_dynamic);
	tcase_add_test(tree, sizes_follow_from_one_another);
	tcase_add_loop_test(reader, values_that_do_not_do, 0, COUNT(settings));
	tcase_add_loop_test(reader, lists_of_sizes_that_are_wrong, 0, COUNT(lists));
	tcase_add_test(reader, models_that_are_not_there);
	tcase_add_loop_test(reader, manifests_that_are_wrong, 0, COUNT(manifests));
	tcase_add_test(reader, rows_are_merged);
	suite_add_tcase(suite, tree);
	suite_add_tcase(suite, reader);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
