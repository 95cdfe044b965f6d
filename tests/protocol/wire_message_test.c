/* SPDX-License-Identifier: Apache-2.0
 *
 * The worker's messages: what is written is read as it was and spelt as it always was, and what is
 * no such message is refused with a sentence that names the member.
 */
#include "protocol/wire/message.h"

#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Checks the text and takes over the message; what stands on the socket is read again. */
static json_t *spelt(json_t *message, const char *text)
{
	char *dumped = json_dumps(message, JSON_COMPACT);
	json_t *again = json_loads(dumped, JSON_REJECT_DUPLICATES, NULL);

	ck_assert_str_eq(dumped, text);
	free(dumped);
	json_decref(message);
	return again;
}

static json_t *parse(const char *text)
{
	json_t *value = json_loads(text, JSON_REJECT_DUPLICATES, NULL);

	ck_assert_msg(value != NULL, "the test's own JSON is wrong: %s", text);
	return value;
}

START_TEST(builds_and_verdicts)
{
	const struct wire_build build = {.candidate = 7, .schedule = "wg_x=8", .twin = true};
	const struct wire_built built = {.right = true,
	        .why = "",
	        .pipeline_ns = 2.5,
	        .code_bytes = 9120,
	        .max_rel_err = INFINITY,
	        .checked = 64};
	struct wire_built verdict = {0};
	struct wire_build asked = {0};
	json_t *message = spelt(wire_write_build(&build),
	        "{\"do\":\"build\",\"candidate\":7,\"schedule\":\"wg_x=8\",\"twin\":true}");

	ck_assert_int_eq(wire_read_build(message, &asked, NULL), 0);
	ck_assert_uint_eq(asked.candidate, 7);
	ck_assert_str_eq(asked.schedule, "wg_x=8");
	ck_assert(asked.twin);
	json_decref(message);
	message = spelt(wire_write_built(&built),
	        "{\"right\":true,\"why\":\"\",\"generate_ns\":0.0,\"pipeline_ns\":2.5,\"first_ns\":"
	        "0.0,"
	        "\"code_bytes\":9120,\"max_rel_err\":1.0000000000000001e300,\"checked\":64,"
	        "\"pilot_ns\":0.0,\"ahead\":false}");
	ck_assert_int_eq(wire_read_built(message, &verdict, NULL), 0);
	ck_assert(verdict.right && verdict.checked == 64 && verdict.code_bytes == 9120);
	ck_assert_double_eq(verdict.pipeline_ns, 2.5);
	json_decref(message);
}
END_TEST

START_TEST(reaches)
{
	const struct wire_reach reach = {
	        .candidate = 2, .schedule = "wg_x=8", .most = {{70000, 3, 0, 0}}};
	const struct wire_reached reached = {
	        .dims = {{65536, 3, 0, 0}}, .why = "", .max_rel_err = 0.5, .checked = 9};
	struct wire_reach asked = {0};
	struct wire_reached found = {0};
	json_t *message = spelt(wire_write_reach(&reach),
	        "{\"do\":\"reach\",\"candidate\":2,\"schedule\":\"wg_x=8\","
	        "\"most\":[70000,3,0,0]}");

	ck_assert_int_eq(wire_read_reach(message, &asked, NULL), 0);
	ck_assert_mem_eq(&asked.most, &reach.most, sizeof asked.most);
	json_decref(message);
	message = spelt(wire_write_reached(&reached),
	        "{\"dims\":[65536,3,0,0],\"why\":\"\",\"max_rel_err\":0.5,\"checked\":9}");
	ck_assert_int_eq(wire_read_reached(message, &found, NULL), 0);
	ck_assert_mem_eq(&found.dims, &reached.dims, sizeof found.dims);
	json_decref(message);
	message = parse("{\"do\":\"reach\",\"candidate\":2,\"schedule\":\"\",\"most\":[1,2,3]}");
	ck_assert_int_eq(wire_read_reach(message, &asked, NULL), -EBADMSG);
	json_decref(message);
}
END_TEST

START_TEST(times_by_candidate)
{
	uint32_t numbers[] = {3, 200};
	double ns[] = {1.5, 10, 2.5, 20, 3.5, 30};
	const struct wire_timed timed = {
	        .samples_ns = {.count = 2, .rounds = 3, .candidates = numbers, .ns = ns},
	        .clock = WIRE_WALL};
	const struct wire_time time = {.candidates = {.count = 2, .at = {3, 200}}, .samples = 3};
	struct wire_timed heard = {0};
	struct wire_time asked = {0};
	json_t *message = spelt(
	        wire_write_time(&time), "{\"do\":\"time\",\"candidates\":[3,200],\"samples\":3}");

	ck_assert_int_eq(wire_read_time(message, &asked, NULL), 0);
	ck_assert(asked.candidates.count == 2 && asked.candidates.at[1] == 200);
	ck_assert_uint_eq(asked.samples, 3);
	json_decref(message);
	message = spelt(wire_write_timed(&timed),
	        "{\"samples_ns\":{\"3\":[1.5,2.5,3.5],\"200\":[10.0,20.0,30.0]},"
	        "\"clock\":\"wall\"}");
	ck_assert_int_eq(wire_read_timed(message, &heard, NULL), 0);
	ck_assert(heard.samples_ns.count == 2 && heard.samples_ns.rounds == 3);
	ck_assert_mem_eq(heard.samples_ns.candidates, numbers, sizeof numbers);
	ck_assert_mem_eq(heard.samples_ns.ns, ns, sizeof ns);
	ck_assert_int_eq(heard.clock, WIRE_WALL);
	wire_samples_free(&heard.samples_ns);
	json_decref(message);
}
END_TEST

START_TEST(devices)
{
	const struct wire_device device = {.id = 0xa1,
	        .name = "caf\xe9",
	        .kind = "cpu",
	        .api = "vulkan",
	        .api_version = "1.3.0",
	        .vendor_id = 0x1ae0,
	        .driver = {.id = 0xd1, .name = "d", .version = "1", .info = ""},
	        .limits = {.invocations = 256, .features = FEATURE_SUBGROUPS},
	        .timestamps = true};
	struct wire_device heard = {0};
	json_t *one = wire_write_device(&device), *list = json_array();
	const struct wire_listed listed = {.devices = list};
	struct wire_listed all = {0};

	json_array_append_new(list, one);
	json_t *message = wire_write_listed(&listed);
	ck_assert_int_eq(wire_read_listed(message, &all, NULL), 0);
	ck_assert_uint_eq(json_array_size(all.devices), 1);
	ck_assert_int_eq(wire_read_device(json_array_get(all.devices, 0), &heard, NULL), 0);
	ck_assert(heard.id == 0xa1 && heard.driver.id == 0xd1 && heard.timestamps);
	ck_assert_str_eq(heard.name, "caf?");
	ck_assert_uint_eq(heard.limits.features, FEATURE_SUBGROUPS);
	ck_assert_uint_eq(heard.facts.version, 0);
	ck_assert(json_is_null(json_object_get(one, "facts")));
	json_decref(message);
	json_decref(list);
}
END_TEST

#define READER(name)                                                      \
	static int reads_##name(const json_t *message, struct error *err) \
	{                                                                 \
		struct wire_##name ignored;                               \
		return wire_read_##name(message, &ignored, err);          \
	}
READER(open)
READER(load)
READER(build)
READER(time)
READER(drop)
READER(timed)
READER(built)
READER(device)

static const struct {
	int (*reads)(const json_t *message, struct error *err);
	const char *message, *field, *text;
} refused_rows[] = {
        {reads_open, "{\"profile\":\"web\"}", "device",
                "device must be an id of 16 hexadecimal digits, as list gives it"},
        {reads_open, "{\"device\":\"00000000000000a1\",\"profile\":\"wall\"}", "profile",
                "profile must be web or native"},
        {reads_load, "{\"seed\":1}", "op", "op must be an operator's text form"},
        {reads_load, "{\"op\":\"x\",\"seed\":-1}", "seed",
                "seed must be a whole number from 0 to 9223372036854775807"},
        {reads_build, "{\"candidate\":256,\"schedule\":\"\"}", "candidate",
                "candidate must be a whole number from 0 to 255"},
        {reads_build, "{\"candidate\":1.0,\"schedule\":\"\"}", "candidate",
                "candidate must be a whole number from 0 to 255"},
        {reads_build, "{\"candidate\":1}", "schedule", "schedule must be a schedule's text form"},
        {reads_build, "{\"candidate\":1,\"schedule\":\"\",\"twin\":1}", "twin",
                "twin must be true or false"},
        {reads_time, "{\"candidates\":[],\"samples\":1}", "candidates",
                "candidates must be an array of candidate numbers"},
        {reads_time, "{\"candidates\":[1,2,1],\"samples\":1}", "candidates",
                "candidates must be distinct numbers from 0 to 255"},
        {reads_time, "{\"candidates\":[1],\"samples\":1001}", "samples",
                "samples must be a whole number from 0 to 1000"},
        {reads_drop, "{\"candidates\":[-1]}", "candidates",
                "candidates must be distinct numbers from 0 to 255"},
        {reads_timed, "{\"samples_ns\":{\"1\":[1],\"2\":[1,2]},\"clock\":\"wall\"}", "samples_ns",
                NULL},
        {reads_timed, "{\"samples_ns\":{\"x\":[1]},\"clock\":\"wall\"}", "samples_ns", NULL},
        {reads_timed, "{\"samples_ns\":[],\"clock\":\"wall\"}", "samples_ns", NULL},
        {reads_built, "{\"right\":true,\"why\":7}", "why", "why must be text"},
        {reads_device, "{\"id\":\"a1\"}", "id", "id must be an id of 16 hexadecimal digits"},
};

START_TEST(what_is_no_message_is_refused)
{
	struct error err = {0};
	json_t *message = parse(refused_rows[_i].message);

	ck_assert_int_eq(refused_rows[_i].reads(message, &err), -EBADMSG);
	ck_assert_str_eq(err.field, refused_rows[_i].field);
	if (refused_rows[_i].text)
		ck_assert_str_eq(err.text, refused_rows[_i].text);
	json_decref(message);
}
END_TEST

START_TEST(requests_by_name)
{
	enum wire_request request;
	struct error err = {0};

	for (enum wire_request r = 0; r < WIRE_REQUEST_COUNT; r++) {
		json_t *message = json_pack("{s:s}", "do", wire_request_name(r));
		ck_assert_int_eq(wire_read_request(message, &request, NULL), 0);
		ck_assert_int_eq(request, r);
		json_decref(message);
	}
	json_t *message = parse("{\"do\":\"fly\"}");
	ck_assert_int_eq(wire_read_request(message, &request, &err), -EBADMSG);
	ck_assert_str_eq(err.text,
	        "do must be list, open, probe, load, prepare, build, time, reach, drop or "
	        "unload");
	json_decref(message);
}
END_TEST

START_TEST(answers_and_failures)
{
	struct wire_answer answer;
	json_t *message = spelt(
	        wire_write_ok(wire_write_loaded(&(struct wire_loaded){.share = 0.5})),
	        "{\"ok\":{\"share\":0.5}}");

	ck_assert_int_eq(wire_read_answer(message, &answer), 0);
	ck_assert_ptr_nonnull(answer.ok);
	json_decref(message);
	message = spelt(wire_write_failure(WIRE_DEVICE_LOST, "gone"),
	        "{\"error\":{\"code\":\"device-lost\",\"text\":\"gone\"}}");
	ck_assert_int_eq(wire_read_answer(message, &answer), 0);
	ck_assert_ptr_null(answer.ok);
	ck_assert_int_eq(answer.failure, WIRE_DEVICE_LOST);
	ck_assert_str_eq(answer.text, "gone");
	json_decref(message);
	message = spelt(wire_write_ok(NULL),
	        "{\"error\":{\"code\":\"out-of-memory\",\"text\":\"no memory for the reply\"}}");
	json_decref(message);
	static const char *const wrong[] = {"{}", "{\"ok\":1}", "{\"error\":{\"code\":\"tired\"}}"};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		message = parse(wrong[i]);
		ck_assert_int_eq(wire_read_answer(message, &answer), -EBADMSG);
		json_decref(message);
	}
}
END_TEST

#define LENGTH(array) ((int)(sizeof(array) / sizeof *(array)))

int main(void)
{
	Suite *suite = suite_create("wire_message");
	TCase *tests = tcase_create("wire_message");

	tcase_add_test(tests, builds_and_verdicts);
	tcase_add_test(tests, reaches);
	tcase_add_test(tests, times_by_candidate);
	tcase_add_test(tests, devices);
	tcase_add_loop_test(tests, what_is_no_message_is_refused, 0, LENGTH(refused_rows));
	tcase_add_test(tests, requests_by_name);
	tcase_add_test(tests, answers_and_failures);
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
