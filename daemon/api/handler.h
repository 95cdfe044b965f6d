/* SPDX-License-Identifier: Apache-2.0
 *
 * Within daemon/api: what handlers share. A handler reads the request's parameters (already
 * checked against methods.def), asks the tuner, the store or daemon/kernel, and answers with JSON
 * or a problem.
 */
#pragma once

#include "daemon/api/api.h"

#include "daemon/kernel/plan.h"
#include "daemon/store/store.h"
#include "daemon/tune/tune.h"
#include "protocol/metrics.h"

struct task;

struct api {
	struct tune *tune;
	struct store *store;
	struct plans *plans;
	struct metrics *metrics;
	const char *models_dir;
	struct origins *origins;
	bool isolate;
	uint16_t port;      /* 0: not known yet */
	uint64_t started_s; /* Unix time */
	uint64_t changes;   /* of what this room keeps itself, for api_version */
};

struct api_peer {
	struct api *api;
	struct caller caller;
	void (*push)(void *context, const json_t *message);
	void *context;
	uint64_t report_s; /* the second in which it last reported, and how often */
	uint32_t report_count;
	bool introduced;   /* a hello was heard: the page's adapter decides, not the best device */
	json_t *adapter;   /* as the page told it; NULL: it told none */
	uint64_t device;   /* matched to the adapter; 0: none yet */
	uint32_t features; /* enum feature bits that the page's device and its WGSL have */
	struct limits limits; /* of the page's device */
	struct task *tasks;
	uint32_t task_count;
	uint32_t pushing; /* depth of peer_push: destruction waits */
	bool destroyed;
};

struct request {
	struct api *api;
	enum method method;
	const json_t *params; /* NULL: none */
	const struct caller *caller;
	const json_t *id; /* NULL over REST */
};
/* 0 with *ret_result (a new reference), or a problem_code with *ret_problem. */
typedef int handler(
        const struct request *request, json_t **ret_result, struct problem *ret_problem);

/* One for each row of methods.def: a method without its handler does not link. */
#define METHOD(id, function, ...) handler handle_##function;
#include "protocol/methods.def"

/* ---- What a request asks for (want.c). */
/* The text of a parameter, or NULL. */
const char *request_text(const struct request *request, const char *name);
double request_number(const struct request *request, const char *name); /* 0 if it is not there */
bool request_bool(const struct request *request, const char *name);
int want_runs(const struct request *request, double *ret_runs, struct problem *ret_problem);
int want_read(
        const struct request *request, struct plan_params *ret_want, struct problem *ret_problem);
/* As want_read, but with the features of the stored kernel that serves: for what is stored of it.
 */
int want_read_stored(
        const struct request *request, struct plan_params *ret_want, struct problem *ret_problem);
/* All but the operator, once: nothing is done where want->id.device is set. */
int want_read_rest(
        const struct request *request, struct plan_params *want, struct problem *ret_problem);

/* ---- Devices (devices.c). */
/* The device of this name (NULL: none is named), else the page's, else the best. */
int device_asked(struct api_peer *peer, const struct tune *tune, const char *name,
        const struct tune_device **ret_device, struct problem *ret_problem);
/* By id; NULL if it is not known. */
const struct tune_device *device_with(const struct tune *tune, uint64_t id);

/* ---- Kernels (kernel.c). */
/* The method `get` as JSON text, lent until the next call. */
int kernel_text(const struct request *request, const char **ret_text, size_t *ret_length,
        struct problem *ret_problem);

/* ---- Who calls (api.c). */
bool caller_may(const struct caller *caller, enum method_caller what);
/* For kernel_id: the page's origin where origins are isolated, else 0. */
uint64_t request_audience(const struct request *request);

/* ---- Peers (api.c). */
/* Pushes and takes over the message; false when that made the peer go away. */
bool peer_push(struct api_peer *peer, json_t *message);

/* ---- What this origin reported of a kernel (report.c). */
json_t *reports_json(const struct request *request, const struct plan_params *want);
