/* SPDX-License-Identifier: Apache-2.0
 *
 * An operand of cooperative matrices on its way into workgroup memory: lower_matrix.c's alone.
 */
#pragma once

#include "family/contraction/lower.h"

#define SLAB_COPIES_MAX 32

/* One vector that an invocation copies. */
struct slab_copy {
	ir_id origin, k;                     /* load index, and first k, within the first slab */
	ir_id slot;                          /* vector within a slab */
	uint32_t beyond_origin, beyond_slot; /* these constants further on */
	ir_id inside;                        /* whether there is such a copy; 0: always */
	ir_id held;                          /* variable */
};

struct slab {
	const struct contraction_operand *operand;
	const struct contraction_slab *layout;
	enum ir_scalar matrix;
	uint32_t binding, shared;
	ir_id outer; /* extent of the outer dimension */
	struct slab_copy copies[SLAB_COPIES_MAX];
};

void slab_bind(struct gemm *g, struct slab *slab); /* the next tensor; declares the array */
/* Where each copy comes from and goes to; the workgroup's block begins at `first`. */
void slab_position(struct gemm *g, struct slab *slab, ir_id first);
/* The slab at k into variables, with zeros beyond the last k; then into slab number `parity`. */
void slab_fetch(struct gemm *g, const struct slab *slab, ir_id k);
void slab_put(struct gemm *g, const struct slab *slab, ir_id parity);
/* A matrix of slab number `parity`, at outer element first + outer and k. */
struct slab_corner {
	ir_id parity, first;
	uint32_t outer, k;
};
ir_id slab_matrix(struct gemm *g, const struct slab *slab, const struct slab_corner *corner);
