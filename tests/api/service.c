/* SPDX-License-Identifier: Apache-2.0
 *
 * Starts and stops the service that tests/api talks to.
 */
#include "tests/api/service.h"

#include "daemon/log.h"
#include "daemon/origins/origins.h"
#include "daemon/tune/state.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char device_form[] =
        "{\"id\":\"%s\",\"name\":\"%s\",\"kind\":\"cpu\",\"api\":\"vulkan\","
        "\"api_version\":\"1.3.0\",\"vendor_id\":%d,\"device_id\":0,\"driver\":{\"id\":"
        "\"00000000000000d1\",\"name\":\"d\",\"version\":\"1\",\"info\":\"\"},\"limits\":{"
        "\"invocations\":256,\"size_x\":256,\"size_y\":256,\"size_z\":64,\"workgroups\":65535,"
        "\"workgroup_bytes\":32768,\"storage_buffers\":30,\"binding_bytes\":1073741824,"
        "\"subgroup_min\":4,\"subgroup_max\":4},\"features\":[\"subgroups\",\"packed_4x8_integer_"
        "dot_product\"],\"timestamps\":true,"
        "\"facts\":{\"fma_gflops\":%d,\"memory_gbps\":4,\"launch_ns\":20000,\"cpu\":true,"
        "\"version\":1}}";

static char state_dir[] = "/tmp/nnjit-api-test-XXXXXX";
static char models_dir[512];
struct store *store;
struct loop *loop;
struct tune *tune;
struct api *api;
struct origins *origins;
bool isolate;
struct metrics metrics;
struct api_peer *peer;

static void pushed(void *context, const json_t *message)
{
	(void)context;
	(void)message;
}

static void plant(const char *id, uint64_t number, const char *name, int vendor, int gflops)
{
	char text[1024];

	snprintf(text, sizeof text, device_form, id, name, vendor, gflops);
	json_t *object = json_loads(text, 0, NULL);
	ck_assert_ptr_nonnull(object);
	ck_assert_int_eq(store_put_device(store, number, object), 0);
	json_decref(object);
}

void set_up(void)
{
	const char *source = getenv("NNJIT_SOURCE");
	struct error err = {0};
	const struct tune_options options = {
	        .worker = "/bin/false",
	        .budget_s = 1,
	        .idle_s = 1,
	};

	const struct caller caller = caller_websocket("http://127.0.0.1:8080");

	metrics = (struct metrics){0};
	log_open(LOG_LEVEL_ERROR);
	snprintf(models_dir, sizeof models_dir, "%s/protocol/models", source ? source : ".");
	memcpy(state_dir + sizeof state_dir - 7, "XXXXXX", 6);
	ck_assert_ptr_nonnull(mkdtemp(state_dir));
	ck_assert_msg(store_open(state_dir, &store, &err) == 0, "%s", err.text);
	plant(LLVMPIPE, 0xb2, "llvmpipe (LLVM 15.0.6, 256 bits)", 0x10005, 70);
	plant(SWIFTSHADER, 0xa1, "SwiftShader Device (Subzero)", 0x1ae0, 13);
	ck_assert_int_eq(loop_create(&loop), 0);
	ck_assert_int_eq(tune_create(loop, store, &metrics, &options, &tune), 0);
	tune->enumerated = true; /* the devices are those planted: nobody looks for others */
	ck_assert_int_eq(origins_create(store, NULL, &origins, &err), 0);
	const struct api_params params = {tune, store, &metrics, models_dir, origins, isolate};
	ck_assert_int_eq(api_create(&params, &api), 0);
	ck_assert_int_eq(api_peer_create(api, &caller, pushed, NULL, &peer), 0);
}

void tear_down(void)
{
	char path[64];

	api_peer_destroy(peer);
	api_destroy(api);
	origins_destroy(origins);
	tune_destroy(tune);
	loop_destroy(loop);
	store_close(store);
	static const char *const files[] = {"data.mdb", "lock.mdb", "lock"};
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		snprintf(path, sizeof path, "%s/%s", state_dir, files[i]);
		unlink(path);
	}
	rmdir(state_dir);
}

json_t *say(const char *text)
{
	char *reply = api_message(api, peer, text, strlen(text));
	ck_assert_ptr_nonnull(reply);
	json_t *object = json_loads(reply, 0, NULL);

	ck_assert_msg(object != NULL, "no JSON: %s", reply);
	free(reply);
	return object;
}

int call_rest(
        enum method method, const json_t *params, json_t **ret_result, struct problem *ret_problem)
{
	const struct caller caller = caller_rest("");
	const struct call call = {.caller = &caller, .method = method, .params = params};

	return api_call(api, &call, ret_result, ret_problem);
}

uint64_t jobs_queued(void)
{
	tune_count(tune);
	return metrics.tuning_jobs_queued;
}

const char *text_at(const json_t *object, const char *first, const char *second)
{
	const json_t *value = json_object_get(object, first);
	const char *text = json_string_value(second ? json_object_get(value, second) : value);

	return text ? text : "";
}

uint64_t class_of(uint64_t device)
{
	for (uint32_t i = 0; i < tune_device_count(tune); i++)
		if (tune_device(tune, i)->id == device)
			return tune_device(tune, i)->class;
	ck_abort_msg("no device %llx was planted", (unsigned long long)device);
	return 0;
}
