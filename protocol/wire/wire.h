/* SPDX-License-Identifier: Apache-2.0
 *
 * Between nnjitd and its worker nnjit-gpu: newline-delimited JSON over a stream socket pair (the
 * worker's descriptor 3). The daemon asks {"do":NAME,...}, the worker answers one object to each,
 * in order, {"ok":{...}} or {"error":{"code":CODE,"text":SENTENCE}}. The worker generates its
 * kernels itself from (op, schedule): no code crosses.
 *
 *   list                                   {"devices":[DEVICE,...]} without facts
 *   open   device, profile "web"|"native"  DEVICE; profile web creates it as Dawn does
 *                                          (robustBufferAccess on)
 *   probe                                  {"facts":{the rows of facts.def, "caches":[{"bytes",
 *                                          "gbps"},...],"cpu":bool,"version":N}}; 0 is unknown
 *   load   op, seed                        {"share"}: 1, or the part of the operator that there
 *                                          is memory for: that is built, verified and timed, and
 *                                          times are for the whole all the same. Buffers, random
 *                                          inputs, sampled reference elements, at every point that
 *                                          a dynamic operator is tried at
 *   prepare candidate, schedule            {} at once: the pipeline is made meanwhile, and waits
 *                                          for the build of this candidate and schedule, which
 *                                          says what came of it; one candidate at a time
 *   build  candidate, schedule, twin       {"right":bool,"why":TEXT,"generate_ns","pipeline_ns",
 *                                          "first_ns","code_bytes","max_rel_err","checked",
 *                                          "pilot_ns"}: pipeline made, run on poisoned outputs,
 *                                          verified; stays loaded if right. twin true: once more
 *                                          beside the one that is loaded; `time` takes the better
 *   time   candidates [N,...], samples     {"samples_ns":{"N":[...]},"clock":"timestamp"|"wall"}:
 *                                          interleaved rounds, no submission over about 50 ms;
 *                                          of a dynamic operator the mean over op_points
 *   drop   candidates [N,...]              {}
 *   unload                                 {}: frees the op's buffers and pipelines
 * Error codes: bad-request, no-device, out-of-memory, device-lost, driver (the sentence says what
 * the driver answered; for `build`, the candidate is refused).
 *
 * DEVICE: {"id":HEX16,"name","kind":"discrete"|"integrated"|"virtual"|"cpu"|"other","api":"vulkan",
 *   "api_version":"1.3.0","vendor_id":N,"device_id":N,
 *   "driver":{"id":HEX16,"name","version","info"},
 *   "limits":{fields of struct limits},"features":[names of features.def],"timestamps":bool,
 *   "facts":{...}|null}
 * HEX16: 16 hexadecimal digits. A device's id survives driver updates; driver.id does not.
 */
#pragma once

#include "device/limits.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define WIRE_FD 3

/* A line-framed reader over a socket; zero-initialise, wire_free at the end. */
struct wire {
	char *data;
	size_t length, capacity;
};
void wire_free(struct wire *wire);
/* Writes the object and a newline. -EPIPE, -EIO, -ENOMEM. */
int wire_send(int fd, const json_t *message);
/* Reads what is there. 0 with a message (new reference); -EAGAIN when no whole line is there yet
 * (non-blocking descriptors only); -EPIPE at the end; -EBADMSG for what is no JSON object. */
int wire_receive(struct wire *wire, int fd, json_t **ret_message);

/* Limits, features and facts as JSON objects and back; unknown members are ignored, missing 0. */
json_t *wire_limits_json(const struct limits *limits);
void wire_limits_parse(const json_t *object, const json_t *features, struct limits *ret_limits);
json_t *wire_features_json(uint32_t features);
uint32_t wire_feature_parse(const char *name); /* its bit; 0 for what no kernel uses, and NULL */
uint32_t wire_features_parse(const json_t *array);
json_t *wire_facts_json(const struct facts *facts);
void wire_facts_parse(const json_t *object, struct facts *ret_facts);
json_t *wire_hex(uint64_t id);               /* HEX16 */
uint64_t wire_hex_parse(const json_t *text); /* 0 if it is none */
