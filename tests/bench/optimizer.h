/* SPDX-License-Identifier: Apache-2.0
 *
 * spirv-opt's passes as a function in C, for the benchmark that says what they would bring: the
 * library speaks C++ only. optimizer_none.c stands in where it is not installed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum optimizer_recipe {
	OPTIMIZER_CSE,  /* local, then global redundancy elimination, then aggressive dead code */
	OPTIMIZER_SIZE, /* spirv-opt -Os */
	OPTIMIZER_SPEED /* spirv-opt -O */
};

bool optimizer_is_installed(void);
/* SPIR-V 1.3 to the same; *ret_words is the caller's to free. -EINVAL: a pass failed. -ENOMEM. */
int optimizer_run(enum optimizer_recipe recipe, const uint32_t *words, size_t count,
        uint32_t **ret_words, size_t *ret_count);

#ifdef __cplusplus
}
#endif
