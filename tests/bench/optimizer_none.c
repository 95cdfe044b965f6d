/* SPDX-License-Identifier: Apache-2.0
 *
 * In the place of optimizer.cc where spirv-opt's library, or a C++ compiler, is not installed.
 */
#include "tests/bench/optimizer.h"

#include <errno.h>

bool optimizer_is_installed(void)
{
	return false;
}

int optimizer_run(enum optimizer_recipe recipe, const uint32_t *words, size_t count,
        uint32_t **ret_words, size_t *ret_count)
{
	(void)recipe, (void)words, (void)count, (void)ret_words, (void)ret_count;
	return -ENOTSUP;
}
