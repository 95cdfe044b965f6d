/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernel artifact: the contract with every client, as JSON text. Generates the code from the
 * operator and the schedule; everything else is what the caller knows of the kernel. Times of a
 * dynamic operator are means over the points at which it is tuned. Needs libjit alone, so that a
 * page can make artifacts of its own.
 */
#pragma once

#include "base/buffer.h"
#include "device/limits.h"
#include "protocol/artifact/target.h"

enum artifact_status {
	ARTIFACT_PREDICTED, /* answered at once, not yet measured here */
	ARTIFACT_TUNING,
	ARTIFACT_TUNED,
	ARTIFACT_STALE, /* measured under another driver version */
	ARTIFACT_NAIVE, /* every schedule failed on the device; the plainest, not verified */
};
const char *artifact_status_name(enum artifact_status status);
/* -EINVAL for what is no status. */
int artifact_status_parse(const char *text, enum artifact_status *ret_status);

struct artifact {
	struct op op;
	struct schedule schedule;
	enum target target;
	uint64_t device;    /* id */
	struct facts facts; /* the device's; zeros give roofline 0 */
	enum artifact_status status;
	uint32_t measured, of;                 /* candidates */
	double predicted_ns;                   /* shown while predicted */
	double median_ns, mad_ns, baseline_ns; /* 0: not measured */
	uint32_t samples;
	bool wall_clock;      /* timed by the host's clock, over longer batches */
	double pipeline_ns;   /* what the driver took to compile it; 0: not known */
	uint64_t spirv_bytes; /* of what it compiled; 0: not known */
	double max_rel_err;
	uint32_t checked; /* output elements compared with the reference; 0: not verified */
	/* What each dynamic dimension may be; 0: as op_range says. */
	uint32_t most[OP_DYNAMIC_MAX];
	double share; /* of the operator that was tried; not told unless within (0, 1) */
	bool settled; /* by reports of the page's origin, among near-ties */
};
/* A step of an operator that takes several (struct op_way). */
struct artifact_step {
	uint32_t kernel; /* index */
	uint32_t repeat;
	bool once;
	struct op_place places[OP_TENSORS_MAX]; /* of each of the kernel's tensors */
};
struct artifact_steps {
	const struct artifact *whole; /* op, target, device and status; nothing else is looked at */
	const struct artifact *kernels; /* the different ones */
	uint32_t kernel_count;
	const struct artifact_step *steps; /* in the order in which they are dispatched */
	uint32_t step_count;
	uint64_t scratch_bytes;
};

/* Real numbers of JSON have so many significant digits: enough for people, or every bit. */
#define ARTIFACT_DIGITS     12
#define ARTIFACT_ALL_DIGITS 17
/* Appends the artifact as compact JSON. 0, -ENOMEM, or -EINVAL for a schedule that does not fit the
 * operator; what was appended until then is of no use. */
int artifact_write(
        struct nnjit *nnjit, const struct artifact *artifact, int digits, struct buffer *text);
int artifact_steps_write(
        struct nnjit *nnjit, const struct artifact_steps *all, int digits, struct buffer *text);

/* Operations a second at this time, in GFLOP/s, and the part of what the device could attain by
 * its facts, arithmetic or memory, whichever takes longer (Williams et al., Roofline, CACM 2009); 0
 * where unknown, and at most 1: what stays in a cache may beat the bound of memory. */
double artifact_gflops(const struct op *op, double median_ns);
double artifact_roofline(const struct op *op, const struct facts *facts, double median_ns);
