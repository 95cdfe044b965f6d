/* SPDX-License-Identifier: Apache-2.0
 *
 * Which schedules make sense for a contraction, and what is wrong with those that do not. Derives
 * nothing; the numbers are derive.c's, and safe to look at whatever the schedule says. Schedules of
 * cooperative matrices have rules of their own, in matrix.c.
 */
#include "family/contraction/shape.h"

#include "base/error.h"

#include <errno.h>

static bool power_of_two(uint32_t x)
{
	return x && !(x & (x - 1));
}

static int refuse(struct error *err, const char *axis, const char *rule)
{
	return error_set(err, -ERANGE, axis, "%s", rule);
}

static int check_sizes(const struct contraction *c, struct error *err)
{
	if (c->tile_m > CONTRACTION_TILE_MAX || c->tile_n > CONTRACTION_TILE_MAX ||
	        c->tile_m * c->tile_n > 256)
		return refuse(err, "schedule", "a tile is at most 32 either way and 256 in all");
	if (c->k_step > 64 || c->unroll > 32)
		return refuse(err, "schedule", "k_step is at most 64 and unroll 32");
	if ((uint64_t)c->wg.x * c->wg.y * c->wg.split > 1024)
		return refuse(err, "schedule", "a workgroup has at most 1024 invocations");
	return 0;
}

static int check_steps(const struct contraction *c, struct error *err)
{
	bool staged = c->a.staged || c->b.staged;

	if (!power_of_two(c->vec) || c->vec > 4)
		return refuse(err, "vec", "vec must be 1, 2 or 4");
	if (c->tile_n % c->vec && !c->b.along_k && c->wg.split == 1)
		return refuse(
		        err, "vec", "vec must divide tile_n, or b lie along k, or k be split");
	if (c->k_step % c->unroll)
		return refuse(err, "unroll", "unroll must divide k_step");
	if (!staged && c->unroll != c->k_step)
		return refuse(err, "unroll", "without staging, unroll equals k_step");
	if (c->wg.split > 1 && (staged || !power_of_two(c->wg.split)))
		return refuse(err, "split_k", "split_k is a power of two and excludes staging");
	if (c->a.staged != c->b.staged && (c->dynamic_k || c->k % c->k_step))
		return refuse(err, "k_step", "staging one operand alone needs k_step to divide k");
	if (c->subgroup && (c->wg.x > 1 || c->wg.y > 1 || c->wg.split < 2))
		return refuse(err, "subgroup", "a subgroup sum needs wg_x=1, wg_y=1 and a split_k");
	return 0;
}

static int check_quad(
        const struct contraction *c, const struct schedule *schedule, struct error *err)
{
	if (!schedule->axis[AXIS_CONTRACTION_QUAD])
		return 0;
	if (c->wg.x != CONTRACTION_QUAD_SIZE || c->wg.y > 1 || c->wg.split > 1 || c->a.staged ||
	        c->b.staged)
		return refuse(
		        err, "quad", "a quad is a workgroup: wg_x=4, nothing staged, k not split");
	if (c->tile_m % CONTRACTION_QUAD_SIZE || !c->a.along_k)
		return refuse(err, "quad",
		        "a quad swaps rows by fours: a lies along k, 4 divides tile_m");
	return 0;
}

static int check_ahead(const struct contraction *c, struct error *err)
{
	if (!c->ahead)
		return 0;
	if (!c->a.staged && !c->b.staged)
		return refuse(err, "ahead", "ahead is of what is staged");
	if (contraction_copies(c, &c->a) > CONTRACTION_COPIES_MAX ||
	        contraction_copies(c, &c->b) > CONTRACTION_COPIES_MAX)
		return refuse(err, "ahead", "an invocation holds at most 16 loads of a tile ahead");
	return 0;
}

static int check_nbits(const struct contraction *c, struct error *err)
{
	if (!c->nbits)
		return 0;
	if (c->k_step % 8 || c->unroll % (c->b.staged ? 4 : 8))
		return refuse(err, "k_step",
		        "b in 4 bits is read in words: k_step is a multiple of 8, unroll too, or "
		        "of 4 where b is staged");
	if (!c->b.staged && c->scale_step % c->unroll && c->unroll % c->scale_step)
		return refuse(
		        err, "unroll", "unroll must divide the block, or be a multiple of it");
	return 0;
}

static int check_types(const struct op *op, const struct schedule *schedule, struct error *err)
{
	if (schedule->axis[AXIS_CONTRACTION_SLABS] > 1)
		return refuse(err, "slabs", "slabs say nothing without cooperative matrices");
	if (schedule->axis[AXIS_F16] && !contraction_has_half(op))
		return refuse(err, "f16", "f16 says nothing where no tensor is f16");
	if (schedule->axis[AXIS_DOT4] && !contraction_may_dot4(op))
		return refuse(err, "dot4",
		        "packed dot products need a and b of i8 along k, and a k that 4 divides");
	return 0;
}

/* The least that n may be at run time. */
static uint32_t least_n(const struct contraction *c, const struct op *op)
{
	int number = op_dynamic_at(op, contraction_fields(op)->n);

	return number < 0 ? c->out.pitch : op->dynamic[number].low;
}

static int check_out(const struct contraction *c, const struct op *op, struct error *err)
{
	if (c->out.pairs && (c->lanes < 2 || c->out.width < 2))
		return refuse(err, "shader-f16",
		        "without f16=1, f16 is written in pairs: tile_n is even, vec 2 or 4");
	if (c->form != CONTRACTION_FLAT)
		return 0;
	if (c->tile_m != 1 || c->wg.y != 1 || c->tile_n % 2 || c->a.staged || c->b.staged)
		return refuse(err, "shader-f16",
		        "without f16=1, odd rows of f16 are written in pairs that run on: "
		        "tile_m=1, "
		        "wg_y=1, tile_n even, nothing staged");
	if (c->tile_n > least_n(c, op) + 1 && c->tile_n > 2)
		return refuse(err, "tile_n", "pairs that run on must not span three rows");
	return 0;
}

int contraction_check(const struct contraction *c, const struct op *op,
        const struct schedule *schedule, struct error *err)
{
	if (schedule->axis[AXIS_CONTRACTION_MATRIX])
		return contraction_matrix_check(c, op, schedule, err);
	int r = check_sizes(c, err);

	r = r ? r : check_steps(c, err);
	r = r ? r : check_quad(c, schedule, err);
	r = r ? r : check_ahead(c, err);
	r = r ? r : check_nbits(c, err);
	r = r ? r : check_types(op, schedule, err);
	return r ? r : check_out(c, op, err);
}
