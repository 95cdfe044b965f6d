/* SPDX-License-Identifier: Apache-2.0
 *
 * What Tint can prove of the numbers that index arrays, in the WGSL as text/wgsl.c writes it. An
 * index it cannot prove to be within its array costs a clamp at every access, a loop it cannot
 * prove finite a counter of 64 bits; both emitters that speak for the web ask here, so that WGSL is
 * written for the proofs and SPIR-V has the guards that are left.
 */
#pragma once

#include "ir/ir.h"

struct emit_bound {
	uint32_t least, most; /* of a u32; 0 and UINT32_MAX: nothing is proved */
	bool is_index;        /* an array's index is made of it */
};

/* Of every instruction; the caller frees it. NULL: no memory. */
struct emit_bound *emit_bounds(const struct ir_module *module);

/* How a loop counts in WGSL: from a constant by 1 up to a constant, which is all that Tint proves.
 */
struct emit_rounds {
	uint32_t first; /* what is counted from: 0, or where the value itself counts so its first */
	uint32_t most;  /* rounds, UINT32_MAX: no constant; `to` may be reached before, unless exact
	                 */
	bool plain;     /* the value itself counts so: from a constant by 1 */
	bool exact;     /* every invocation does `most` rounds */
};
struct emit_rounds emit_rounds(const struct ir_module *module, const struct emit_bound *bounds,
        const struct ir_inst *loop);

/* Whether `mask` is an AND with a constant that Tint does not see through: it is told by min(). */
bool emit_is_mask(const struct ir_module *module, const struct emit_bound *bounds, ir_id id,
        uint32_t *ret_mask);
