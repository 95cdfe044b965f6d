/* SPDX-License-Identifier: Apache-2.0
 *
 * The worker's wire format: framing over a real socket pair, hostile lines, and limits, features,
 * facts and ids through JSON and back.
 */
#include "protocol/wire/wire.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int pair[2];
static struct wire wire;

static void setup(void)
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	ck_assert_int_eq(fcntl(pair[1], F_SETFL, O_NONBLOCK), 0);
	wire = (struct wire){0};
}

static void teardown(void)
{
	wire_free(&wire);
	close(pair[0]);
	close(pair[1]);
}

static void write_text(const char *text, size_t length)
{
	ck_assert_int_eq(write(pair[0], text, length), (ssize_t)length);
}

/* ---- Framing. */

START_TEST(several_messages_in_one_write)
{
	const char text[] = "{\"do\":\"list\"}\n{\"do\":\"probe\"}\n{\"do\":";
	json_t *message;

	write_text(text, strlen(text));
	ck_assert_int_eq(wire_receive(&wire, pair[1], &message), 0);
	ck_assert_str_eq(json_string_value(json_object_get(message, "do")), "list");
	json_decref(message);
	ck_assert_int_eq(wire_receive(&wire, pair[1], &message), 0);
	ck_assert_str_eq(json_string_value(json_object_get(message, "do")), "probe");
	json_decref(message);
	ck_assert_int_eq(wire_receive(&wire, pair[1], &message), -EAGAIN);
	write_text("1}\n", 3);
	ck_assert_int_eq(wire_receive(&wire, pair[1], &message), 0);
	ck_assert_int_eq(json_integer_value(json_object_get(message, "do")), 1);
	json_decref(message);
}
END_TEST

START_TEST(byte_by_byte)
{
	const char text[] = "{\"a\":[1,2,3]}\n";
	json_t *message;

	for (size_t i = 0; i + 2 < sizeof text; i++) {
		write_text(text + i, 1);
		ck_assert_int_eq(wire_receive(&wire, pair[1], &message), -EAGAIN);
	}
	write_text("\n", 1);
	ck_assert_int_eq(wire_receive(&wire, pair[1], &message), 0);
	ck_assert_uint_eq(json_array_size(json_object_get(message, "a")), 3);
	json_decref(message);
}
END_TEST

START_TEST(end_of_stream)
{
	json_t *message;

	write_text("{}\n{", 4);
	close(pair[0]);
	ck_assert_int_eq(wire_receive(&wire, pair[1], &message), 0);
	json_decref(message);
	ck_assert_int_eq(wire_receive(&wire, pair[1], &message), -EPIPE);
	message = json_object();
	ck_assert_int_eq(wire_send(pair[1], message), -EPIPE);
	json_decref(message);
	pair[0] = -1;
}
END_TEST

/* Larger than any socket buffer: the sender waits, the receiver gathers. */
START_TEST(large_message)
{
	const size_t elements = 200000;
	json_t *message = json_object(), *array = json_array();

	for (size_t i = 0; i < elements; i++)
		json_array_append_new(array, json_integer((json_int_t)i));
	json_object_set_new(message, "samples", array);
	pid_t child = fork();
	if (!child)
		_exit(wire_send(pair[0], message) ? 1 : 0);
	json_decref(message);
	ck_assert_int_eq(fcntl(pair[1], F_SETFL, 0), 0);
	ck_assert_int_eq(wire_receive(&wire, pair[1], &message), 0);
	array = json_object_get(message, "samples");
	ck_assert_uint_eq(json_array_size(array), elements);
	ck_assert_int_eq(
	        json_integer_value(json_array_get(array, elements - 1)), (int)elements - 1);
	json_decref(message);
}
END_TEST

START_TEST(a_reader_that_stops_is_given_up)
{
	json_t *message = json_pack("{s:o}", "text", json_string_nocheck(""));
	char *text = malloc(3 << 20);

	memset(text, 'x', (3 << 20) - 1);
	text[(3 << 20) - 1] = '\0';
	json_object_set_new(message, "text", json_string(text));
	ck_assert_int_eq(wire_send(pair[1], message), -EIO);
	json_decref(message);
	free(text);
}
END_TEST

static const struct {
	const char *text;
	size_t length;
} hostile[] = {
#define LINE(text)                     \
	{                              \
		text, sizeof(text) - 1 \
	}
        LINE("\n"),
        LINE("   \n"),
        LINE("hello\n"),
        LINE("[]\n"),
        LINE("null\n"),
        LINE("3\n"),
        LINE("\"text\"\n"),
        LINE("{\n"),
        LINE("{}{}\n"),
        LINE("{\"a\":1,\"a\":2}\n"),
        LINE("{\"a\":1e999}\n"),
        LINE("{\"a\":\"\\u0000\"}\n"),
        LINE("{\"a\":\"\xff\xfe\"}\n"),
        LINE("{\"a\":\0}\n"),
        LINE("{\"a\":99999999999999999999999}\n"),
#undef LINE
};

/* A bad line costs that line: the next one is read as if it had not been there. */
START_TEST(hostile_line)
{
	json_t *message;

	write_text(hostile[_i].text, hostile[_i].length);
	write_text("{\"do\":\"list\"}\n", 14);
	ck_assert_int_eq(wire_receive(&wire, pair[1], &message), -EBADMSG);
	ck_assert_int_eq(wire_receive(&wire, pair[1], &message), 0);
	ck_assert_str_eq(json_string_value(json_object_get(message, "do")), "list");
	json_decref(message);
}
END_TEST

START_TEST(deep_nesting)
{
	char text[10001];
	json_t *message;

	memset(text, '[', 10000);
	text[10000] = '\n';
	write_text(text, sizeof text);
	ck_assert_int_eq(wire_receive(&wire, pair[1], &message), -EBADMSG);
}
END_TEST

static void write_endless(int fd)
{
	char block[65536];

	memset(block, ' ', sizeof block);
	for (int i = 0; i < 80; i++) /* 5 MiB without a newline */
		if (write(fd, block, sizeof block) < 0)
			_exit(1);
	if (write(fd, "\n{\"do\":1}\n", 10) < 0)
		_exit(1);
	_exit(0);
}

START_TEST(line_without_end)
{
	json_t *message;
	int refused = 0, outcome;

	if (!fork())
		write_endless(pair[0]);
	ck_assert_int_eq(fcntl(pair[1], F_SETFL, 0), 0);
	while ((outcome = wire_receive(&wire, pair[1], &message)) == -EBADMSG)
		refused++;
	ck_assert_int_eq(outcome, 0);
	ck_assert_int_ge(refused, 1);
	ck_assert_uint_le(wire.capacity, 8u << 20);
	json_decref(message);
}
END_TEST

/* ---- Plain data through JSON. */

START_TEST(limits_round_trip)
{
	const struct limits limits = {.invocations = 1024,
	        .size_x = 1,
	        .size_y = 2,
	        .size_z = 64,
	        .workgroups = UINT32_MAX,
	        .workgroup_bytes = 32768,
	        .storage_buffers = 30,
	        .binding_bytes = 1ull << 40,
	        .subgroup_min = 4,
	        .subgroup_max = 128,
	        .features = FEATURE_SUBGROUPS,
	        .matrices = {{16, 16, 16}, {16, 8, 32}}};
	json_t *object = wire_limits_json(&limits), *features = wire_features_json(limits.features);
	struct limits again;

	memset(&again, 0xaa, sizeof again);
	wire_limits_parse(object, features, &again);
	ck_assert_uint_eq(again.invocations, limits.invocations);
	ck_assert_uint_eq(again.size_x, limits.size_x);
	ck_assert_uint_eq(again.size_y, limits.size_y);
	ck_assert_uint_eq(again.size_z, limits.size_z);
	ck_assert_uint_eq(again.workgroups, limits.workgroups);
	ck_assert_uint_eq(again.workgroup_bytes, limits.workgroup_bytes);
	ck_assert_uint_eq(again.storage_buffers, limits.storage_buffers);
	ck_assert_uint_eq(again.binding_bytes, limits.binding_bytes);
	ck_assert_uint_eq(again.subgroup_min, limits.subgroup_min);
	ck_assert_uint_eq(again.subgroup_max, limits.subgroup_max);
	ck_assert_uint_eq(again.features, limits.features);
	ck_assert_mem_eq(again.matrices, limits.matrices, sizeof limits.matrices);
	json_decref(object);
	json_decref(features);
}
END_TEST

START_TEST(limits_out_of_range)
{
	json_t *object = json_pack("{s:i, s:I, s:s, s:f, s:n, s:I}", "invocations", -5,
	        "workgroups", (json_int_t)1 << 40, "size_x", "64", "size_y", 2.5, "size_z",
	        "binding_bytes", (json_int_t)-1);
	struct limits limits;

	wire_limits_parse(object, NULL, &limits);
	ck_assert_uint_eq(limits.invocations, 0);
	ck_assert_uint_eq(limits.workgroups, UINT32_MAX);
	ck_assert_uint_eq(limits.size_x, 0);
	ck_assert_uint_eq(limits.size_y, 0);
	ck_assert_uint_eq(limits.size_z, 0);
	ck_assert_uint_eq(limits.binding_bytes, 0);
	ck_assert_uint_eq(limits.features, 0);
	wire_limits_parse(NULL, object, &limits);
	ck_assert_uint_eq(limits.workgroups, 0);
	json_decref(object);
}
END_TEST

START_TEST(features_unknown)
{
	json_t *array = json_pack("[s, i, s, n, s]", "shader-f64", 3, "subgroups", "");

	ck_assert_uint_eq(wire_features_parse(array), FEATURE_SUBGROUPS);
	ck_assert_uint_eq(wire_features_parse(NULL), 0);
	json_decref(array);
}
END_TEST

START_TEST(facts_round_trip)
{
	struct facts facts = {.cpu = true, .version = 7, .caches = {{32768, 900}, {1 << 20, 80.5}}};
	struct facts again;

	for (uint32_t i = 0; i < FACT_COUNT; i++)
		fact_set(&facts, (enum fact)i, 1e-3 + 12345.5 * i);
	json_t *object = wire_facts_json(&facts);
	wire_facts_parse(object, &again);
	for (uint32_t i = 0; i < FACT_COUNT; i++)
		ck_assert_double_eq(
		        fact_value(&again, (enum fact)i), fact_value(&facts, (enum fact)i));
	ck_assert_mem_eq(again.caches, facts.caches, sizeof facts.caches);
	ck_assert(again.cpu);
	ck_assert_uint_eq(again.version, 7);
	json_decref(object);
}
END_TEST

/* The rows are the members: each name reaches the member of that name. */
START_TEST(facts_by_row)
{
	json_t *object = json_pack(
	        "{s:f,s:f,s:f}", "fma_gflops", 1.5, "memory_gbps", 2.5, "dot4_gops", 3.5);
	struct facts facts;

	wire_facts_parse(object, &facts);
	ck_assert_double_eq(facts.fma_gflops, 1.5);
	ck_assert_double_eq(facts.memory_gbps, 2.5);
	ck_assert_double_eq(facts.dot4_gops, 3.5);
	ck_assert_double_eq(facts.launch_ns, 0); /* missing */
	ck_assert_uint_eq(facts.version, 0);
	json_decref(object);
}
END_TEST

static const char *const odd_facts[] = {
        "{\"fma_gflops\":-3,\"memory_gbps\":\"7\",\"cores\":null,\"version\":-1,\"cpu\":1}",
        "{\"caches\":[{\"bytes\":-4,\"gbps\":\"x\"},7,[],{\"bytes\":9,\"gbps\":9}]}",
        "{\"caches\":{\"bytes\":1},\"version\":\"2\"}",
        "[]",
        "{}",
};

START_TEST(facts_odd)
{
	const struct facts none = {0};
	json_t *object = json_loads(odd_facts[_i], 0, NULL);
	struct facts facts;

	ck_assert_ptr_nonnull(object);
	wire_facts_parse(object, &facts);
	for (uint32_t i = 0; i < FACT_COUNT; i++)
		ck_assert_double_eq(fact_value(&facts, (enum fact)i), 0);
	ck_assert_mem_eq(facts.caches, none.caches, sizeof none.caches);
	ck_assert(!facts.cpu);
	ck_assert_uint_eq(facts.version, 0);
	wire_facts_parse(NULL, &facts);
	ck_assert_double_eq(facts.fma_gflops, 0);
	json_decref(object);
}
END_TEST

static const struct {
	const char *text;
	uint64_t id;
} ids[] = {
        {"0123456789abcdef", 0x0123456789abcdef},
        {"0123456789ABCDEF", 0x0123456789abcdef},
        {"ffffffffffffffff", UINT64_MAX},
        {"0000000000000000", 0},
        {"123456789abcdef", 0},
        {"0123456789abcdef0", 0},
        {"0x23456789abcdef", 0},
        {" 123456789abcdef", 0},
        {"-123456789abcdef", 0},
        {"", 0},
};

START_TEST(id)
{
	json_t *text = json_string(ids[_i].text), *again = wire_hex(ids[_i].id);

	ck_assert_uint_eq(wire_hex_parse(text), ids[_i].id);
	ck_assert_uint_eq(wire_hex_parse(again), ids[_i].id);
	ck_assert_uint_eq(json_string_length(again), 16);
	ck_assert_uint_eq(wire_hex_parse(NULL), 0);
	json_decref(text);
	json_decref(again);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("wire");
	TCase *framing = tcase_create("framing"), *data = tcase_create("data");
	SRunner *runner = srunner_create(suite);

	tcase_add_checked_fixture(framing, setup, teardown);
	tcase_set_timeout(framing, 30);
	tcase_add_test(framing, several_messages_in_one_write);
	tcase_add_test(framing, byte_by_byte);
	tcase_add_test(framing, end_of_stream);
	tcase_add_test(framing, large_message);
	tcase_add_test(framing, a_reader_that_stops_is_given_up);
	tcase_add_loop_test(framing, hostile_line, 0, sizeof hostile / sizeof *hostile);
	tcase_add_test(framing, deep_nesting);
	tcase_add_test(framing, line_without_end);
	suite_add_tcase(suite, framing);
	tcase_add_test(data, limits_round_trip);
	tcase_add_test(data, limits_out_of_range);
	tcase_add_test(data, features_unknown);
	tcase_add_test(data, facts_round_trip);
	tcase_add_test(data, facts_by_row);
	tcase_add_loop_test(data, facts_odd, 0, sizeof odd_facts / sizeof *odd_facts);
	tcase_add_loop_test(data, id, 0, sizeof ids / sizeof *ids);
	suite_add_tcase(suite, data);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
