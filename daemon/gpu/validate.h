/* SPDX-License-Identifier: Apache-2.0
 *
 * SPIRV-Tools' word on a kernel before a driver sees it: drivers may do anything with invalid
 * words.
 */
#pragma once

#include "base/error.h"

#include <stddef.h>

struct validator;
/* environment: struct gpu_api's spirv_environment. *ret_validator is NULL where that is. -ENOMEM.
 */
int validator_create(const char *environment, struct validator **ret_validator);
void validator_destroy(struct validator *validator); /* NULL is fine */
/* 0 for words that are valid in the environment, and whatever they are for a NULL validator;
 * -EINVAL and err says what is wrong with them. */
int validator_check(
        struct validator *validator, const void *words, size_t bytes, struct error *err);
