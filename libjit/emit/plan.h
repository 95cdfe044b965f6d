/* SPDX-License-Identifier: Apache-2.0
 *
 * Which values of a module stand inline in the expression that uses them and which have a name: as
 * the text targets are written, and so, since Tint evaluates an expression where it stands, in
 * which order the web computes.
 */
#pragma once

#include "ir/ir.h"

struct emit_plan {
	ir_id user;    /* the last instruction that uses the value */
	ir_id root;    /* the statement it is written in, if inline; else itself */
	uint32_t name; /* the number in its name, if it has one: counted as they come */
	uint8_t depth; /* of the expression inline below it */
	bool is_inline;
};

/* Of every instruction; the caller frees it. for_web: loops count rounds (bounds.h). NULL: no
 * memory. */
struct emit_plan *emit_plan(const struct ir_module *module, bool for_web);
