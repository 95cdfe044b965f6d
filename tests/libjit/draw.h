/* SPDX-License-Identifier: Apache-2.0
 *
 * Kernels at random: an operator of op.def, the device it is for and the dimensions it runs with.
 * Everything follows from the seed and the case's number. What is drawn is valid, small enough to
 * be computed in full, and such that the exact result decides: nowhere does a rounding error choose
 * between two answers that lie apart.
 */
#pragma once

#include "nnjit.h"
#include "space/space.h"

struct draw {
	uint64_t state;
};

struct draw draw_begin(uint64_t seed, uint64_t number);
uint64_t draw_bits(struct draw *d);
uint32_t draw_below(struct draw *d, uint32_t count); /* 0 to count - 1 */
bool draw_one_in(struct draw *d, uint32_t count);
/* 1 to most, of all magnitudes; aligned, prime, odd and 1 more often than chance would. */
uint32_t draw_size(struct draw *d, uint32_t most);

/* A valid operator, static or with dynamic dimensions. Families are weighed, operators within one
 * are not. */
void draw_op(struct draw *d, struct op *ret_op);
/* Dimensions within op_range, at its ends and in between, for which draw_suits; false: found none.
 * A static operator has none to find. */
bool draw_dims(struct draw *d, const struct op *op, uint32_t ret_dims[static OP_DYNAMIC_MAX]);
/* Of a static operator: it can be computed in full, and the exact result decides. */
bool draw_suits(const struct op *op);

/* Limits from those of the smallest devices to those of large GPUs, every set of features. */
struct draw_device {
	struct limits limits;
	struct facts facts;
	uint32_t subgroup; /* invocations in each, of those it allows */
};
void draw_device(struct draw *d, struct draw_device *ret_device);
/* What lavapipe and SwiftShader can run, in a page too: the limits every page has, subgroups of
 * SwiftShader's four, no f16. */
void draw_device_at_hand(struct draw *d, struct draw_device *ret_device);
/* A schedule of the space or, one time in four, one that is a few values away from it and legal
 * too: what a store may hold. False: none takes few enough interpreter steps. */
bool draw_schedule(struct draw *d, const struct op *op, const struct limits *limits,
        const struct space *space, const uint32_t dims[static OP_DYNAMIC_MAX],
        struct schedule *ret_schedule);

/* ---- Among the files of draw_*.c. */
/* Makes fields that were drawn one by one fit each other (draw_settle.c). What remains wrong is
 * found by op_validate, and drawn anew. */
void draw_settle(struct draw *d, struct op *op);
/* What the numbers before an operator's activations hardly ever pass, and how far off they may be,
 * relative to that. */
struct draw_numbers {
	double most, error;
};
struct draw_numbers draw_numbers_of(const struct op *op);
/* Up to three activations for those numbers (draw_steps.c), as an ACTS holds them. */
uint32_t draw_acts(struct draw *d, const struct op *op);
/* Whether the operator's activations keep its numbers in range, and their errors small. */
bool draw_acts_fit(const struct op *op);
/* The steps of a MAP, with alpha and beta; false: got stuck. */
bool draw_steps(struct draw *d, struct op *op);
