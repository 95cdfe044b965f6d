/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers at random, and what a case is besides its operator: the device, the candidate, the
 * dimensions at run time. Knows what an interpreter run costs; knows nothing of single fields.
 */
#include "draw.h"

#include "base/hash.h"
#include "reference/reference.h"
#include "space/space.h"

/* So that thousands of cases take a minute. */
#define ELEMENTS_MAX    160000 /* of all tensors together */
#define REFERENCE_MAX   4e5    /* steps of reference_element over the whole output */
#define INTERPRETER_MAX 3e6    /* instructions, times invocations */

/* ---- Numbers. */

struct draw draw_begin(uint64_t seed, uint64_t number)
{
	return (struct draw){hash_mix(seed + hash_mix(number + 1))};
}

uint64_t draw_bits(struct draw *d)
{
	d->state += 0x9e3779b97f4a7c15ull;
	return hash_mix(d->state);
}

uint32_t draw_below(struct draw *d, uint32_t count)
{
	return (uint32_t)((draw_bits(d) >> 32) * count >> 32);
}

bool draw_one_in(struct draw *d, uint32_t count)
{
	return draw_below(d, count) == 0;
}

static bool is_prime(uint32_t x)
{
	for (uint32_t i = 2; i * i <= x; i++)
		if (x % i == 0)
			return false;
	return x > 1;
}

uint32_t draw_size(struct draw *d, uint32_t most)
{
	uint32_t bits = 1;

	while (most >> bits)
		bits++;
	uint32_t one = draw_below(d, bits), other = draw_below(d, bits);
	uint32_t low = 1u << (one > other ? one : other), size = low + draw_below(d, low);
	switch (draw_below(d, 10)) {
	case 0:
		size = 1;
		break;
	case 1:
	case 2:
		size = low;
		break;
	case 3: /* whole vectors */
		size = (size + 3) & ~3u;
		break;
	case 4:
		size |= 1;
		break;
	case 5:
		while (size > 2 && !is_prime(size))
			size--;
		break;
	}
	return size < most ? size : most;
}

/* ---- Whether a static operator suits. */

/* The least number of keys above 1 that a query may see. */
static uint32_t least_seen(const uint32_t *v)
{
	uint32_t q = v[ATTENTION_Q], kv = v[ATTENTION_KV];

	if (!v[ATTENTION_CAUSAL] || kv == 1)
		return kv;
	return kv > q ? kv - q + 1 : 2;
}

/* No row is masked as a whole: then the mask's -10000 would leave nothing but rounding errors of
 * what it was added to. One key alone weighs 1 whatever its score. */
static bool masks_leave_some(const struct op *op)
{
	const uint32_t *v = op->value;
	uint32_t seen = 1;

	if ((op->kind == OP_SOFTMAX || op->kind == OP_LOG_SOFTMAX) && v[SOFTMAX_MASK])
		seen = v[SOFTMAX_N];
	if (op->kind == OP_ATTENTION && v[ATTENTION_MASK])
		seen = least_seen(v);
	return seen == 1 || seen >= 12;
}

static bool is_affordable(const struct op *op)
{
	struct tensor tensors[OP_TENSORS_MAX];
	uint32_t count = op_tensors(op, tensors);
	double elements = 0, outputs = (double)tensors[count - 1].elements;

	for (uint32_t i = 0; i < count; i++)
		elements += (double)tensors[i].elements;
	return elements <= ELEMENTS_MAX && outputs * reference_steps(op) <= REFERENCE_MAX;
}

bool draw_suits(const struct op *op)
{
	return is_affordable(op) && masks_leave_some(op) && draw_acts_fit(op);
}

/* ---- Dimensions at run time. */

#define FAR 65536

static uint32_t draw_dim(struct draw *d, const struct op *op, uint32_t n)
{
	uint32_t low, high, hint = op->value[op->dynamic[n].value];

	op_range(op, n, &low, &high);
	switch (draw_below(d, 4)) {
	case 0:
		return low;
	case 1:
		if (high >= 4096 && draw_one_in(d, 4)) /* past some drivers' loops */
			return high < FAR ? high : FAR + draw_below(d, 100);
		return high < 4096 ? high : hint;
	case 2:
		return hint;
	}
	uint32_t room = high - low < 200 ? high - low : 200;
	return low + draw_size(d, room + 1) - 1;
}

bool draw_dims(struct draw *d, const struct op *op, uint32_t ret_dims[static OP_DYNAMIC_MAX])
{
	uint32_t dims[OP_DYNAMIC_MAX] = {0};

	for (uint32_t i = 0; i < 40; i++) {
		for (uint32_t n = 0; n < op->dynamic_count; n++)
			dims[n] = draw_dim(d, op, n);
		struct op at = op_at(op, dims);
		if (!draw_suits(&at))
			continue;
		for (uint32_t n = 0; n < OP_DYNAMIC_MAX; n++)
			ret_dims[n] = dims[n];
		return true;
	}
	return false;
}

/* ---- Devices. */

static struct limits limits_of(struct draw *d)
{
	static const struct {
		uint32_t invocations, bytes;
	} sizes[] = {
	        {256, 16384}, {256, 16384}, {16, 1024}, {128, 16384}, {1024, 32768}, {1024, 49152}};
	uint32_t size = draw_below(d, sizeof sizes / sizeof *sizes);
	struct limits limits = limits_web_default;

	limits.invocations = limits.size_x = limits.size_y = sizes[size].invocations;
	limits.size_z = sizes[size].invocations < 64 ? sizes[size].invocations : 64;
	limits.workgroup_bytes = sizes[size].bytes;
	return limits;
}

static struct facts facts_of(struct draw *d)
{
	static const struct facts facts[] = {
	        {.fma_gflops = 10000, .memory_gbps = 500, .launch_ns = 3000},
	        {.fma_gflops = 20, .memory_gbps = 10, .launch_ns = 5000, .cpu = true},
	        {.cpu = false}}; /* the last: nothing is known yet */

	return facts[draw_one_in(d, 8) ? 2 : draw_below(d, 2)];
}

static void draw_matrices(struct draw *d, struct limits *limits)
{
	static const struct matrix_shape shapes[] = {
	        {8, 8, 8}, {16, 16, 16}, {16, 8, 16}, {16, 16, 8}, {32, 8, 16}, {16, 16, 32}};
	uint32_t count = 1 + draw_below(d, 2);

	for (uint32_t i = 0; i < count; i++)
		limits->matrices[i] = shapes[draw_below(d, sizeof shapes / sizeof *shapes)];
}

void draw_device(struct draw *d, struct draw_device *ret_device)
{
	struct draw_device device = {.limits = limits_of(d), .facts = facts_of(d), .subgroup = 4};

	device.limits.features = draw_below(d, 1u << FEATURE_COUNT);
	if (device.limits.features & FEATURE_SUBGROUPS) {
		uint32_t least = 4u << draw_below(d, 5);
		uint32_t most = draw_one_in(d, 4) ? 2 * least : least;
		device.limits.subgroup_min = least;
		device.limits.subgroup_max = most;
		device.subgroup = draw_one_in(d, 2) ? least : most;
	}
	if (device.limits.features & FEATURE_MATRIX)
		draw_matrices(d, &device.limits);
	*ret_device = device;
}

void draw_device_at_hand(struct draw *d, struct draw_device *ret_device)
{
	struct draw_device device = {
	        .limits = limits_web_default, .facts = facts_of(d), .subgroup = 4};

	device.limits.features = draw_below(d, 2) * FEATURE_SUBGROUPS +
	                         draw_below(d, 2) * FEATURE_DOT4;
	if (device.limits.features & FEATURE_SUBGROUPS)
		device.limits.subgroup_min = device.limits.subgroup_max = 4;
	*ret_device = device;
}

/* ---- Schedules. */

#define INSTRUCTIONS_MAX 2000 /* what is worth generating */

/* About as many instructions as the interpreter runs, one for each invocation counted. */
static double steps_of(const struct op *op, const struct schedule *schedule,
        const uint32_t dims[static OP_DYNAMIC_MAX])
{
	struct op at = op_at(op, dims);
	struct geometry g;

	if (space_geometry(&at, schedule, &g, NULL) && space_geometry(op, schedule, &g, NULL))
		return 0;
	struct work w;
	space_work(space_geometry(&at, schedule, &g, NULL) ? op : &at, schedule, &w);
	double each = 20 + w.arithmetic + 4 * w.loads + 4 * w.shared_loads + w.turns;
	for (uint32_t i = 0; i < 3; i++)
		each *= (double)g.workgroup_size[i] * (double)extent_at(&g.grid[i], dims);
	return w.instructions > INSTRUCTIONS_MAX ? 2 * INTERPRETER_MAX : each;
}

/* Most such schedules are refused, which must be safe to ask. */
static struct schedule draw_near(struct draw *d, const struct schedule *schedule)
{
	static const uint16_t values[] = {
	        0, 1, 2, 3, 4, 5, 7, 8, 12, 16, 32, 64, 128, 256, 1024, 32768, 65535};
	struct schedule near = *schedule;

	for (uint32_t i = 1 + draw_below(d, 2); i; i--)
		near.axis[draw_below(d, AXIS_COUNT)] =
		        values[draw_below(d, sizeof values / sizeof *values)];
	return near;
}

bool draw_schedule(struct draw *d, const struct op *op, const struct limits *limits,
        const struct space *space, const uint32_t dims[static OP_DYNAMIC_MAX],
        struct schedule *ret_schedule)
{
	bool near = draw_one_in(d, 4);

	for (uint32_t i = 0; i < 40; i++) {
		struct schedule s = space->candidates[draw_below(d, space->count)].schedule;
		if (near && i < 20)
			s = draw_near(d, &s);
		if (space_check(op, &s, limits, NULL) || steps_of(op, &s, dims) > INTERPRETER_MAX)
			continue;
		*ret_schedule = s;
		return true;
	}
	return false;
}
