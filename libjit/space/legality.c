/* SPDX-License-Identifier: Apache-2.0
 *
 * Legality: what a schedule comes to, held against a device's limits. Whether it is well-formed at
 * all is the family's to say (derive). Prefers nothing.
 */
#include "space/legality.h"

#include "base/error.h"
#include "lower/turns.h"
#include "schedule/family.h"
#include "space/space.h"

#include <errno.h>
#include <string.h>

static int exceeds(struct error *err, const char *limit, uint64_t need, uint64_t allowed)
{
	return error_set(err, -ERANGE, limit, "needs %llu %s and the device allows %llu",
	        (unsigned long long)need, limit, (unsigned long long)allowed);
}

static int within_features(const struct geometry *g, const struct limits *l, struct error *err)
{
	for (uint32_t i = 0; i < FEATURE_COUNT; i++)
		if (g->features & ~l->features & 1u << i)
			return error_set(err, -ERANGE, feature_info((enum feature_number)i)->name,
			        "the kernel needs %s, which the device lacks or was not asked for",
			        feature_info((enum feature_number)i)->name);
	if (g->features & FEATURE_MATRIX && !limits_have_matrix(l, g->matrix))
		return error_set(err, -ERANGE, "matrix",
		        "the device multiplies no cooperative matrices of %ux%ux%u", g->matrix.m,
		        g->matrix.n, g->matrix.k);
	if (g->subgroup && (l->subgroup_min != g->subgroup || l->subgroup_max != g->subgroup))
		return exceeds(err, "invocations in every subgroup", g->subgroup, l->subgroup_max);
	return 0;
}

int legality_of_sizes(
        const struct op *op, const struct geometry *g, const struct limits *l, struct error *err)
{
	const uint32_t sizes[3] = {l->size_x, l->size_y, l->size_z};
	uint32_t dims[OP_DYNAMIC_MAX] = {0};
	uint64_t invocations = 1;

	for (uint32_t i = 0; i < op->dynamic_count; i++)
		dims[i] = op->value[op->dynamic[i].value];
	for (uint32_t i = 0; i < 3; i++) {
		uint64_t workgroups = extent_at(&g->grid[i], dims);
		invocations *= g->workgroup_size[i];
		if (g->workgroup_size[i] > sizes[i])
			return exceeds(err, "invocations in one dimension", g->workgroup_size[i],
			        sizes[i]);
		if (workgroups > l->workgroups)
			return exceeds(
			        err, "workgroups in one dimension", workgroups, l->workgroups);
	}
	if (invocations > l->invocations)
		return exceeds(err, "invocations in a workgroup", invocations, l->invocations);
	if (g->workgroup_bytes > l->workgroup_bytes)
		return exceeds(
		        err, "bytes of workgroup memory", g->workgroup_bytes, l->workgroup_bytes);
	return within_features(g, l, err);
}

int legality_of_turns(const struct op *op, const struct schedule *schedule, const struct limits *l,
        struct error *err)
{
	uint32_t most[OP_DYNAMIC_MAX] = {0};
	uint64_t turns;

	if (!l->turns)
		return 0;
	for (uint32_t i = 0; i < op->dynamic_count; i++)
		most[i] = op->dynamic[i].high ? op->dynamic[i].high
		                              : op->value[op->dynamic[i].value];
	int r = lower_turns(op, schedule, most, &turns);
	if (r)
		return error_set(err, r, "", "out of memory");
	return turns > l->turns ? exceeds(err, "turns of its loops", turns, l->turns) : 0;
}

int legality_of_bindings(const struct op *op, const struct limits *l, struct error *err)
{
	struct tensor tensors[OP_TENSORS_MAX];
	uint32_t count = op_tensors(op, tensors);

	if (count > l->storage_buffers)
		return exceeds(err, "storage buffers", count, l->storage_buffers);
	for (uint32_t i = 0; i < count; i++) {
		uint64_t bytes = tensor_bytes(&tensors[i]);
		if (bytes > l->binding_bytes)
			return error_set(err, -ERANGE, tensors[i].name,
			        "%s needs a binding of %llu bytes and the device allows %llu: "
			        "split the operator",
			        tensors[i].name, (unsigned long long)bytes,
			        (unsigned long long)l->binding_bytes);
	}
	return 0;
}

int space_geometry(const struct op *op, const struct schedule *schedule,
        struct geometry *ret_geometry, struct error *err)
{
	union family_shape shape;

	return family_of(op)->derive(op, schedule, ret_geometry, &shape, err);
}

int space_check(const struct op *op, const struct schedule *schedule, const struct limits *limits,
        struct error *err)
{
	struct geometry g;
	int r = space_geometry(op, schedule, &g, err);

	if (!r && limits)
		r = legality_of_sizes(op, &g, limits, err);
	if (!r && limits)
		r = legality_of_bindings(op, limits, err);
	if (!r && limits)
		r = legality_of_turns(op, schedule, limits, err);
	return r;
}

int space_range(const struct op *op, const struct schedule *schedule, const struct limits *limits,
        uint32_t ret_most[static OP_DYNAMIC_MAX])
{
	uint32_t most[OP_DYNAMIC_MAX] = {0}, low;
	int r = 0;

	for (uint32_t i = 0; i < op->dynamic_count; i++)
		op_range(op, i, &low, &most[i]);
	if (op->dynamic_count && limits->turns)
		r = lower_narrow(op, schedule, limits->turns, most);
	if (!r)
		memcpy(ret_most, most, sizeof most);
	return r;
}
