/* SPDX-License-Identifier: Apache-2.0
 *
 * Loading an operator. Inputs are generated on the host and copied; the host's copies are needed
 * only until the references are computed. What a kernel left in its output is output.c's.
 * Invariant: nothing here depends on the device but where the bytes lie and which points its
 * bindings can hold, so two devices see the same numbers.
 */
#include "daemon/gpu/workload.h"
#include "base/cleanup.h"
#include "reference/reference.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define UNIFORM_STRIDE 256 /* no device needs uniform blocks further apart */
#define UNIFORM_BYTES  16

/* ---- Points. */

static void set_points(struct device *device, struct workload *workload)
{
	struct points points;

	points_choose(&workload->op, device->adapter->limits.binding_bytes, &points);
	workload->point_count = points.count;
	workload->timed_count = points.timed;
	for (uint32_t i = 0; i < points.count; i++) {
		struct point *point = &workload->points[i];
		memcpy(point->dims, points.dims[i], sizeof point->dims);
		point->op = op_at(&workload->op, point->dims);
		workload->tensor_count = op_tensors(&point->op, point->tensors);
	}
	workload->output = workload->tensor_count - 1;
}

/* The point at which tensor i takes most. */
static const struct point *greatest(const struct workload *workload, uint32_t i)
{
	const struct point *most = &workload->points[0];

	for (uint32_t p = 1; p < workload->point_count; p++)
		if (tensor_bytes(&workload->points[p].tensors[i]) > tensor_bytes(&most->tensors[i]))
			most = &workload->points[p];
	return most;
}

static uint64_t greatest_bytes(const struct workload *workload, uint32_t i)
{
	return tensor_bytes(&greatest(workload, i)->tensors[i]);
}

/* ---- Loading. */

/* Refuses before the driver or the kernel's out-of-memory killer does. */
static int check_sizes(
        const struct device *device, const struct workload *workload, struct error *err)
{
	uint64_t most = device->adapter->limits.binding_bytes, total = 0;
	bool on_host = device->adapter->kind == ADAPTER_CPU;

	for (uint32_t i = 0; i < workload->tensor_count; i++) {
		uint64_t bytes = greatest_bytes(workload, i);
		if (bytes > most)
			return error_set(err, ANSWER_BAD_REQUEST, "op",
			        "%s takes %" PRIu64 " bytes and this device binds at most %" PRIu64
			        "; ask for a smaller shape",
			        workload->points[0].tensors[i].name, bytes, most);
		if (on_host || i != workload->output)
			total += bytes;
	}
	uint64_t free_bytes = buffers_host_free_bytes();
	if (total / 3 * 4 > free_bytes)
		return error_set(err, ANSWER_OUT_OF_MEMORY, "op",
		        "the tensors take %" PRIu64 " bytes and the host has %" PRIu64 " free",
		        total, free_bytes);
	return 0;
}

static int create_uniforms(struct device *device, struct workload *workload, struct error *err)
{
	int answer = buffers_create(device, (VkDeviceSize)UNIFORM_STRIDE * workload->point_count,
	        PLACE_UNIFORM, &workload->uniforms, err);

	for (uint32_t p = 0; !answer && p < workload->point_count; p++)
		memcpy((char *)workload->uniforms.mapped + (size_t)UNIFORM_STRIDE * p,
		        workload->points[p].dims, UNIFORM_BYTES);
	return answer;
}

static int bind_points(struct device *device, struct workload *workload, struct error *err)
{
	struct bound bounds[POINTS_MAX * (OP_TENSORS_MAX + 1)];
	bool dynamic = workload->op.dynamic_count > 0;
	uint32_t count = 0;

	for (uint32_t p = 0; p < workload->point_count; p++) {
		for (uint32_t i = 0; i < workload->tensor_count; i++)
			bounds[count++] = (struct bound){.buffer = &workload->buffers[i],
			        .bytes = tensor_bytes(&workload->points[p].tensors[i])};
		if (dynamic)
			bounds[count++] = (struct bound){.buffer = &workload->uniforms,
			        .at = (VkDeviceSize)UNIFORM_STRIDE * p,
			        .bytes = UNIFORM_BYTES,
			        .uniform = true};
	}
	return bindings_create(device, bounds, workload->tensor_count + dynamic,
	        workload->point_count, &workload->bindings, err);
}

static int create_buffers(struct device *device, struct workload *workload, struct error *err)
{
	int answer = 0;

	for (uint32_t i = 0; !answer && i < workload->tensor_count; i++)
		answer = buffers_create(device, greatest_bytes(workload, i), PLACE_STORAGE,
		        &workload->buffers[i], err);
	if (!answer && workload->op.dynamic_count)
		answer = create_uniforms(device, workload, err);
	return answer ? answer : bind_points(device, workload, err);
}

/* Fills tensor `i`; *ret_copy is what the host can read of it, in `*ret_owned` if that is memory of
 * its own. */
static int fill_input(struct device *device, struct workload *workload, uint32_t i, uint64_t seed,
        void **ret_copy, void **ret_owned, struct error *err)
{
	struct gpu_buffer *buffer = &workload->buffers[i];
	void *values = buffer->mapped;

	if (!values) {
		values = malloc(buffer->bytes);
		if (!values)
			return answer_no_memory(workload->points[0].tensors[i].name, err);
		*ret_owned = values;
	}
	reference_fill(&greatest(workload, i)->op, i, seed, values);
	*ret_copy = values;
	return buffer->mapped ? 0 : buffers_write(device, buffer, values, err);
}

/* All points read the same buffers, each as much of them as it has. */
static int sample_points(
        struct workload *workload, uint64_t seed, void *const copies[], struct error *err)
{
	for (uint32_t p = 0; p < workload->point_count; p++) {
		struct point *point = &workload->points[p];
		if (samples_choose(&point->op, seed, SAMPLES_STEPS / workload->point_count,
		            &point->samples))
			return answer_no_memory("the samples", err);
		samples_refer(&point->samples, &point->op, copies);
	}
	return 0;
}

static int fill_inputs(
        struct device *device, struct workload *workload, uint64_t seed, struct error *err)
{
	void *copies[OP_TENSORS_MAX] = {0}, *owned[OP_TENSORS_MAX] = {0};
	int answer = 0;

	for (uint32_t i = 0; !answer && i < workload->tensor_count; i++)
		if (i != workload->output)
			answer = fill_input(device, workload, i, seed, &copies[i], &owned[i], err);
	if (!answer)
		answer = sample_points(workload, seed, copies, err);
	for (uint32_t i = 0; i < OP_TENSORS_MAX; i++)
		free(owned[i]);
	return answer;
}

/* ---- Getting the output to the host. */

/* The copies that fetch it: all of it, or the words that hold the samples. */
static uint32_t find_regions(const struct point *point, uint32_t output, VkBufferCopy regions[])
{
	const struct tensor *tensor = &point->tensors[output];
	uint32_t per_word = 32 / dtype_bits(tensor->dtype);

	regions[0] = (VkBufferCopy){.size = tensor_bytes(tensor)};
	for (uint32_t i = 0; !point->whole && i < point->samples.count; i++)
		regions[i] = (VkBufferCopy){
		        .srcOffset = 4 * (point->samples.elements[i] / per_word),
		        .dstOffset = 4ull * i,
		        .size = 4};
	return point->whole ? 1 : point->samples.count;
}

static int record_collect(
        struct device *device, struct workload *workload, struct point *point, struct error *err)
{
	AUTO(free_pointer)
	VkBufferCopy *regions = calloc(point->samples.count + 1, sizeof *regions);

	if (!regions)
		return answer_no_memory("the samples", err);
	uint32_t count = find_regions(point, workload->output, regions);
	int answer = device_begin(device, &point->collect, err);
	if (answer)
		return answer;
	device_barrier(point->collect);
	vkCmdCopyBuffer(point->collect, workload->buffers[workload->output].vk,
	        workload->results.vk, count, regions);
	device_barrier(point->collect);
	return device_end(point->collect, err);
}

static uint64_t results_bytes(const struct workload *workload)
{
	uint64_t most = 0;

	for (uint32_t p = 0; p < workload->point_count; p++) {
		const struct point *point = &workload->points[p];
		uint64_t bytes = point->whole ? tensor_bytes(&point->tensors[workload->output])
		                              : 4ull * point->samples.count;
		most = bytes > most ? bytes : most;
	}
	return most;
}

static int prepare_results(struct device *device, struct workload *workload, struct error *err)
{
	int answer = 0;

	for (uint32_t p = 0; p < workload->point_count; p++) {
		struct point *point = &workload->points[p];
		point->whole = point->tensors[workload->output].elements <= WORKLOAD_WHOLE_MAX;
	}
	if (workload_rounds(workload) > 1) {
		workload->first = malloc(WORKLOAD_WHOLE_MAX);
		if (!workload->first)
			return answer_no_memory("the output", err);
	}
	if (workload->buffers[workload->output].mapped)
		return 0;
	answer = buffers_create(
	        device, results_bytes(workload), PLACE_DOWNLOAD, &workload->results, err);
	for (uint32_t p = 0; !answer && p < workload->point_count; p++)
		answer = record_collect(device, workload, &workload->points[p], err);
	return answer;
}

static int load(struct device *device, const struct op *op, double share, uint64_t seed,
        struct workload **ret_workload, struct error *err)
{
	struct workload *workload = calloc(1, sizeof *workload);

	if (!workload)
		return answer_no_memory("the operator", err);
	workload->op = *op;
	workload->share = share;
	set_points(device, workload);
	int answer = check_sizes(device, workload, err);
	if (!answer)
		answer = create_buffers(device, workload, err);
	if (!answer)
		answer = fill_inputs(device, workload, seed, err);
	if (!answer)
		answer = prepare_results(device, workload, err);
	if (!answer)
		*ret_workload = workload;
	else if (answer != ANSWER_DEVICE_LOST)
		workload_free(device, workload);
	return answer;
}

static uint64_t largest_bytes(const struct op *op)
{
	struct tensor tensors[OP_TENSORS_MAX];
	uint32_t count = op_tensors(op, tensors);
	uint64_t most = 0;

	for (uint32_t i = 0; i < count; i++)
		most = tensor_bytes(&tensors[i]) > most ? tensor_bytes(&tensors[i]) : most;
	return most;
}

/* The first part of the operator cut so that its largest tensor is at most half as large. False:
 * it cannot be cut. */
static bool halve(struct op *op, double *share)
{
	struct op_part parts[OP_PARTS_MAX];
	uint32_t count;

	if (op->dynamic_count || op_split(op, largest_bytes(op) / 2, parts, &count, NULL) ||
	        count < 2)
		return false;
	*share *= op_bytes(&parts[0].op) / op_bytes(op);
	*op = parts[0].op;
	return true;
}

int workload_load(struct device *device, const struct op *op, uint64_t seed,
        struct workload **ret_workload, struct error *err)
{
	int answer = load(device, op, 1, seed, ret_workload, err);
	struct op part = *op;
	double share = 1;
	struct error why;

	while (answer == ANSWER_OUT_OF_MEMORY && halve(&part, &share)) {
		int again = load(device, &part, share, seed, ret_workload, &why);
		if (again != ANSWER_OUT_OF_MEMORY)
			answer = again;
	}
	return answer;
}

void workload_free(struct device *device, struct workload *workload)
{
	if (!workload)
		return;
	for (uint32_t p = 0; p < workload->point_count; p++) {
		device_free_commands(device, workload->points[p].collect);
		samples_free(&workload->points[p].samples);
	}
	buffers_destroy(device, &workload->results);
	bindings_destroy(device, &workload->bindings);
	for (uint32_t i = 0; i < workload->tensor_count; i++)
		buffers_destroy(device, &workload->buffers[i]);
	buffers_destroy(device, &workload->uniforms);
	free(workload->first);
	free(workload);
}
