/* SPDX-License-Identifier: Apache-2.0
 *
 * Loading an operator. Inputs are generated on the host and copied; the host's copies are needed
 * only until the references are computed. What a kernel left in its output is output.c's.
 * Invariant: nothing here depends on the device but where the bytes lie and which points its
 * bindings can hold, so two devices see the same numbers.
 */
#include "daemon/gpu/workload.h"
#include "base/cleanup.h"
#include "daemon/gpu/answer.h"
#include "daemon/gpu/parallel.h"
#include "reference/reference.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(OP_TENSORS_MAX + 1 <= GPU_BOUNDS_MAX, "an operator's tensors and dimensions bind");
_Static_assert(POINTS_MAX <= GPU_SETS_MAX, "every point has a set");

#define UNIFORM_STRIDE 256 /* no device needs uniform blocks further apart */
#define UNIFORM_BYTES  16

/* ---- Points. */

static void set_points(struct workload *workload, const struct points *points)
{
	workload->point_count = points->count;
	workload->timed_count = points->timed;
	for (uint32_t i = 0; i < points->count; i++) {
		struct point *point = &workload->points[i];
		memcpy(point->dims, points->dims[i], sizeof point->dims);
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
static int check_sizes(const struct workload *workload, struct error *err)
{
	uint64_t most = workload->device->adapter->limits.binding_bytes, total = 0;
	bool on_host = device_is_cpu(workload->device);

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
	uint64_t free_bytes = device_host_free_bytes();
	if (total / 3 * 4 > free_bytes)
		return error_set(err, ANSWER_OUT_OF_MEMORY, "op",
		        "the tensors take %" PRIu64 " bytes and the host has %" PRIu64 " free",
		        total, free_bytes);
	return 0;
}

static int create_uniforms(struct workload *workload, struct error *err)
{
	int answer = device_allocate(workload->device,
	        (uint64_t)UNIFORM_STRIDE * workload->point_count, GPU_UNIFORM, &workload->uniforms,
	        err);

	for (uint32_t p = 0; !answer && p < workload->point_count; p++)
		answer = workload->device->api->buffer_write(workload->uniforms,
		        (uint64_t)UNIFORM_STRIDE * p, workload->points[p].dims, UNIFORM_BYTES, err);
	return answer;
}

static int bind_points(struct workload *workload, struct error *err)
{
	struct gpu_bound bounds[POINTS_MAX * (OP_TENSORS_MAX + 1)];
	bool dynamic = workload->op.dynamic_count > 0;
	const struct gpu_bindings_params params = {.count = workload->tensor_count + dynamic,
	        .sets = workload->point_count,
	        .bounds = bounds};
	uint32_t count = 0;

	for (uint32_t p = 0; p < workload->point_count; p++) {
		for (uint32_t i = 0; i < workload->tensor_count; i++)
			bounds[count++] = (struct gpu_bound){.buffer = workload->buffers[i],
			        .bytes = tensor_bytes(&workload->points[p].tensors[i])};
		if (dynamic)
			bounds[count++] = (struct gpu_bound){.buffer = workload->uniforms,
			        .at = (uint64_t)UNIFORM_STRIDE * p,
			        .bytes = UNIFORM_BYTES,
			        .uniform = true};
	}
	return workload->device->api->bindings_create(
	        workload->device, &params, &workload->bindings, err);
}

static int create_buffers(struct workload *workload, struct error *err)
{
	int answer = 0;

	for (uint32_t i = 0; !answer && i < workload->tensor_count; i++)
		answer = device_allocate(workload->device, greatest_bytes(workload, i), GPU_STORAGE,
		        &workload->buffers[i], err);
	if (!answer && workload->op.dynamic_count)
		answer = create_uniforms(workload, err);
	return answer ? answer : bind_points(workload, err);
}

#define STRETCH 65536 /* elements that a thread fills at once; a multiple of 32 */

struct filling {
	const struct workload *workload;
	uint32_t input;
	void *values;
};

static void fill_some(void *context, uint64_t from, uint64_t to)
{
	const struct filling *of = context;

	reference_fill_some(&greatest(of->workload, of->input)->op, of->input, of->workload->seed,
	        of->values, (struct reference_span){from, to});
}

/* The inputs as the host can read them: the buffers themselves, or memory of its own. */
struct copies {
	void *values[OP_TENSORS_MAX];
	void *owned[OP_TENSORS_MAX];
};

static int fill_input(
        struct workload *workload, uint32_t i, struct copies *copies, struct error *err)
{
	struct gpu_buffer *buffer = workload->buffers[i];
	void *values = buffer->mapped;

	if (!values) {
		values = copies->owned[i] = malloc(buffer->bytes);
		if (!values)
			return answer_no_memory(workload->points[0].tensors[i].name, err);
	}
	copies->values[i] = values;
	memset((char *)values + buffer->bytes - 4, 0, 4); /* what follows the last element */
	struct filling filling = {workload, i, values};
	parallel_run(greatest(workload, i)->tensors[i].elements, STRETCH, fill_some, &filling);
	reference_make_special(
	        &greatest(workload, i)->op, i, workload->seed, workload->inputs, values);
	if (buffer->mapped)
		return 0;
	return workload->device->api->buffer_write(buffer, 0, values, buffer->bytes, err);
}

/* All points read the same buffers, each as much of them as it has. */
static int sample_points(struct workload *workload, void *const values[], struct error *err)
{
	double steps = SAMPLES_STEPS / workload->point_count / (workload->inputs ? 4 : 1);

	for (uint32_t p = 0; p < workload->point_count; p++) {
		struct point *point = &workload->points[p];
		if (samples_choose(&point->op, workload->seed, steps, &point->samples))
			return answer_no_memory("the samples", err);
		samples_refer(&point->samples, &point->op, values, workload->inputs);
	}
	return 0;
}

static int fill_inputs(struct workload *workload, struct error *err)
{
	struct copies copies = {0};
	int answer = 0;

	for (uint32_t i = 0; !answer && i < workload->tensor_count; i++)
		if (i != workload->output)
			answer = fill_input(workload, i, &copies, err);
	if (!answer)
		answer = sample_points(workload, copies.values, err);
	for (uint32_t i = 0; i < OP_TENSORS_MAX; i++)
		free(copies.owned[i]);
	return answer;
}

/* ---- Getting the output to the host. */

/* The copies that fetch it: all of it, or the words that hold the samples. */
static uint32_t find_regions(
        const struct point *point, uint32_t output, struct gpu_region regions[])
{
	const struct tensor *tensor = &point->tensors[output];
	uint32_t per_word = 32 / dtype_bits(tensor->dtype);

	regions[0] = (struct gpu_region){.bytes = tensor_bytes(tensor)};
	for (uint32_t i = 0; !point->whole && i < point->samples.count; i++)
		regions[i] = (struct gpu_region){
		        .from = 4 * (point->samples.elements[i] / per_word),
		        .to = 4ull * i,
		        .bytes = 4};
	return point->whole ? 1 : point->samples.count;
}

static int record_collect(struct workload *workload, struct point *point, struct error *err)
{
	AUTO(free_pointer)
	struct gpu_region *regions = calloc(point->samples.count + 1, sizeof *regions);

	if (!regions)
		return answer_no_memory("the samples", err);
	const struct gpu_copies copies = {.from = workload->buffers[workload->output],
	        .to = workload->results,
	        .count = find_regions(point, workload->output, regions),
	        .regions = regions};
	return workload->device->api->record_copies(&copies, &point->collect, err);
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

static int prepare_results(struct workload *workload, struct error *err)
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
	if (workload->buffers[workload->output]->mapped)
		return 0;
	answer = device_allocate(
	        workload->device, results_bytes(workload), GPU_DOWNLOAD, &workload->results, err);
	for (uint32_t p = 0; !answer && p < workload->point_count; p++)
		answer = record_collect(workload, &workload->points[p], err);
	return answer;
}

static int fill(struct workload *workload, const struct points *points, struct error *err)
{
	set_points(workload, points);
	int answer = check_sizes(workload, err);
	if (!answer)
		answer = create_buffers(workload, err);
	if (!answer)
		answer = fill_inputs(workload, err);
	if (!answer)
		answer = prepare_results(workload, err);
	return answer;
}

/* ---- Parts of an operator. */

/* An operator, and how much it is of the one that was asked for. */
struct part {
	struct op op;
	double share;
	uint64_t seed;
	enum reference_special inputs;
};

static int load_points(struct device *device, const struct part *part, const struct points *points,
        struct workload **ret_workload, struct error *err)
{
	struct workload *workload = calloc(1, sizeof *workload);

	if (!workload)
		return answer_no_memory("the operator", err);
	workload->device = device;
	workload->op = part->op;
	workload->share = part->share;
	workload->seed = part->seed;
	workload->inputs = part->inputs;
	int answer = fill(workload, points, err);
	if (!answer)
		*ret_workload = workload;
	else if (answer != ANSWER_DEVICE_LOST)
		workload_free(workload);
	return answer;
}

#define SPECIAL_ELEMENTS (4u << 20) /* of all tensors: more would take the host too long */

static bool may_be_special(const struct workload *workload)
{
	const struct point *first = &workload->points[0];
	uint64_t elements = 0;
	bool floats = false;

	for (uint32_t i = 0; i < workload->tensor_count; i++) {
		elements += first->tensors[i].elements;
		floats |= i != workload->output && dtype_is_float(first->tensors[i].dtype);
	}
	return floats && elements <= SPECIAL_ELEMENTS;
}

/* Beside the ordinary ones, where there is room. */
static int load_special(struct workload *workload, struct error *err)
{
	const struct part part = {.op = workload->op,
	        .share = workload->share,
	        .seed = workload->seed,
	        .inputs = REFERENCE_SPECIAL};
	struct points points = {.count = 1, .timed = 1};

	memcpy(points.dims[0], workload->points[0].dims, sizeof points.dims[0]);
	int answer = load_points(workload->device, &part, &points, &workload->special, err);
	return answer == ANSWER_OUT_OF_MEMORY ? 0 : answer;
}

static int load(struct device *device, const struct part *part, struct workload **ret_workload,
        struct error *err)
{
	struct workload *workload;
	struct points points;

	points_choose(&part->op, device->adapter->limits.binding_bytes, &points);
	int answer = load_points(device, part, &points, &workload, err);
	if (answer)
		return answer;
	if (device->keeps_infinities && may_be_special(workload))
		answer = load_special(workload, err);
	if (!answer)
		*ret_workload = workload;
	else if (answer != ANSWER_DEVICE_LOST)
		workload_free(workload);
	return answer;
}

int workload_load_special(struct device *device, const struct op *op,
        struct workload **ret_workload, struct error *err)
{
	const struct part part = {.op = *op, .share = 1, .inputs = REFERENCE_SPECIAL};
	struct points points = {.count = 1, .timed = 1};

	return load_points(device, &part, &points, ret_workload, err);
}

int workload_load_beside(const struct workload *near, const uint32_t dims[OP_DYNAMIC_MAX],
        struct workload **ret_workload, struct error *err)
{
	const struct part part = {.op = near->op, .share = 1, .seed = near->seed};
	struct points points = {.count = 1, .timed = 1};

	memcpy(points.dims[0], dims, sizeof points.dims[0]);
	return load_points(near->device, &part, &points, ret_workload, err);
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
static bool halve(struct part *part)
{
	struct op_way way;

	if (part->op.dynamic_count || op_split(&part->op, largest_bytes(&part->op) / 2, &way, NULL))
		return false;
	part->share *= op_bytes(&way.steps[0].op) / op_bytes(&part->op);
	part->op = way.steps[0].op;
	return true;
}

int workload_load(struct device *device, const struct op *op, uint64_t seed,
        struct workload **ret_workload, struct error *err)
{
	struct part part = {.op = *op, .share = 1, .seed = seed};
	int answer = load(device, &part, ret_workload, err);
	struct error why;

	while (answer == ANSWER_OUT_OF_MEMORY && halve(&part)) {
		int again = load(device, &part, ret_workload, &why);
		if (again != ANSWER_OUT_OF_MEMORY)
			answer = again;
	}
	return answer;
}

double workload_steps(const struct workload *workload, uint32_t point)
{
	const struct point *at = &workload->points[point];

	return reference_steps(&at->op) * (double)at->tensors[workload->output].elements;
}

void workload_free(struct workload *workload)
{
	if (!workload)
		return;
	const struct gpu_api *api = workload->device->api;
	workload_free(workload->special);
	for (uint32_t p = 0; p < workload->point_count; p++) {
		api->commands_destroy(workload->points[p].collect);
		samples_free(&workload->points[p].samples);
	}
	api->buffer_destroy(workload->results);
	api->bindings_destroy(workload->bindings);
	for (uint32_t i = 0; i < workload->tensor_count; i++)
		api->buffer_destroy(workload->buffers[i]);
	api->buffer_destroy(workload->uniforms);
	free(workload->first);
	free(workload);
}
