/* SPDX-License-Identifier: Apache-2.0
 *
 * Kernels with inputs of one's own on the devices that are here, by the worker's own parts.
 * Whatever does not go as it should fails the test.
 */
#pragma once

#include "daemon/gpu/builder.h"
#include "space/space.h"

extern struct adapters runner_adapters;

/* Called before any test runs: 0, or the status that the program should end with, having said why.
 */
int runner_find_devices(void);

/* An operator on a device: its tensors in host memory, the output last. */
struct runner {
	struct device *device;
	struct builder *builder;
	struct op op;
	struct tensor tensors[OP_TENSORS_MAX];
	void *data[OP_TENSORS_MAX];
	uint32_t count;
};

void runner_open(struct runner *runner, int adapter);
void runner_close(struct runner *runner);

/* A static operator; data is zeros, until runner_send has sent what is there by then. */
void runner_load(struct runner *runner, const struct op *op);
void runner_send(struct runner *runner);
void runner_unload(struct runner *runner);
/* Every schedule that makes sense on the device, by predicted time. */
void runner_space(struct runner *runner, struct space *ret_space);
/* Runs the kernel over a poisoned output, which is then in data. */
void runner_launch(struct runner *runner, const struct schedule *schedule);
