/* SPDX-License-Identifier: Apache-2.0
 *
 * Inputs that are no ordinary numbers: infinities, NaN, zeros of either sign, denormals, a type's
 * extremes, masks that shut out a row wholly or in part. They lie among ordinary inputs, so thin
 * that about every other output depends on none. Must not draw what two right kernels may answer
 * differently: extremes where they are summed, denormals where one that is flushed changes sides.
 */
#include "base/hash.h"
#include "reference/reference.h"

#include <math.h>
#include <string.h>

/* ---- What an operator bears. */

static bool has_step(const struct op *op, bool (*is_one)(enum scalar))
{
	enum scalar steps[OP_STEPS_MAX + 1];

	for (uint32_t i = 0, count = op_steps(op, steps); i < count; i++)
		if (steps[i] < SCALAR_FUNCTION_END && is_one(steps[i]))
			return true;
	return false;
}

/* How far a sine is exact is the device's affair; a product that overflows before its sum need not
 * in a fused one. */
static bool loses_extremes(enum scalar function)
{
	return function == SCALAR_SIN || function == SCALAR_COS || function == SCALAR_FMA;
}

bool reference_takes_extremes(const struct op *op)
{
	switch (op->kind) {
	case OP_TRANSPOSE:
	case OP_GATHER:
	case OP_CONCAT:
	case OP_SLICE:
	case OP_PAD:
	case OP_TILE:
	case OP_CAST:
	case OP_MAX_POOL:
	case OP_REDUCE_MAX:
	case OP_REDUCE_MIN:
	case OP_ARGMAX:
	case OP_ARGMIN:
		return true;
	case OP_MAP: /* what lies between two steps may overflow */
		return false;
	default:
		return op_has_steps(op) && !has_step(op, loses_extremes);
	}
}

/* One that is flushed to 0 gives another answer, not one nearby. */
static bool tells_denormals(enum scalar function)
{
	switch (function) {
	case SCALAR_SIGN:
	case SCALAR_CEIL:
	case SCALAR_FLOOR:
	case SCALAR_RECIPROCAL:
	case SCALAR_RSQRT:
	case SCALAR_LOG:
	case SCALAR_DIV:
	case SCALAR_POW:
		return true;
	default:
		return scalar_info(function)->gives == GIVES_BOOL;
	}
}

static bool takes_denormals(const struct op *op)
{
	struct tensor tensors[OP_TENSORS_MAX];
	uint32_t count = op_tensors(op, tensors);

	/* Times an infinity, a denormal and the 0 that it may become are an infinity and NaN. */
	if (count > 2 || op->kind == OP_GATE || op->kind == OP_REDUCE_PROD)
		return false;
	return dtype_is_float(tensors[count - 1].dtype) &&
	       !(op_has_steps(op) && has_step(op, tells_denormals));
}

/* What is beside a tensor, or shut out by a mask, counts 0 times: an infinite factor may make that
 * NaN. Weights of convolutions and values of attention are therefore finite. */
static bool takes_infinities(const struct op *op, const char *tensor)
{
	if (op->kind == OP_RESIZE) /* an interpolation's neighbour */
		return false;
	if (op->kind == OP_ATTENTION)
		return strcmp(tensor, "v") != 0;
	return op_family(op->kind) != FAMILY_CONVOLUTION || strcmp(tensor, "w") != 0;
}

/* ---- How often. */

/* Elements of that tensor on which one output depends. */
static double fan_in(const struct op *op, const char *tensor)
{
	switch (op_family(op->kind)) {
	case FAMILY_CONTRACTION:
		return *tensor == 'a' || !strcmp(tensor, "b") ? reference_steps(op) : 1;
	case FAMILY_CONVOLUTION:
		return !strcmp(tensor, "x") || !strcmp(tensor, "w") ? reference_steps(op) : 1;
	case FAMILY_REDUCTION:
		return !strcmp(tensor, "x") || !strcmp(tensor, "residual") ? reference_steps(op)
		                                                           : 1;
	case FAMILY_ATTENTION:
		return !strcmp(tensor, "q") ? op->value[ATTENTION_DIM]
		       : !strcmp(tensor, "v")
		               ? op->value[ATTENTION_KV]
		               : (double)op->value[ATTENTION_DIM] * op->value[ATTENTION_KV];
	case FAMILY_MAP:
		break;
	}
	return reference_steps(op);
}

static uint32_t one_in(const struct op *op, const char *tensor)
{
	return (uint32_t)fmax(4, fmin(2 * fan_in(op, tensor), 1e9));
}

/* ---- Drawing. */

struct special {
	const struct tensor *tensor;
	enum reference_special kind;
	uint64_t seed;
	uint32_t one_in;
	bool infinities, extremes, denormals;
};

static uint32_t below(uint64_t bits, uint32_t count)
{
	return (uint32_t)((bits >> 32) * count >> 32);
}

static double pick(const struct special *s, uint64_t bits)
{
	bool half = s->tensor->dtype == DTYPE_F16;
	double list[12] = {0, -0.0};
	uint32_t count = 2;

	if (s->infinities) {
		list[count++] = INFINITY;
		list[count++] = -INFINITY;
	}
	if (s->infinities && s->kind == REFERENCE_SPECIAL_NAN)
		list[count++] = NAN;
	if (s->extremes) {
		list[count++] = half ? 65504 : 0x1.fffffep127;
		list[count++] = half ? -65504 : -0x1.fffffep127;
	}
	if (s->denormals) {
		list[count++] = half ? 0x1p-24 : 0x1p-149;
		list[count++] = half ? -0x1.ff8p-15 : -0x1.fffffcp-127;
	}
	return list[below(bits, count)];
}

/* Rows that are shut out wholly, in part, and by levels between which f32 must tell. The first key
 * of a row is in sight or above the rest: rounding errors decide nowhere. */
static double mask_of(const struct special *s, uint64_t index, double ordinary, uint64_t bits)
{
	uint64_t columns = s->tensor->shape[s->tensor->rank - 1];
	uint32_t way = below(hash_mix(s->seed + index / columns + 1), 5);
	bool first = index % columns == 0;
	double level = s->tensor->dtype == DTYPE_F16 ? -30000 : -1e9;
	const double levels[] = {0.5, level, 2 * level, -INFINITY};

	switch (way) {
	case 0:
		return -INFINITY;
	case 1:
		return first ? 0.25 : below(bits, 2) ? -INFINITY : -0.25;
	case 2:
		return first ? 0.25 : levels[below(bits, 4)];
	case 3:
		return first ? level : 2 * level;
	}
	return ordinary;
}

void reference_make_special(const struct op *op, uint32_t tensor, uint64_t seed,
        enum reference_special kind, void *buffer)
{
	struct tensor tensors[OP_TENSORS_MAX];

	op_tensors(op, tensors);
	const struct tensor *t = &tensors[tensor];
	bool mask = !strcmp(t->name, "mask");
	struct special s = {.tensor = t,
	        .kind = kind,
	        .seed = seed + tensor,
	        .one_in = one_in(op, t->name),
	        .infinities = takes_infinities(op, t->name),
	        .extremes = reference_takes_extremes(op),
	        .denormals = takes_denormals(op)};
	if (!kind || !dtype_is_float(t->dtype) || !strcmp(t->name, "scales"))
		return;
	for (uint64_t i = 0; i < t->elements; i++) {
		uint64_t bits = hash_mix(s.seed * 0xd1b54a32d192ed03ull + ~i);
		if (mask)
			reference_write(t->dtype, buffer, i,
			        mask_of(&s, i, reference_read(t->dtype, buffer, i), bits));
		else if (!below(bits, s.one_in))
			reference_write(t->dtype, buffer, i, pick(&s, hash_mix(bits)));
	}
}
