/* SPDX-License-Identifier: Apache-2.0
 *
 * A GPU worker of the lab's own: nnjit-gpu, asked one thing at a time over
 * protocol/wire/wire.h. No daemon takes part.
 */
#pragma once

#include "protocol/wire/message.h"
#include "protocol/wire/wire.h"

#include <sys/types.h>

#define GPU_WHY_BYTES 200

struct gpu { /* zeroed: no process */
	pid_t pid;
	int fd;
	struct wire wire;
};

enum gpu_answer {
	GPU_OK,
	GPU_REFUSED, /* the worker goes on */
	GPU_LOST,    /* the worker is gone, or was silent for too long and has been ended */
};

/* 0 or -errno. */
int gpu_start(struct gpu *gpu);
void gpu_stop(struct gpu *gpu); /* does nothing where there is no process */

/* Asks; `request` is taken over. *ret_ok is a new reference to what the answer holds; where it is
 * not GPU_OK, `why` says why. */
enum gpu_answer gpu_ask(struct gpu *gpu, json_t *request, uint32_t patience_s, json_t **ret_ok,
        char why[static GPU_WHY_BYTES]);
