/* SPDX-License-Identifier: Apache-2.0
 *
 * Faults planted for tests: NNJIT_TEST_FAULT names candidates that go wrong the way real drivers
 * do, as `hang:3`, `hang:3,crash:5` or `wrong:*`, and days on which a device does, as `slow:100`.
 * Read here and nowhere else.
 */
#pragma once

#include "daemon/gpu/api.h"
#include "nnjit.h"

enum fault {
	FAULT_NONE,
	FAULT_HANG,    /* its kernel never ends */
	FAULT_COMPILE, /* the process aborts while it is compiled */
	FAULT_CRASH,   /* the process aborts at its launch */
	FAULT_LOST,    /* the driver says at its launch that the device is lost */
	FAULT_WRONG,   /* one element of its output is changed before it is verified */
	/* Of the device, with a number: */
	FAULT_EVEN,    /* every kernel is said to take so many nanoseconds */
	FAULT_SLOW,    /* from that sample on everything takes twice as long */
	FAULT_BUSY,    /* every so many samples one takes four times as long */
	FAULT_JUMP,    /* from that sample on the timestamps are nonsense */
	FAULT_UNTIMED, /* there are no timestamps */
	FAULT_LAME,    /* first builds take so many times as long as twins */
	FAULT_MEMORY,  /* no allocation of more than so many bytes succeeds */
	FAULT_AHEAD,   /* processors, too, compile ahead while they time */
	FAULT_ASLEEP,  /* after a tenth of a second without work, so many runs take five times as
	                  long */
};

enum fault fault_of(uint32_t candidate);
/* Whether such a fault of the device is planted, and its number. */
bool fault_planted(enum fault fault, uint64_t *ret_number);
/* Code of a kernel over these tensors that really never ends, as the API wants it, and how often it
 * is started. -ENOMEM. */
int fault_endless_kernel(const struct gpu_api *api, const struct tensor tensors[], uint32_t count,
        struct buffer *out);
void fault_endless_workgroups(uint32_t ret_workgroups[3]);
