/* SPDX-License-Identifier: Apache-2.0
 *
 * The WebGPU default limits, how two sets of limits meet, and the facts by their rows.
 */
#include "device/limits.h"

#include <stddef.h>

enum { DEVICE, LANGUAGE };

const struct feature_info *feature_info(enum feature_number number)
{
	static const struct feature_info infos[FEATURE_COUNT] = {
#define FEATURE(name, text, kind, doc) {text, doc, kind == LANGUAGE},
#include "device/features.def"
	};

	return &infos[number];
}

const struct limits limits_web_default = {
        .invocations = 256,
        .size_x = 256,
        .size_y = 256,
        .size_z = 64,
        .workgroups = 65535,
        .workgroup_bytes = 16384,
        .storage_buffers = 8,
        .binding_bytes = 128ull << 20,
        .subgroup_min = 0,
        .subgroup_max = 0,
        .features = 0,
};

bool limits_have_matrix(const struct limits *limits, struct matrix_shape shape)
{
	for (uint32_t i = 0; i < MATRIX_SHAPES_MAX; i++) {
		const struct matrix_shape *own = &limits->matrices[i];
		if (own->m && own->m == shape.m && own->n == shape.n && own->k == shape.k)
			return true;
	}
	return false;
}

#define MEET(field) ret.field = a->field < b->field ? a->field : b->field

struct limits limits_meet(const struct limits *a, const struct limits *b)
{
	struct limits ret = {.features = a->features & b->features};

	MEET(invocations);
	MEET(size_x);
	MEET(size_y);
	MEET(size_z);
	MEET(workgroups);
	MEET(workgroup_bytes);
	MEET(storage_buffers);
	MEET(binding_bytes);
	ret.turns = !a->turns || (b->turns && b->turns < a->turns) ? b->turns : a->turns;
	if (ret.features & FEATURE_SUBGROUPS) { /* the range that either may give */
		ret.subgroup_min = a->subgroup_min < b->subgroup_min ? a->subgroup_min
		                                                     : b->subgroup_min;
		ret.subgroup_max = a->subgroup_max > b->subgroup_max ? a->subgroup_max
		                                                     : b->subgroup_max;
	}
	for (uint32_t i = 0, count = 0; i < MATRIX_SHAPES_MAX; i++)
		if (limits_have_matrix(b, a->matrices[i]))
			ret.matrices[count++] = a->matrices[i];
	return ret;
}

/* ---- Facts. */

const struct fact_info fact_infos[FACT_COUNT] = {
#define FACT(name, ...) {#name, __VA_ARGS__},
#include "device/facts.def"
};

static size_t offset_of(enum fact fact)
{
	static const size_t offsets[FACT_COUNT] = {
#define FACT(name, ...) offsetof(struct facts, name),
#include "device/facts.def"
	};

	return offsets[fact];
}

double fact_value(const struct facts *facts, enum fact fact)
{
	return *(const double *)((const char *)facts + offset_of(fact));
}

void fact_set(struct facts *facts, enum fact fact, double value)
{
	*(double *)((char *)facts + offset_of(fact)) = value;
}
