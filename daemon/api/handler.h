/* SPDX-License-Identifier: Apache-2.0
 *
 * Within daemon/api: what handlers share. A handler reads the request's parameters (already
 * checked against methods.def), asks the tuner or the store, and answers with JSON or a problem.
 */
#pragma once

#include "daemon/api/api.h"

#include "daemon/store/store.h"
#include "daemon/tune/tune.h"

struct kernel_cache;
struct task;

struct api {
	struct tune *tune;
	struct store *store;
	struct nnjit *nnjit;
	struct kernel_cache *cache;
	const char *models_dir;
	char *text;         /* the artifact dumped last: what kernel_text lends */
	uint64_t started_s; /* Unix time */
	uint64_t changes;   /* of what this room keeps itself, for api_version */
	uint64_t calls;
	uint32_t peers;
};

struct api_peer {
	struct api *api;
	void (*push)(void *context, const json_t *message);
	void *context;
	char origin[STORE_ORIGIN_BYTES];
	uint64_t report_s; /* the second in which it last reported, and how often */
	uint32_t report_count;
	bool introduced;   /* a hello was heard: the page's adapter decides, not the best device */
	json_t *adapter;   /* as the page told it; NULL: it told none */
	uint64_t device;   /* matched to the adapter; 0: none yet */
	uint32_t features; /* enum feature bits that the page's device and its WGSL have */
	struct task *tasks;
	uint32_t task_count;
	uint32_t pushing; /* depth of peer_push: destruction waits */
	bool destroyed;
};

struct request {
	struct api *api;
	enum method method;
	const json_t *params;  /* NULL: none */
	struct api_peer *peer; /* NULL over REST */
	const json_t *id;      /* NULL over REST */
};
/* 0 with *ret_result (a new reference), or a problem_code with *ret_problem. */
typedef int handler(
        const struct request *request, json_t **ret_result, struct problem *ret_problem);

/* One for each row of methods.def: a method without its handler does not link. */
#define METHOD(id, function, ...) handler handle_##function;
#include "protocol/methods.def"

/* ---- What a request is about (want.c). */
struct want {
	struct kernel_id id;
	char op_text[OP_TEXT_BYTES];
	enum target target;
	double runs; /* how often the kernel will be run; 0: as often as can be */
};
/* The text of a parameter, or NULL. */
const char *request_text(const struct request *request, const char *name);
double request_number(const struct request *request, const char *name); /* 0 if it is not there */
bool request_bool(const struct request *request, const char *name);
int want_runs(const struct request *request, double *ret_runs, struct problem *ret_problem);
/* The device named, else the page's, else the best. */
int want_device(const struct request *request, const struct tune_device **ret_device,
        struct problem *ret_problem);
int want_read(const struct request *request, struct want *ret_want, struct problem *ret_problem);
/* As want_read with this operator in place of the parameter `op`. */
int want_read_op(const struct request *request, const json_t *op, struct want *ret_want,
        struct problem *ret_problem);
/* Matches the peer's adapter anew if it has none yet; the device, or NULL and the reason. */
const struct tune_device *peer_device(struct api_peer *peer, struct error *ret_reason);

/* ---- Kernels (kernel.c). */
enum artifact_status;
enum artifact_status kernel_status(enum tune_status status);
struct artifact kernel_artifact(const struct tune_kernel *kernel, enum target target);
int kernel_json(struct api *api, const struct tune_kernel *kernel, enum target target,
        json_t **ret_object, struct problem *ret_problem);
/* As kernel_json, with what `origin` itself measured settling near-ties: may change the kernel. */
int kernel_served(struct api *api, const char *origin, struct tune_kernel *kernel,
        enum target target, json_t **ret_object, struct problem *ret_problem);
/* tune_get, chosen for want->runs, with its refusals as problems. */
int kernel_get(struct api *api, const struct want *want, struct tune_kernel *ret_kernel,
        struct problem *ret_problem);
/* The artifact as JSON text, borrowed until the next call: from the cache where it is there. */
int kernel_text(const struct request *request, const char **ret_text, size_t *ret_length,
        struct problem *ret_problem);
/* What tune_get and tune_subscribe answer, as a problem; `field` names the parameter at fault. */
int tune_problem(
        int answer, const struct error *err, const char *field, struct problem *ret_problem);

/* ---- Subscriptions of a peer (watch.c). */
void tasks_end(struct api_peer *peer); /* all of them, silently */
/* Pushes and takes over the message; false when that made the peer go away. */
bool peer_push(struct api_peer *peer, json_t *message);

/* ---- Pages' own timings (settle.c). */
#define LEADERS_MAX 4
struct leaders {
	uint32_t count; /* > 0; the kernel itself first, then by their time */
	struct store_trial trials[LEADERS_MAX];
};
/* A tuned kernel and the schedules that our own trials put near it; of any other itself alone. */
void leaders_of(struct api *api, const struct tune_kernel *kernel, struct leaders *ret_leaders);
/* Puts a leader in the kernel's place; false where it is not legal here any more. */
bool leader_take(const struct store_trial *leader, struct tune_kernel *kernel);
/* How far a report can be believed, 0 to 1: little of few ticks of the page's clock. */
double report_weight(const struct store_report *report);
/* Puts the leader in the kernel's place that the origin's own reports prefer; false if that is the
 * kernel itself. `origin` NULL: nobody's. */
bool settle(struct api *api, const char *origin, struct tune_kernel *kernel);
/* NULL over REST, whose answers are for everybody. */
const char *request_origin(const struct request *request);
/* What this origin reported of a kernel. */
json_t *reports_json(const struct request *request, const struct want *want);
