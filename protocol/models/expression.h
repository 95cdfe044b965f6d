/* SPDX-License-Identifier: Apache-2.0
 *
 * Whole numbers computed from names, as manifests write their shapes: numbers, names, + - * / and
 * parentheses. Nothing wraps, goes below zero or is rounded: what would is refused.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;

struct expression_name {
	const char *name;
	uint64_t value;
	bool dynamic; /* not known until run time: `value` is a hint */
};
struct expression_names {
	const struct expression_name *names;
	uint32_t count;
};

/* Evaluates the first `length` bytes of text. *ret_dynamic: whether a dynamic name is in it. 0; or
 * -EINVAL with err saying what is wrong in which expression. */
int expression_value(const char *text, size_t length, const struct expression_names *names,
        uint64_t *ret_value, bool *ret_dynamic, struct error *err);
