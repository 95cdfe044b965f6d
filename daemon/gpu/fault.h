/* SPDX-License-Identifier: Apache-2.0
 *
 * Faults planted for tests: NNJIT_TEST_FAULT names candidates that go wrong the way real drivers
 * do, as `hang:3` or `hang:3,crash:5`. Read here and nowhere else.
 */
#pragma once

#include "nnjit.h"

enum fault {
	FAULT_NONE,
	FAULT_HANG,  /* its kernel never ends */
	FAULT_CRASH, /* the process aborts at its launch */
	FAULT_LOST,  /* the driver says at its launch that the device is lost */
	FAULT_WRONG, /* one element of its output is changed before it is verified */
};

enum fault fault_of(uint32_t candidate);
/* SPIR-V of a kernel over these tensors that really never ends, and how often it is started.
 * -ENOMEM. */
int fault_endless_kernel(const struct tensor tensors[], uint32_t count, struct buffer *out);
void fault_endless_workgroups(uint32_t ret_workgroups[3]);
