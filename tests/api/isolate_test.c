/* SPDX-License-Identifier: Apache-2.0
 *
 * What one origin learns of what another had tuned: by default that it is tuned, and nothing where
 * origins are isolated. Over both faces, in the answer, the list and the counters.
 */
#include "tests/api/service.h"

#include "base/hash.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define OP  "matmul m=8 n=8 k=8"
#define ONE "https://one.example"
#define TWO "https://two.example"

/* As if it had been tuned for pages of the origin; "": for everybody. */
static void plant(const char *origin)
{
	struct store_kernel kernel = {
	        .generation = nnjit_generation, .finished = true, .median_ns = 1000, .samples = 9};
	struct op op;

	ck_assert_int_eq(op_parse(OP, &op, NULL), 0);
	uint64_t audience = *origin ? hash_mix(hash_bytes(HASH_SEED, origin, strlen(origin))) : 0;
	const struct store_key key = {class_of(0xb2), 0xd1, op_key(&op) ^ audience, 0};
	op_print(&op, kernel.op);
	snprintf(kernel.schedule, sizeof kernel.schedule, "wg_x=8 wg_y=8");
	ck_assert_int_eq(store_put_kernel(store, &key, &kernel), 0);
}

static json_t *ask(const struct caller *caller, enum method method, const char *params_text)
{
	json_t *params = json_loads(params_text, 0, NULL), *result = NULL;
	const struct call call = {.caller = caller, .method = method, .params = params};
	struct problem problem;

	ck_assert_msg(!api_call(api, &call, &result, &problem), "%s", problem.detail);
	json_decref(params);
	return result;
}

static bool sees_tuned(const char *origin)
{
	struct caller rest = caller_rest(origin), peer_caller = caller_websocket(origin);
	json_t *answer = ask(&rest, METHOD_KERNEL, "{\"op\":\"" OP "\",\"device\":\"llvm\"}");
	bool tuned = !strcmp(text_at(answer, "status", NULL), "tuned");
	json_decref(answer);

	/* The same over the WebSocket, twice: once fresh, once from the cache of texts. */
	api_peer_destroy(peer);
	ck_assert_int_eq(api_peer_create(api, &peer_caller, NULL, NULL, &peer), 0);
	for (int i = 0; i < 2; i++) {
		json_t *reply = say("{\"id\":1,\"method\":\"kernel\",\"params\":{\"op\":\"" OP
		                    "\",\"device\":\"llvm\"}}");
		ck_assert_int_eq(!strcmp(text_at(reply, "result", "status"), "tuned"), tuned);
		json_decref(reply);
	}
	return tuned;
}

static size_t listed(const char *origin)
{
	struct caller caller = caller_rest(origin);
	json_t *answer = ask(&caller, METHOD_KERNELS, "{}");
	size_t count = json_array_size(json_object_get(answer, "kernels"));

	json_decref(answer);
	return count;
}

static json_int_t counted(const char *origin)
{
	struct caller caller = caller_rest(origin);
	json_t *answer = ask(&caller, METHOD_STATUS, "{}");
	json_int_t count = json_integer_value(
	        json_object_get(json_object_get(answer, "store"), "kernels"));

	json_decref(answer);
	return count;
}

static void set_up_isolated(void)
{
	isolate = true;
	set_up();
}

START_TEST(origins_share_what_is_tuned)
{
	plant("");
	ck_assert(sees_tuned(ONE) && sees_tuned(TWO) && sees_tuned(""));
	ck_assert_uint_eq(listed(ONE), 1);
	ck_assert_int_eq(counted(ONE), 1);
}
END_TEST

START_TEST(isolated_origins_learn_nothing_of_each_other)
{
	plant(ONE);
	ck_assert(sees_tuned(ONE));
	ck_assert(!sees_tuned(TWO));
	ck_assert(!sees_tuned(""));
	ck_assert(sees_tuned(ONE));
	ck_assert_uint_eq(listed(ONE), 1);
	ck_assert_uint_eq(listed(TWO), 0);
	ck_assert_uint_eq(listed(""), 1); /* a program of this machine sees the whole store */
	ck_assert_int_eq(counted(ONE), 0);
	ck_assert_int_eq(counted(TWO), 0);
	ck_assert_int_eq(counted(""), 1);
}
END_TEST

START_TEST(isolated_origins_queue_jobs_of_their_own)
{
	sees_tuned(ONE);
	ck_assert_uint_eq(jobs_queued(), 1);
	sees_tuned(ONE);
	ck_assert_uint_eq(jobs_queued(), 1);
	sees_tuned(TWO);
	ck_assert_uint_eq(jobs_queued(), 2);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("isolate");
	TCase *shared = tcase_create("shared"), *isolated = tcase_create("isolated");

	tcase_add_checked_fixture(shared, set_up, tear_down);
	tcase_add_test(shared, origins_share_what_is_tuned);
	tcase_add_checked_fixture(isolated, set_up_isolated, tear_down);
	tcase_add_test(isolated, isolated_origins_learn_nothing_of_each_other);
	tcase_add_test(isolated, isolated_origins_queue_jobs_of_their_own);
	suite_add_tcase(suite, shared);
	suite_add_tcase(suite, isolated);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
