/* SPDX-License-Identifier: Apache-2.0
 *
 * One operator on one device, to be measured in whatever schedules one likes: all that an
 * experiment does to a GPU. Schedules are built into numbered slots; those that are right can be
 * timed side by side. A worker that dies is started again with everything but the slots as it was.
 */
#pragma once

#include "tools/lab/gpu.h"

#include "device/limits.h"
#include "op/op.h"
#include "schedule/schedule.h"

#define LAB_SLOTS 192

enum { LAB_DONE = 0, LAB_FAILED = 1, LAB_USAGE = 2 }; /* exit codes */

struct lab_options {          /* NULL: the default */
	const char *device;   /* an id, or a part of a name; the best device of all */
	const char *features; /* what the code may use: a list, all or none; none */
	const char *profile;  /* web or native: how the device is opened, and what is built; web */
};

struct lab {
	struct gpu gpu;
	uint32_t deaths; /* of workers, so far */
	bool broken;     /* no worker could be had any more; `why` says why */
	char why[GPU_WHY_BYTES];
	enum wire_profile profile;
	uint64_t id;               /* the device's */
	char device[17], name[64]; /* its id as text, and its name */
	struct limits limits;      /* for pages, with the features asked for */
	struct facts facts;
	struct op op; /* the one loaded */
	char op_text[OP_TEXT_BYTES];
	bool holds[LAB_SLOTS], twins[LAB_SLOTS];
	struct schedule held[LAB_SLOTS];
	double pilot_ns[LAB_SLOTS]; /* a first rough time of what is held */
};

/* Starts a worker, opens the device that is meant and probes it. `options` stays the caller's and
 * must outlive the lab. Failures are printed; an exit code. */
int lab_open(const struct lab_options *options, struct lab *ret_lab);
void lab_close(struct lab *lab);
/* Takes on another operator; the slots are empty then. Failures are printed; an exit code. */
int lab_load(struct lab *lab, const char *op_text);

/* Builds and verifies a schedule, unless the slot holds it already. False: it is not right, is
 * refused, or was the end of a worker; `why` says so. */
bool lab_build(struct lab *lab, uint32_t slot, const struct schedule *schedule,
        char why[static GPU_WHY_BYTES]);
/* On a processor: builds what the slot holds once more, so that lab_time takes the better of both
 * (where code happens to lie matters there). False as lab_build. */
bool lab_twin(struct lab *lab, uint32_t slot, char why[static GPU_WHY_BYTES]);

/* Times the kernels in `slots` in interleaved rounds: ret_ns has `samples` for each, one slot after
 * the other. Returns how many rounds were done (fewer, if they are long); 0: it failed, and
 * whoever wants to know whose fault it was times them alone. */
uint32_t lab_time(
        struct lab *lab, const uint32_t slots[], uint32_t count, uint32_t samples, double *ret_ns);
/* One time for these samples, which it sorts: what an eighth of them does not exceed. Samples err
 * towards too long, and on a processor that others use as well by much. */
double lab_typical(double samples_ns[], uint32_t count);
