/* SPDX-License-Identifier: Apache-2.0
 *
 * Scope-bound lifetime. `AUTO(buffer_free) struct buffer b = {0};` frees b when the scope ends;
 * `return TAKE(p);` hands a pointer over and leaves NULL for the destructor, which must accept it.
 * Invariant: a destructor named in AUTO takes a pointer to the variable.
 */
#pragma once

#include <stdlib.h>

#define AUTO(destructor) __attribute__((cleanup(destructor)))

static inline void *cleanup_take(void *slot)
{
	void **p = slot, *value = *p;
	*p = NULL;
	return value;
}
#define TAKE(pointer) ((__typeof__(pointer))cleanup_take(&(pointer)))

/* For AUTO on anything malloc returned. */
static inline void free_pointer(void *slot)
{
	free(*(void **)slot);
}
