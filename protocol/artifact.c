/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes the kernel artifact. Member names, order and types are a contract: clients and scripts
 * read them, so a change here is a change of the protocol.
 */
#include "protocol/artifact.h"

#include <errno.h>
#include <math.h>
#include <string.h>

static const char *const status_names[] = {
        [ARTIFACT_PREDICTED] = "predicted",
        [ARTIFACT_TUNING] = "tuning",
        [ARTIFACT_TUNED] = "tuned",
        [ARTIFACT_STALE] = "stale",
};

const char *artifact_status_name(enum artifact_status status)
{
	return status_names[status];
}

int artifact_status_parse(const char *text, enum artifact_status *ret_status)
{
	for (size_t i = 0; i < sizeof status_names / sizeof *status_names; i++) {
		if (!strcmp(status_names[i], text)) {
			*ret_status = (enum artifact_status)i;
			return 0;
		}
	}
	return -EINVAL;
}

double artifact_gflops(const struct op *op, double median_ns)
{
	return median_ns > 0 ? op_flops(op) / median_ns : 0;
}

double artifact_roofline(const struct op *op, const struct facts *facts, double median_ns)
{
	double bandwidth_bound = op_flops(op) / op_bytes(op) * facts->memory_gbps;
	double bound = fmin(facts->fma_gflops, bandwidth_bound);

	return bound > 0 ? fmin(artifact_gflops(op, median_ns) / bound, 1) : 0;
}

/* Three decimals are more than a clock gives, and keep the text short. */
static json_t *rounded(double value)
{
	return json_real(round(value * 1000) / 1000);
}

static json_t *nanoseconds(double value)
{
	return json_integer((json_int_t)llround(value));
}

static json_t *triple(const uint32_t value[3])
{
	return json_pack("[i,i,i]", (int)value[0], (int)value[1], (int)value[2]);
}

static json_t *binding_json(const struct tensor *tensor, uint32_t binding)
{
	json_t *shape = json_array();
	uint64_t bytes = tensor->elements * dtype_bytes(tensor->dtype);

	for (uint32_t i = 0; i < tensor->rank; i++)
		json_array_append_new(shape, json_integer(tensor->shape[i]));
	return json_pack("{s:i,s:s,s:s,s:s,s:o,s:I}", "binding", (int)binding, "name", tensor->name,
	        "type", tensor->output ? "storage" : "read-only-storage", "dtype",
	        dtype_name(tensor->dtype), "shape", shape, "bytes", (json_int_t)bytes);
}

static json_t *bindings_json(const struct kernel *kernel)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < kernel->tensor_count; i++)
		json_array_append_new(array, binding_json(&kernel->tensors[i], i));
	return array;
}

static json_t *features_json(uint32_t features)
{
	json_t *array = json_array();

	if (features & FEATURE_SUBGROUPS)
		json_array_append_new(array, json_string("subgroups"));
	return array;
}

static uint64_t largest_binding(const struct kernel *kernel)
{
	uint64_t largest = 0;

	for (uint32_t i = 0; i < kernel->tensor_count; i++) {
		uint64_t bytes = kernel->tensors[i].elements *
		                 dtype_bytes(kernel->tensors[i].dtype);
		if (bytes > largest)
			largest = bytes;
	}
	return largest;
}

#define MAX_BUFFER_BYTES (256ull << 20) /* WebGPU's default maxBufferSize */

/* What a page's device must be created with: only what exceeds what every page has. */
static json_t *required_limits_json(const struct kernel *kernel)
{
	const struct limits *have = &limits_web_default;
	const uint32_t *size = kernel->workgroup_size;
	uint64_t largest = largest_binding(kernel);
	const struct {
		const char *name;
		uint64_t needed, given;
	} rows[] = {
	        {"maxComputeInvocationsPerWorkgroup", (uint64_t)size[0] * size[1] * size[2],
	                have->invocations},
	        {"maxComputeWorkgroupSizeX", size[0], have->size_x},
	        {"maxComputeWorkgroupSizeY", size[1], have->size_y},
	        {"maxComputeWorkgroupSizeZ", size[2], have->size_z},
	        {"maxComputeWorkgroupStorageSize", kernel->workgroup_bytes, have->workgroup_bytes},
	        {"maxStorageBuffersPerShaderStage", kernel->tensor_count, have->storage_buffers},
	        {"maxStorageBufferBindingSize", largest, have->binding_bytes},
	        {"maxBufferSize", largest, MAX_BUFFER_BYTES},
	};
	json_t *object = json_object();

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (rows[i].needed > rows[i].given)
			json_object_set_new(
			        object, rows[i].name, json_integer((json_int_t)rows[i].needed));
	return object;
}

static json_t *timing_json(const struct artifact *artifact)
{
	json_t *object = json_object();

	json_object_set_new(object, "median_ns", nanoseconds(artifact->median_ns));
	json_object_set_new(object, "mad_ns", nanoseconds(artifact->mad_ns));
	json_object_set_new(object, "samples", json_integer(artifact->samples));
	json_object_set_new(
	        object, "gflops", rounded(artifact_gflops(&artifact->op, artifact->median_ns)));
	json_object_set_new(object, "roofline",
	        rounded(artifact_roofline(&artifact->op, &artifact->facts, artifact->median_ns)));
	json_object_set_new(object, "baseline_ns", nanoseconds(artifact->baseline_ns));
	if (artifact->status == ARTIFACT_PREDICTED)
		json_object_set_new(object, "predicted_ns", nanoseconds(artifact->predicted_ns));
	return object;
}

static json_t *code_json(const struct artifact *artifact, const struct kernel *kernel)
{
	struct buffer text = {0};

	if (artifact->target != NNJIT_SPIRV)
		return json_stringn(kernel->code, kernel->code_bytes);
	base64_encode(&text, kernel->code, kernel->code_bytes);
	json_t *code = text.failed ? NULL : json_stringn(text.data, text.length);
	buffer_free(&text);
	return code;
}

static void set_identity(json_t *object, const struct artifact *artifact)
{
	char text[OP_TEXT_BYTES], key[17], device[17];

	op_print(&artifact->op, text);
	snprintf(key, sizeof key, "%016llx", (unsigned long long)op_key(&artifact->op));
	snprintf(device, sizeof device, "%016llx", (unsigned long long)artifact->device);
	json_object_set_new(object, "op", json_string(text));
	json_object_set_new(object, "key", json_string(key));
	json_object_set_new(object, "device", json_string(device));
	json_object_set_new(
	        object, "target", json_string(artifact->target == NNJIT_SPIRV ? "spirv" : "wgsl"));
	json_object_set_new(object, "profile", json_string("web"));
}

static void set_code(json_t *object, const struct artifact *artifact, const struct kernel *kernel)
{
	json_object_set_new(object, "code", code_json(artifact, kernel));
	json_object_set_new(object, "entry_point", json_string(kernel->entry_point));
	json_object_set_new(object, "workgroup_size", triple(kernel->workgroup_size));
	json_object_set_new(object, "workgroups", triple(kernel->workgroups));
	json_object_set_new(object, "bindings", bindings_json(kernel));
	json_object_set_new(object, "required_features", features_json(kernel->features));
	json_object_set_new(object, "required_limits", required_limits_json(kernel));
}

static void set_knowledge(json_t *object, const struct artifact *artifact)
{
	char schedule[SCHEDULE_TEXT_BYTES];

	schedule_print(&artifact->schedule, schedule);
	json_object_set_new(object, "schedule", json_string(schedule));
	json_object_set_new(object, "status", json_string(status_names[artifact->status]));
	json_object_set_new(object, "progress",
	        json_pack(
	                "{s:i,s:i}", "measured", (int)artifact->measured, "of", (int)artifact->of));
	json_object_set_new(object, "timing", timing_json(artifact));
	json_object_set_new(object, "verified",
	        json_pack("{s:f,s:i}", "max_rel_err", artifact->max_rel_err, "checked",
	                (int)artifact->checked));
}

#define MEMBERS 17 /* of the artifact: fewer means that memory ran out on the way */

int artifact_json(struct nnjit *nnjit, const struct artifact *artifact, json_t **ret_object)
{
	struct kernel kernel;
	int r = nnjit_generate(
	        nnjit, &artifact->op, &artifact->schedule, artifact->target, &kernel);

	if (r)
		return r;
	json_t *object = json_object();
	set_identity(object, artifact);
	set_code(object, artifact, &kernel);
	set_knowledge(object, artifact);
	if (json_object_size(object) != MEMBERS) {
		json_decref(object);
		return -ENOMEM;
	}
	*ret_object = object;
	return 0;
}
