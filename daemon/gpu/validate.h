/* SPDX-License-Identifier: Apache-2.0
 *
 * SPIRV-Tools' word on a kernel before a driver sees it: drivers may do anything with invalid
 * words.
 */
#pragma once

#include "base/error.h"

#include <stddef.h>

struct validator;
int validator_create(struct validator **ret_validator); /* -ENOMEM */
void validator_destroy(struct validator *validator);    /* NULL is fine */
/* 0 for valid words for Vulkan 1.1; -EINVAL and err says what is wrong with them. */
int validator_check(
        struct validator *validator, const void *words, size_t bytes, struct error *err);
