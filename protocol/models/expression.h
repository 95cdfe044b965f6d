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

struct expression_value {
	uint64_t number;
	bool dynamic; /* a dynamic name is in the expression */
};
/* Evaluates the first `length` bytes of text. 0; or -EINVAL with err saying what is wrong in which
 * expression. */
int expression_evaluate(const char *text, size_t length, const struct expression_names *names,
        struct expression_value *ret_value, struct error *err);
