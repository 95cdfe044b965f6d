/* SPDX-License-Identifier: Apache-2.0
 *
 * What a device allows and how fast it is, as plain data that crosses every room. Limits bound
 * which schedules are legal; facts order them. Nothing here is guessed from a vendor's name.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum feature_number {
#define FEATURE(name, ...) FEATURE_NUMBER_##name,
#include "device/features.def"
	FEATURE_COUNT
};
enum feature { /* bits of limits.features */
#define FEATURE(name, ...) FEATURE_##name = 1 << FEATURE_NUMBER_##name,
#include "device/features.def"
};
struct feature_info {
	const char *name, *doc;
	bool language; /* of WGSL, not of the device */
};
const struct feature_info *feature_info(enum feature_number number);

/* Of a product of cooperative matrices, m x k of f16 by k x n of f16, summed in f32. */
struct matrix_shape {
	uint16_t m, n, k;
};
#define MATRIX_SHAPES_MAX 4

struct limits {
	uint32_t invocations;                /* per workgroup */
	uint32_t size_x, size_y, size_z;     /* workgroup, per dimension */
	uint32_t workgroups;                 /* dispatch, per dimension */
	uint32_t workgroup_bytes;            /* workgroup memory */
	uint32_t storage_buffers;            /* per stage */
	uint64_t binding_bytes;              /* one storage binding */
	uint32_t subgroup_min, subgroup_max; /* invocations; 0 without FEATURE_SUBGROUPS */
	uint32_t features;                   /* enum feature bits */
	uint32_t turns; /* of an invocation's loops, each entered once more; 0: no end is known */
	struct matrix_shape matrices[MATRIX_SHAPES_MAX]; /* with FEATURE_MATRIX; then zeros */
};

/* What every WebGPU page has without asking (W3C WebGPU, "Limits", default column). */
extern const struct limits limits_web_default;

/* The tighter of both in every field, the features and matrices both have, the subgroup sizes
 * either has. */
bool limits_have_matrix(const struct limits *limits, struct matrix_shape shape);
struct limits limits_meet(const struct limits *a, const struct limits *b);

struct correction;

/* Measured on the device by the worker's probe; 0 is unknown. */
#define FACTS_VERSION 2 /* of what is measured and how; other versions are out of date */
#define FACTS_CACHES  3
struct facts {
#define FACT(name, ...) double name;
#include "device/facts.def"
	/* Levels of the memory hierarchy above global memory, nearest first: what fits in `bytes`
	 * is read at `gbps` by the whole device. bytes 0: no more of them. */
	struct cache {
		double bytes, gbps;
	} caches[FACTS_CACHES];
	/* Of predictions, learnt on this device (calibrate.h); NULL: none. Whoever sets it keeps
	 * it. Not on the wire. */
	const struct correction *correction;
	bool cpu;         /* the device runs on the processor (lavapipe, SwiftShader, PoCL) */
	uint32_t version; /* FACTS_VERSION when they were measured; 0: never */
};

enum fact {
#define FACT(name, ...) FACT_##name,
#include "device/facts.def"
	FACT_COUNT
};
extern const struct fact_info {
	const char *name, *unit, *doc;
} fact_infos[FACT_COUNT];
double fact_value(const struct facts *facts, enum fact fact);
void fact_set(struct facts *facts, enum fact fact, double value);
