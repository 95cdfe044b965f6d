/* SPDX-License-Identifier: Apache-2.0
 *
 * One builder for a test of the IR: begun before it, finished and checked when asked.
 */
#pragma once

#include "base/error.h"
#include "ir/ir.h"

#include <check.h>

#define U32 IR_TYPE(IR_U32, 1)
#define F32 IR_TYPE(IR_F32, 1)

static struct ir_builder *b;

static inline void setup(void)
{
	ck_assert_int_eq(ir_builder_create(&b), 0);
	ir_begin(b, (const uint32_t[3]){4, 1, 1});
}

static inline void teardown(void)
{
	ir_builder_destroy(b);
}

static inline const struct ir_module *finish(void)
{
	const struct ir_module *module;
	struct error err = {0};

	ck_assert_int_eq(ir_finish(b, &module), 0);
	ck_assert_msg(ir_check(module, &err) == 0, "%s", err.text);
	return module;
}

static inline ir_id compute(enum ir_op op, ir_id x, ir_id y)
{
	return ir_compute(b, op, x, y, 0);
}
