/* SPDX-License-Identifier: Apache-2.0
 *
 * Loading an operator. Inputs are generated on the host and copied; the host's copies are needed
 * only until the references are computed. Invariant: nothing here depends on the device but where
 * the bytes lie, so two devices see the same numbers.
 */
#include "daemon/gpu/workload.h"
#include "base/cleanup.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static uint64_t tensor_bytes(const struct tensor *tensor)
{
	return tensor->elements * dtype_bytes(tensor->dtype);
}

/* ---- Loading. */

/* Refuses before the driver or the kernel's out-of-memory killer does. */
static int check_sizes(
        const struct device *device, const struct workload *workload, struct error *err)
{
	uint64_t most = device->adapter->limits.binding_bytes, total = 0;
	bool on_host = device->adapter->kind == ADAPTER_CPU;

	for (uint32_t i = 0; i < workload->tensor_count; i++) {
		const struct tensor *tensor = &workload->tensors[i];
		uint64_t bytes = tensor_bytes(tensor);
		if (bytes > most)
			return error_set(err, ANSWER_BAD_REQUEST, "op",
			        "%s takes %" PRIu64 " bytes and this device binds at most %" PRIu64
			        "; ask for a smaller shape",
			        tensor->name, bytes, most);
		if (on_host || !tensor->output)
			total += bytes;
	}
	uint64_t free_bytes = buffers_host_free_bytes();
	if (total / 3 * 4 > free_bytes)
		return error_set(err, ANSWER_OUT_OF_MEMORY, "op",
		        "the tensors take %" PRIu64 " bytes and the host has %" PRIu64 " free",
		        total, free_bytes);
	return 0;
}

static int create_buffers(struct device *device, struct workload *workload, struct error *err)
{
	const struct gpu_buffer *bound[OP_TENSORS_MAX];
	int answer = 0;

	for (uint32_t i = 0; !answer && i < workload->tensor_count; i++) {
		bound[i] = &workload->buffers[i];
		answer = buffers_create(device, tensor_bytes(&workload->tensors[i]), PLACE_STORAGE,
		        &workload->buffers[i], err);
	}
	if (answer)
		return answer;
	return bindings_create(device, bound, workload->tensor_count, &workload->bindings, err);
}

/* Fills tensor `i`; *ret_copy is what the host can read of it, in `*ret_owned` if that is memory of
 * its own. */
static int fill_input(struct device *device, struct workload *workload, uint32_t i, uint64_t seed,
        void **ret_copy, void **ret_owned, struct error *err)
{
	struct gpu_buffer *buffer = &workload->buffers[i];
	float *values = buffer->mapped;

	if (!values) {
		values = malloc(buffer->bytes);
		if (!values)
			return answer_no_memory(workload->tensors[i].name, err);
		*ret_owned = values;
	}
	seed += (i + 1) * 0xd1b54a32d192ed03ull; /* a sequence of its own for each tensor */
	for (uint64_t j = 0; j < workload->tensors[i].elements; j++)
		values[j] = samples_input(seed, j);
	*ret_copy = values;
	return buffer->mapped ? 0 : buffers_write(device, buffer, values, err);
}

static int fill_inputs(
        struct device *device, struct workload *workload, uint64_t seed, struct error *err)
{
	void *copies[OP_TENSORS_MAX] = {0}, *owned[OP_TENSORS_MAX] = {0};
	int answer = 0;

	for (uint32_t i = 0; !answer && i < workload->tensor_count; i++)
		if (i != workload->output)
			answer = fill_input(device, workload, i, seed, &copies[i], &owned[i], err);
	if (!answer && samples_choose(&workload->op, &workload->tensors[workload->output], seed,
	                       &workload->samples))
		answer = answer_no_memory("the samples", err);
	if (!answer)
		samples_refer(&workload->samples, &workload->op, copies);
	for (uint32_t i = 0; i < OP_TENSORS_MAX; i++)
		free(owned[i]);
	return answer;
}

/* Records how the host comes to see the output: all of it at once, or element by element. */
static void record_collect(struct workload *workload, VkBufferCopy regions[])
{
	uint32_t count = workload->whole ? 1 : workload->samples.count;

	regions[0] = (VkBufferCopy){.size = workload->results.bytes};
	for (uint32_t i = 0; !workload->whole && i < count; i++)
		regions[i] = (VkBufferCopy){.srcOffset = 4 * workload->samples.elements[i],
		        .dstOffset = 4 * i,
		        .size = 4};
	device_barrier(workload->collect);
	vkCmdCopyBuffer(workload->collect, workload->buffers[workload->output].vk,
	        workload->results.vk, count, regions);
	device_barrier(workload->collect);
}

static int prepare_results(struct device *device, struct workload *workload, struct error *err)
{
	const struct tensor *output = &workload->tensors[workload->output];
	AUTO(free_pointer) VkBufferCopy *regions = NULL;

	workload->whole = output->elements <= WORKLOAD_WHOLE_MAX;
	if (workload->buffers[workload->output].mapped)
		return 0;
	uint64_t bytes = workload->whole ? tensor_bytes(output) : 4ull * workload->samples.count;
	regions = calloc(workload->samples.count, sizeof *regions);
	if (!regions)
		return answer_no_memory("the samples", err);
	int answer = buffers_create(device, bytes, PLACE_DOWNLOAD, &workload->results, err);
	if (!answer)
		answer = device_begin(device, &workload->collect, err);
	if (answer)
		return answer;
	record_collect(workload, regions);
	return device_end(workload->collect, err);
}

int workload_load(struct device *device, const struct op *op, uint64_t seed,
        struct workload **ret_workload, struct error *err)
{
	struct workload *workload = calloc(1, sizeof *workload);

	if (!workload)
		return answer_no_memory("the operator", err);
	workload->op = *op;
	workload->tensor_count = op_tensors(op, workload->tensors);
	for (uint32_t i = 0; i < workload->tensor_count; i++)
		if (workload->tensors[i].output)
			workload->output = i;
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

void workload_free(struct device *device, struct workload *workload)
{
	if (!workload)
		return;
	device_free_commands(device, workload->collect);
	buffers_destroy(device, &workload->results);
	bindings_destroy(device, &workload->bindings);
	for (uint32_t i = 0; i < workload->tensor_count; i++)
		buffers_destroy(device, &workload->buffers[i]);
	samples_free(&workload->samples);
	free(workload);
}

/* ---- Before and after a kernel ran. */

int workload_poison(struct device *device, struct workload *workload, struct error *err)
{
	return buffers_fill(device, &workload->buffers[workload->output], WORKLOAD_POISON, err);
}

int workload_spoil(struct device *device, struct workload *workload, struct error *err)
{
	const float wrong = 12345;
	VkCommandBuffer commands;

	int answer = device_begin(device, &commands, err);
	if (answer)
		return answer;
	device_barrier(commands);
	vkCmdUpdateBuffer(commands, workload->buffers[workload->output].vk,
	        4 * workload->samples.elements[workload->samples.count / 2], sizeof wrong, &wrong);
	device_barrier(commands);
	return device_submit_once(device, commands, err);
}

static uint64_t count_poison(const uint32_t *words, uint64_t count)
{
	uint64_t poisoned = 0;

	for (uint64_t i = 0; i < count; i++)
		poisoned += words[i] == WORKLOAD_POISON;
	return poisoned;
}

/* `by_element`: values hold the whole output, not just the samples in order. */
static void compare_samples(const struct samples *samples, const float *values, bool by_element,
        struct comparison *comparison)
{
	for (uint32_t i = 0; i < samples->count; i++) {
		double value = values[by_element ? samples->elements[i] : i];
		double error = fabs(value - samples->references[i]) / samples->scale;
		if (isnan(error))
			error = INFINITY;
		if (error <= comparison->max_rel_err && i)
			continue;
		comparison->max_rel_err = error;
		comparison->worst = samples->elements[i];
		comparison->worst_value = value;
		comparison->worst_reference = samples->references[i];
	}
}

int workload_compare(struct device *device, struct workload *workload,
        struct comparison *ret_comparison, struct error *err)
{
	struct comparison comparison = {.checked = workload->samples.count};
	const void *values = workload->buffers[workload->output].mapped;
	bool by_element = values || workload->whole;

	if (!values) {
		int answer = device_submit(device, workload->collect, NULL, err);
		if (answer)
			return answer;
		values = workload->results.mapped;
	}
	comparison.unwritten = count_poison(
	        values, workload->whole ? workload->tensors[workload->output].elements
	                : by_element    ? 0
	                                : workload->samples.count);
	compare_samples(&workload->samples, values, by_element, &comparison);
	*ret_comparison = comparison;
	return 0;
}
