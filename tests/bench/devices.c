/* SPDX-License-Identifier: Apache-2.0
 *
 * Opening each device for benchmarks, and choosing what to run there. No watchdog is started: a
 * driver that hangs hangs the benchmark.
 */
#include "tests/bench/devices.h"

#include "base/cleanup.h"
#include "reference/reference.h"
#include "space/space.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FAMILIES (FAMILY_ATTENTION + 1)

void devices_must(int answer, const struct error *err)
{
	if (!answer)
		return;
	fprintf(stderr, "%s\n", err->text);
	exit(1);
}

void devices_key(const struct device *device, char ret_key[static 32])
{
	const char *name = device->adapter->name;
	size_t i = 0;

	for (; i < 31 && isalnum((unsigned char)name[i]); i++)
		ret_key[i] = (char)tolower((unsigned char)name[i]);
	ret_key[i] = '\0';
}

/* ---- Visiting. */

static void visit(const struct devices_visitor *visitor, const struct adapter *adapter)
{
	struct builder *builder;
	struct device *device;
	struct error err;

	devices_must(device_open(adapter, PROFILE_WEB, &device, &err), &err);
	devices_must(builder_create(device, &builder, &err), &err);
	visitor->visit(builder, visitor->data);
	builder_destroy(builder);
	device_close(device);
}

uint32_t devices_visit(const struct devices_visitor *visitor)
{
	struct adapters adapters;
	struct error err;
	uint32_t visited = 0;

	/* As nnjit-gpu's main does: what is compiled is what a first visit compiles. */
	setenv("MESA_SHADER_CACHE_DISABLE", "true", 0);
	setenv("MESA_GLSL_CACHE_DISABLE", "true", 0);
	setenv("__GL_SHADER_DISK_CACHE", "0", 0);
	devices_must(adapters_find(&adapters, &err), &err);
	for (uint32_t i = 0; i < adapters.count; i++) {
		if (!strstr(adapters.all[i]->name, visitor->name))
			continue;
		visit(visitor, adapters.all[i]);
		visited++;
	}
	adapters_free(&adapters);
	return visited;
}

/* ---- Choosing. */

static double steps_at(const struct op *op, const uint32_t dims[OP_DYNAMIC_MAX])
{
	struct op at = op_at(op, dims);
	struct tensor tensors[OP_TENSORS_MAX];
	uint32_t count = op_tensors(&at, tensors);

	return reference_steps(&at) * (double)tensors[count - 1].elements;
}

/* A dynamic operator is verified over all of its range. */
static bool is_fit(const struct catalogue_kernel *kernel, const struct limits *limits)
{
	const struct op *op = &kernel->op;
	uint32_t least[OP_DYNAMIC_MAX] = {0}, most[OP_DYNAMIC_MAX] = {0};
	struct error why;

	for (uint32_t i = 0; i < op->dynamic_count; i++) {
		op_range(op, i, &least[i], &most[i]);
		least[i] = op->value[op->dynamic[i].value];
	}
	return steps_at(op, least) >= DEVICES_STEPS_LEAST &&
	       steps_at(op, most) <= DEVICES_STEPS_MOST &&
	       !space_check(op, &kernel->schedule, limits, &why);
}

/* The family's fitting kernels, evenly spread. */
static size_t sample_family(const struct catalogue *c, const struct limits *limits, uint32_t family,
        size_t wanted, size_t ret_indices[])
{
	AUTO(free_pointer) size_t *fit = calloc(c->kernel_count, sizeof *fit);
	size_t count = 0;

	if (!fit)
		abort();
	for (size_t i = 0; i < c->kernel_count; i++)
		if (op_family(c->kernels[i].op.kind) == family && is_fit(&c->kernels[i], limits))
			fit[count++] = i;
	if (wanted > count)
		wanted = count;
	for (size_t i = 0; i < wanted; i++)
		ret_indices[i] = fit[(2 * i + 1) * count / (2 * wanted)];
	return wanted;
}

size_t devices_sample(const struct catalogue *catalogue, const struct device *device, size_t wanted,
        size_t ret_indices[])
{
	size_t count = 0;

	for (uint32_t family = 0; family < FAMILIES; family++)
		count += sample_family(catalogue, &device->adapter->limits, family,
		        (wanted * (family + 1)) / FAMILIES - (wanted * family) / FAMILIES,
		        ret_indices + count);
	return count;
}
