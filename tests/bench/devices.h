/* SPDX-License-Identifier: Apache-2.0
 *
 * The devices that are here, for benchmarks that run kernels of the catalogue on them by the
 * worker's own parts (daemon/gpu), as a page would: robust buffer access on, no shader caches.
 */
#pragma once

#include "daemon/gpu/builder.h"
#include "tests/bench/catalogue.h"

/* Calls `visit` for every device whose name contains `name` ("": all). The builder's workload is
 * NULL: workload_load and workload_free are the visitor's. Returns how many were visited; ends the
 * program, with a sentence, where the drivers cannot be asked. */
struct devices_visitor {
	const char *name;
	void (*visit)(struct builder *builder, void *data);
	void *data;
};
uint32_t devices_visit(const struct devices_visitor *visitor);
/* The first word of the device's name in small letters: "llvmpipe", "swiftshader", "nvidia". */
void devices_key(const struct device *device, char ret_key[static 32]);
/* Ends the program, with a sentence, on an answer that is not 0. */
void devices_must(int answer, const struct error *err);

/* Chooses up to `wanted` kernels that are legal on the device and neither launch overhead alone nor
 * long there, as many of each family as there are; ret_indices says which of the catalogue's. */
#define DEVICES_STEPS_LEAST 1e6 /* multiply-adds or the like, of a launch */
#define DEVICES_STEPS_MOST  2e7
size_t devices_sample(const struct catalogue *catalogue, const struct device *device, size_t wanted,
        size_t ret_indices[]);
