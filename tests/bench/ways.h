/* SPDX-License-Identifier: Apache-2.0
 *
 * Ways from (operator, schedule) to SPIR-V: the one that ships, the same with one thing that it
 * does left out, and with what others do added.
 */
#pragma once

#include "nnjit.h"
#include "tests/bench/catalogue.h"

struct way {
	const char *key; /* in the line of figures */
	const char *name;
	uint32_t left_out; /* enum ir_leave_out of the builder */
	enum way_path { WAY_EMIT, WAY_OPTIMIZE, WAY_GLSL } path;
	int level; /* enum optimizer_recipe or enum glsl_level */
};

#define WAY_COUNT 14
extern const struct way ways[WAY_COUNT]; /* the first is the one that ships */
bool way_is_installed(const struct way *way);

struct maker; /* memory and compilers, kept from one kernel to the next */
int maker_create(struct maker **ret_maker); /* -ENOMEM */
void maker_destroy(struct maker *maker);    /* NULL is fine */
/* The kernel's SPIR-V, in the maker's memory until its next call. 0, or what refused it. */
int maker_make(struct maker *maker, const struct way *way, const struct catalogue_kernel *kernel,
        const struct buffer **ret_words);
/* The same as WGSL, for ways that emit only. */
int maker_text(struct maker *maker, const struct way *way, const struct catalogue_kernel *kernel,
        const struct buffer **ret_text);
