/* SPDX-License-Identifier: Apache-2.0
 *
 * One computing instruction over many lanes; for values.c only.
 */
#pragma once

#include "ir/ir.h"

#include <stddef.h>

/* `count` lanes of 4 bytes: op over the operands' rows (as many as op has; the others may be any),
 * whose scalar is given. `to` is no operand. */
void eval_rows(enum ir_op op, enum ir_scalar scalar, uint32_t *to, const void *const rows[3],
        size_t count);

/* Each word's f32 becomes the nearest that is an f16, ties to even. */
void eval_round_half(uint32_t *words, size_t count);
