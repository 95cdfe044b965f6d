/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes the kernel artifact. Member names, order and types are a contract: clients and scripts
 * read them, so a change here is a change of the protocol. Knows no operator: what a tensor's axes
 * follow is found out by asking for its shape twice.
 */
#include "protocol/artifact/artifact.h"

#include "base/buffer.h"
#include "emit/spirv/spirv.h"
#include "emit/text/wgsl.h"

#include <errno.h>
#include <math.h>
#include <string.h>

static const char *const status_names[] = {
        [ARTIFACT_PREDICTED] = "predicted",
        [ARTIFACT_TUNING] = "tuning",
        [ARTIFACT_TUNED] = "tuned",
        [ARTIFACT_STALE] = "stale",
        [ARTIFACT_NAIVE] = "naive",
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

/* ---- Performance. */

/* Means over the points at which the operator is tuned, as times are. */
static double mean_flops(const struct op *op)
{
	uint32_t dims[OP_POINTS_MAX][OP_DYNAMIC_MAX], count = op_points(op, dims);
	double sum = 0;

	for (uint32_t i = 0; i < count; i++) {
		struct op at = op_at(op, dims[i]);
		sum += op_flops(&at);
	}
	return sum / count;
}

/* The least time that arithmetic and memory allow. */
static double mean_least_ns(const struct op *op, const struct facts *facts)
{
	uint32_t dims[OP_POINTS_MAX][OP_DYNAMIC_MAX], count = op_points(op, dims);
	double sum = 0;

	for (uint32_t i = 0; i < count; i++) {
		struct op at = op_at(op, dims[i]);
		sum += fmax(op_flops(&at) / facts->fma_gflops, op_bytes(&at) / facts->memory_gbps);
	}
	return sum / count;
}

double artifact_gflops(const struct op *op, double median_ns)
{
	return median_ns > 0 ? mean_flops(op) / median_ns : 0;
}

double artifact_roofline(const struct op *op, const struct facts *facts, double median_ns)
{
	if (!(median_ns > 0 && facts->fma_gflops > 0 && facts->memory_gbps > 0))
		return 0;
	return fmin(mean_least_ns(op, facts) / median_ns, 1);
}

/* ---- Parts of the object. */

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

/* ---- Bindings. */

/* Which dynamic dimension each axis of each tensor follows, and how the tensors look: told apart by
 * what changes when one dimension does. An axis is always a whole multiple of its dimension. */
struct layout {
	struct tensor tensors[OP_TENSORS_MAX];
	int8_t follows[OP_TENSORS_MAX][OP_RANK_MAX]; /* -1: static */
};

/* At 2 and more every dimension has an axis of its own: a leading 1 is left out. */
static void probe_layout(const struct op *op, struct layout *layout)
{
	uint32_t dims[OP_DYNAMIC_MAX] = {0};

	memset(layout->follows, -1, sizeof layout->follows);
	for (uint32_t i = 0; i < op->dynamic_count; i++)
		dims[i] = 2;
	struct op at = op_at(op, dims);
	uint32_t count = op_tensors(&at, layout->tensors);
	for (uint32_t n = 0; n < op->dynamic_count; n++) {
		struct tensor changed[OP_TENSORS_MAX];
		dims[n] = 3;
		at = op_at(op, dims);
		op_tensors(&at, changed);
		dims[n] = 2;
		for (uint32_t t = 0; t < count; t++)
			for (uint32_t axis = 0; axis < changed[t].rank; axis++)
				if (changed[t].shape[axis] != layout->tensors[t].shape[axis])
					layout->follows[t][axis] = (int8_t)n;
	}
	for (uint32_t t = 0; t < count; t++)
		for (uint32_t axis = 0; axis < layout->tensors[t].rank; axis++)
			if (layout->follows[t][axis] >= 0)
				layout->tensors[t].shape[axis] /= 2;
}

static json_t *shape_json(const struct kernel *kernel, const struct layout *layout, uint32_t t)
{
	json_t *shape = json_array();

	for (uint32_t i = 0; i < layout->tensors[t].rank; i++) {
		int n = layout->follows[t][i];
		uint32_t times = n < 0 ? 1 : kernel->dimensions[n].hint;
		json_array_append_new(
		        shape, json_integer((json_int_t)layout->tensors[t].shape[i] * times));
	}
	return shape;
}

/* NULL for a tensor of one shape. */
static json_t *axes_json(const struct kernel *kernel, const struct layout *layout, uint32_t t)
{
	json_t *axes = json_array();
	bool dynamic = false;

	for (uint32_t i = 0; i < layout->tensors[t].rank; i++) {
		int n = layout->follows[t][i];
		json_array_append_new(
		        axes, n < 0 ? json_null() : json_string(kernel->dimensions[n].name));
		dynamic |= n >= 0;
	}
	if (dynamic)
		return axes;
	json_decref(axes);
	return NULL;
}

static json_t *binding_json(const struct kernel *kernel, const struct layout *layout, uint32_t t)
{
	const struct tensor *tensor = &kernel->tensors[t];
	json_t *axes = axes_json(kernel, layout, t);
	json_t *binding = json_pack("{s:i,s:s,s:s,s:s,s:o,s:I}", "binding", (int)t, "name",
	        tensor->name, "type", tensor->output ? "storage" : "read-only-storage", "dtype",
	        dtype_name(tensor->dtype), "shape", shape_json(kernel, layout, t), "bytes",
	        (json_int_t)tensor_bytes(tensor));

	if (axes)
		json_object_set_new(binding, "dims", axes);
	return binding;
}

#define UNIFORM_BYTES 16 /* a vec4<u32> */

static json_t *bindings_json(const struct kernel *kernel, const struct op *op)
{
	json_t *array = json_array();
	struct layout layout;

	probe_layout(op, &layout);
	for (uint32_t i = 0; i < kernel->tensor_count; i++)
		json_array_append_new(array, binding_json(kernel, &layout, i));
	if (kernel->dimension_count)
		json_array_append_new(array, json_pack("{s:i,s:s,s:s,s:s,s:[i],s:i}", "binding",
		                                     (int)kernel->tensor_count, "name", "dims",
		                                     "type", "uniform", "dtype", "u32", "shape",
		                                     UNIFORM_BYTES / 4, "bytes", UNIFORM_BYTES));
	return array;
}

/* ---- Dispatch. */

static json_t *dimensions_json(const struct kernel *kernel)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < kernel->dimension_count; i++) {
		const struct kernel_dimension *d = &kernel->dimensions[i];
		json_array_append_new(array,
		        json_pack("{s:s,s:I,s:I,s:I}", "name", d->name, "min", (json_int_t)d->low,
		                "max", (json_int_t)d->high, "hint", (json_int_t)d->hint));
	}
	return array;
}

static json_t *extent_json(const struct kernel *kernel, const struct extent *extent)
{
	json_t *names = json_array();

	for (uint32_t i = 0; i < kernel->dimension_count; i++)
		if (extent->dims >> i & 1)
			json_array_append_new(names, json_string(kernel->dimensions[i].name));
	json_t *object = json_pack("{s:I,s:I,s:o}", "times", (json_int_t)extent->times, "over",
	        (json_int_t)extent->over, "dims", names);
	if (extent->most)
		json_object_set_new(object, "most", json_integer(extent->most));
	return object;
}

/* What only kernels with dynamic dimensions have. */
static void set_dynamic(json_t *object, const struct kernel *kernel)
{
	json_t *dispatch = json_array();

	for (uint32_t i = 0; i < 3; i++)
		json_array_append_new(dispatch, extent_json(kernel, &kernel->grid[i]));
	json_object_set_new(object, "dimensions", dimensions_json(kernel));
	json_object_set_new(object, "dispatch", dispatch);
}

/* ---- What the page's device needs. */

static json_t *features_json(uint32_t features, bool language)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < FEATURE_COUNT; i++) {
		const struct feature_info *info = feature_info((enum feature_number)i);
		if (features >> i & 1 && info->language == language)
			json_array_append_new(array, json_string(info->name));
	}
	return array;
}

static uint64_t largest_binding(const struct kernel *kernel)
{
	uint64_t largest = 0;

	for (uint32_t i = 0; i < kernel->tensor_count; i++) {
		uint64_t bytes = tensor_bytes(&kernel->tensors[i]);
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

/* ---- The artifact. */

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
	json_object_set_new(object, "clock",
	        artifact->samples ? json_string(artifact->wall_clock ? "wall" : "timestamp")
	                          : json_null());
	if (artifact->status == ARTIFACT_PREDICTED)
		json_object_set_new(object, "predicted_ns", nanoseconds(artifact->predicted_ns));
	return object;
}

/* What the first run pays. */
static json_t *compile_json(const struct artifact *artifact)
{
	return json_pack("{s:o,s:I}", "pipeline_ns", nanoseconds(artifact->pipeline_ns),
	        "spirv_bytes", (json_int_t)artifact->spirv_bytes);
}

enum form { FORM_TEXT, FORM_WORDS };
static const struct {
	nnjit_emitter *emit;
	enum form form;
} targets[TARGET_COUNT] = {
#define TARGET(name, text, emitter, form) [TARGET_##name] = {emitter, FORM_##form},
#include "protocol/targets.def"
};

static json_t *code_json(const struct artifact *artifact, const struct kernel *kernel)
{
	struct buffer text = {0};

	if (targets[artifact->target].form == FORM_TEXT)
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
	json_object_set_new(object, "target", json_string(target_name(artifact->target)));
	json_object_set_new(object, "profile", json_string("web"));
}

static void set_code(json_t *object, const struct artifact *artifact, const struct kernel *kernel)
{
	json_object_set_new(object, "code", code_json(artifact, kernel));
	json_object_set_new(object, "entry_point", json_string(kernel->entry_point));
	json_object_set_new(object, "workgroup_size", triple(kernel->workgroup_size));
	json_object_set_new(object, "workgroups", triple(kernel->workgroups));
	json_object_set_new(object, "bindings", bindings_json(kernel, &artifact->op));
	json_object_set_new(object, "required_features", features_json(kernel->features, false));
	json_object_set_new(
	        object, "required_language_features", features_json(kernel->features, true));
	json_object_set_new(object, "required_limits", required_limits_json(kernel));
}

static json_t *verified_json(const struct artifact *artifact)
{
	if (artifact->status == ARTIFACT_NAIVE)
		return json_null();
	json_t *object = json_pack("{s:f,s:i}", "max_rel_err", artifact->max_rel_err, "checked",
	        (int)artifact->checked);
	if (artifact->share > 0 && artifact->share < 1)
		json_object_set_new(object, "share", json_real(artifact->share));
	return object;
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
	json_object_set_new(object, "compile", compile_json(artifact));
	json_object_set_new(object, "verified", verified_json(artifact));
}

#define MEMBERS         19 /* of the artifact: fewer means that memory ran out on the way */
#define DYNAMIC_MEMBERS 2

int artifact_json(struct nnjit *nnjit, const struct artifact *artifact, json_t **ret_object)
{
	struct kernel kernel;
	int r = nnjit_generate(
	        nnjit, &artifact->op, &artifact->schedule, targets[artifact->target].emit, &kernel);

	if (r)
		return r;
	json_t *object = json_object();
	set_identity(object, artifact);
	set_code(object, artifact, &kernel);
	if (kernel.dimension_count)
		set_dynamic(object, &kernel);
	set_knowledge(object, artifact);
	if (json_object_size(object) != MEMBERS + (kernel.dimension_count ? DYNAMIC_MEMBERS : 0)) {
		json_decref(object);
		return -ENOMEM;
	}
	*ret_object = object;
	return 0;
}

/* ---- Operators in parts. */

static json_t *part_json(const struct op_part *part, uint32_t kernel, uint32_t tensor_count)
{
	json_t *offsets = json_array();

	for (uint32_t i = 0; i < tensor_count; i++)
		json_array_append_new(offsets, json_integer((json_int_t)part->offset_bytes[i]));
	return json_pack("{s:i,s:o}", "kernel", (int)kernel, "offsets", offsets);
}

/* The times of all parts together; 0 while one is not measured. */
static json_t *sum_of(const json_t *parts, const json_t *kernels, const char *member)
{
	json_int_t sum = 0;
	json_t *part;
	size_t i;

	json_array_foreach((json_t *)parts, i, part)
	{
		size_t index = (size_t)json_integer_value(json_object_get(part, "kernel"));
		const json_t *timing = json_object_get(json_array_get(kernels, index), "timing");
		json_int_t ns = json_integer_value(json_object_get(timing, member));
		if (!ns)
			return json_integer(0);
		sum += ns;
	}
	return json_integer(sum);
}

/* The least that is true of all of them. */
static enum artifact_status status_of(const json_t *kernels)
{
	enum artifact_status least = ARTIFACT_TUNED, status;
	json_t *kernel;
	size_t i;

	json_array_foreach((json_t *)kernels, i, kernel)
	{
		const char *name = json_string_value(json_object_get(kernel, "status"));
		if (name && !artifact_status_parse(name, &status) && status != ARTIFACT_TUNED)
			least = least == ARTIFACT_TUNED || status < least ? status : least;
	}
	return least;
}

static json_t *limits_of_whole(const struct kernel *whole)
{
	uint64_t largest = largest_binding(whole);
	json_t *object = json_object();

	if (largest > MAX_BUFFER_BYTES)
		json_object_set_new(object, "maxBufferSize", json_integer((json_int_t)largest));
	return object;
}

int artifact_parts_json(const struct artifact *whole, const struct op_part *parts,
        const uint32_t *kinds, uint32_t count, json_t *kernels, json_t **ret_object)
{
	struct kernel kernel = {0};
	json_t *object = json_object(), *array = json_array();

	kernel.tensor_count = op_tensors(&whole->op, kernel.tensors);
	for (uint32_t i = 0; i < count; i++)
		json_array_append_new(array, part_json(&parts[i], kinds[i], kernel.tensor_count));
	set_identity(object, whole);
	json_object_set_new(object, "bindings", bindings_json(&kernel, &whole->op));
	json_object_set_new(object, "required_limits", limits_of_whole(&kernel));
	json_object_set_new(object, "status", json_string(status_names[status_of(kernels)]));
	json_object_set_new(object, "timing",
	        json_pack("{s:o,s:o}", "median_ns", sum_of(array, kernels, "median_ns"),
	                "baseline_ns", sum_of(array, kernels, "baseline_ns")));
	json_object_set_new(object, "parts", array);
	json_object_set_new(object, "kernels", kernels);
	if (json_object_size(object) != 11) {
		json_decref(object);
		return -ENOMEM;
	}
	*ret_object = object;
	return 0;
}
