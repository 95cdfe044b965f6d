/* SPDX-License-Identifier: Apache-2.0
 *
 * The HTTP face on libmicrohttpd, which only http*.c include. The gate checked a connection's
 * first request; later ones on the same connection come straight here, so every request goes
 * through the same rules again. A lasting answer is kept as a finished response: a request for it
 * touches no JSON. Must not know what a method does. Invariant: libmicrohttpd runs only from
 * http_turn, on the loop.
 */
#include "daemon/net/http.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "daemon/log.h"
#include "daemon/loop/loop.h"
#include "daemon/net/http_reply.h"
#include "daemon/net/lru.h"
#include "protocol/metrics.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define IDLE_S          60u /* a connection silent this long is closed */
#define REPLIES_ENTRIES 256u
#define REPLIES_BYTES   (32u << 20)
/* A head and what it is parsed into; cleared for each request, so no larger than that. */
#define POOL_BYTES (HEAD_BYTES + 4096)
#define TURNS      4

struct http {
	struct loop *loop;
	struct api *api;
	struct MHD_Daemon *mhd;
	struct loop_watch *watch;
	struct loop_timer *timer;
	bool timer_set;
	struct lru *replies;          /* of struct reply */
	struct http_request *waiting; /* suspended until the api is ready */
	struct buffer key;
	char *page_dir;
	struct head_rules rules;
	uint32_t connections_max;
	struct metrics *metrics;
};

/* ---- Methods. */

static void reply_release(void *value)
{
	reply_free(value);
}

struct query {
	struct http_request *request;
	json_t *params;
};

static enum MHD_Result take_param(void *context, enum MHD_ValueKind kind, const char *key,
        size_t key_bytes, const char *value, size_t value_bytes)
{
	struct query *into = context;
	struct problem *problem = &into->request->problem;

	(void)kind;
	json_t *text = json_stringn(value ? value : "", value ? value_bytes : 0);
	if (json_object_get(into->params, key))
		problem_set(problem, PROBLEM_DUPLICATE_FIELD, key,
		        "the query parameter '%.40s' is given twice; give it once", key);
	else if (!text || memchr(value ? value : "", 0, value ? value_bytes : 0))
		problem_set(problem, PROBLEM_BAD_VALUE, key,
		        "the query parameter '%.40s' is not text in UTF-8", key);
	else if (strlen(key) != key_bytes || json_object_set(into->params, key, text))
		problem_set(problem, PROBLEM_UNKNOWN_FIELD, "",
		        "a query parameter's name is not text in UTF-8");
	json_decref(text);
	return problem->code ? MHD_NO : MHD_YES;
}

/* NULL with request->problem set. */
static json_t *query_params(struct http_request *request)
{
	struct query into = {request, json_object()};

	MHD_get_connection_values_n(request->connection, MHD_GET_ARGUMENT_KIND, take_param, &into);
	if (!request->problem.code)
		return into.params;
	json_decref(into.params);
	return NULL;
}

/* Form, origin and address, in the face's own buffer; `failed` of that where memory is short. */
static struct lru_key make_key(struct http_request *request, enum answer_form form)
{
	struct http *http = request->http;

	buffer_clear(&http->key);
	buffer_putc(&http->key, (char)('0' + form));
	buffer_puts(&http->key, request->origin);
	buffer_putc(&http->key, '\n');
	buffer_append(&http->key, request->uri, request->uri_length);
	return (struct lru_key){api_version(http->api), http->key.data, http->key.length};
}

/* The key as it is now: the call may have moved the version. */
static void keep_reply(struct http *http, struct reply *reply, size_t bytes)
{
	const struct lru_key key = {api_version(http->api), http->key.data, http->key.length};

	lru_put(http->replies, &key, reply, bytes);
}

static enum MHD_Result send_method(
        struct http_request *request, enum method method, enum answer_form form)
{
	struct http *http = request->http;
	json_t *params = query_params(request);
	const struct caller caller = head_caller(&request->head, &http->rules);
	const struct call call = {.caller = &caller, .method = method, .params = params};
	struct answer answer;

	if (!params)
		return send_problem(request);
	answer_method(http->api, &call, form, &answer);
	json_decref(params);
	size_t bytes = answer.length;
	bool lasting = answer.lasting;
	struct reply *reply = reply_create(request, &answer);
	answer_free(&answer);
	if (!reply)
		return MHD_NO;
	enum MHD_Result r = reply_send(request, reply);
	if (lasting && !http->key.failed)
		keep_reply(http, reply, bytes);
	else
		reply_free(reply);
	return r;
}

/* ---- Requests. */

static enum MHD_Result take_field(void *context, enum MHD_ValueKind kind, const char *name,
        size_t name_bytes, const char *value, size_t value_bytes)
{
	struct http_request *request = context;
	struct head_text text = {value ? value : "", value ? value_bytes : 0};

	(void)kind;
	return head_field(&request->head, (struct head_text){name, name_bytes}, text,
	               &request->problem)
	               ? MHD_NO
	               : MHD_YES;
}

/* Reading is what most addresses are for. */
static const char *allowed_at(const char *path)
{
	enum method method = method_by_path(path);

	return method < METHOD_COUNT && !strcmp(methods[method].verb, "POST")
	               ? "POST, OPTIONS"
	               : "GET, HEAD, OPTIONS";
}

/* The gate's rules again. 0 or a problem_code. */
static int check_request(struct http_request *request, const char *path, const char *verb)
{
	struct head *head = &request->head;
	struct problem *problem = &request->problem;
	bool websocket = false;

	request->allowed = allowed_at(path);
	head->method = (struct head_text){verb, strlen(verb)};
	head->target = (struct head_text){request->uri, request->uri_length};
	MHD_get_connection_values_n(request->connection, MHD_HEADER_KIND, take_field, request);
	int r = problem->code ? (int)problem->code
	                      : head_check(head, &request->http->rules, problem);
	head_reader(head, r, request->origin);
	if (r)
		return r;
	r = head_route(head, &websocket, problem);
	if (!r && websocket)
		r = problem_set(problem, PROBLEM_UPGRADE_REQUIRED, "Upgrade",
		        "open the WebSocket on a connection of its own");
	struct head_text allowed = {request->allowed, strlen(request->allowed)};
	if (!r && !head_lists(allowed, verb))
		r = problem_set(problem, PROBLEM_METHOD_NOT_ALLOWED, "",
		        "%.20s is not served here; use %s", verb, request->allowed);
	return r;
}

/* libmicrohttpd calls again for the request once it is resumed. */
static enum MHD_Result wait_for_api(struct http_request *request)
{
	struct http *http = request->http;

	request->next_waiting = http->waiting;
	http->waiting = request;
	MHD_suspend_connection(request->connection);
	return MHD_YES;
}

static void resume_all(struct http *http)
{
	while (http->waiting) {
		struct http_request *request = http->waiting;
		http->waiting = request->next_waiting;
		MHD_resume_connection(request->connection);
	}
}

static enum MHD_Result answer_request(struct http_request *request, const char *path)
{
	struct http *http = request->http;
	enum answer_form form = answer_form(request->head.accept);

	const struct lru_key key = make_key(request, form);
	const struct reply *kept = http->key.failed ? NULL : lru_get(http->replies, &key);
	if (kept)
		return reply_send(request, kept);
	enum method method = method_by_path(path);
	if (method == METHOD_COUNT)
		return send_page(request, http->page_dir, path);
	if (api_waits(http->api, method))
		return wait_for_api(request);
	return send_method(request, method, form);
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection,
        const char *path, const char *verb, const char *version, const char *upload,
        size_t *upload_bytes, void **slot)
{
	struct http_request *request = *slot;

	(void)context, (void)connection, (void)version, (void)upload, (void)upload_bytes;
	if (!request)
		return MHD_NO; /* no memory: the connection is closed */
	if (!request->checked) {
		request->http->metrics->net_http_requests++;
		request->checked = !check_request(request, path, verb);
		/* Answering already here would close the connection, as a refusal should. */
		return request->checked ? MHD_YES : send_problem(request);
	}
	if (!strcmp(verb, "OPTIONS"))
		return send_options(request);
	return answer_request(request, path);
}

/* Called with the address before libmicrohttpd decodes it in place. */
static void *on_uri(void *context, const char *uri, struct MHD_Connection *connection)
{
	size_t length = strlen(uri);
	struct http_request *request = malloc(sizeof *request + length + 1);

	if (!request)
		return NULL;
	memset(&request->head, 0, sizeof request->head);
	request->http = context;
	request->allowed = "";
	request->checked = false;
	request->problem.code = PROBLEM_NONE;
	request->origin[0] = '\0';
	request->connection = connection;
	request->uri_length = length;
	memcpy(request->uri, uri, length + 1);
	return request;
}

static void on_completed(void *context, struct MHD_Connection *connection, void **slot,
        enum MHD_RequestTerminationCode code)
{
	(void)context, (void)connection, (void)code;
	free(*slot);
	*slot = NULL;
}

/* ---- Running. */

static void run(struct http *http)
{
	MHD_UNSIGNED_LONG_LONG wait_ms = 0;

	/* A connection with more buffered than one turn used is not announced by the descriptor. */
	for (int i = 0; i < TURNS; i++) {
		MHD_run(http->mhd);
		if (MHD_get_timeout(http->mhd, &wait_ms) != MHD_YES)
			return;
		if (wait_ms)
			break;
	}
	if (http->timer_set && wait_ms)
		return;
	http->timer_set = true;
	loop_timer_set(http->timer, wait_ms * 1000000u);
}

static void http_turn(void *context)
{
	struct http *http = context;

	run(http);
	http->metrics->net_http_open = http_connections(http);
}

static void http_timer_fired(void *context)
{
	struct http *http = context;

	http->timer_set = false;
	http_turn(http);
}

__attribute__((format(printf, 2, 0))) static void on_log(
        void *context, const char *format, va_list args)
{
	char line[256];

	(void)context;
	vsnprintf(line, sizeof line, format, args);
	log_debug("libmicrohttpd: %s", line);
}

static int mhd_start(struct http *http)
{
	http->mhd = MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ERROR_LOG |
	                                     MHD_ALLOW_SUSPEND_RESUME,
	        0, NULL, NULL, on_request, http, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
	        MHD_OPTION_CONNECTION_TIMEOUT, IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
	        (size_t)POOL_BYTES, MHD_OPTION_CONNECTION_LIMIT, http->connections_max,
	        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_URI_LOG_CALLBACK, on_uri, http,
	        MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_END);
	if (!http->mhd)
		return -EIO;
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(http->mhd, MHD_DAEMON_INFO_EPOLL_FD);
	return info ? loop_watch(http->loop, info->epoll_fd, http_turn, http, &http->watch) : -EIO;
}

static int http_start(struct http *http, const char *page_dir)
{
	const struct lru_options options = {REPLIES_ENTRIES, REPLIES_BYTES, reply_release};
	int r = lru_create(&options, &http->replies);

	if (!r && page_dir && !(http->page_dir = strdup(page_dir)))
		r = -ENOMEM;
	if (!r)
		r = loop_timer_create(http->loop, http_timer_fired, http, &http->timer);
	return r ? r : mhd_start(http);
}

int http_create(struct loop *loop, struct api *api, const struct http_options *options,
        struct http **ret_http)
{
	struct http *http = calloc(1, sizeof *http);

	if (!http)
		return -ENOMEM;
	http->loop = loop;
	http->api = api;
	http->rules = options->rules;
	http->connections_max = options->connections_max;
	http->metrics = options->metrics;
	int r = http_start(http, options->page_dir);
	if (r) {
		http_destroy(http);
		return r;
	}
	*ret_http = http;
	return 0;
}

void http_destroy(struct http *http)
{
	if (!http)
		return;
	loop_unwatch(http->watch);
	resume_all(http); /* libmicrohttpd stops with none suspended */
	if (http->mhd)
		MHD_stop_daemon(http->mhd);
	loop_timer_destroy(http->timer);
	lru_destroy(http->replies);
	buffer_free(&http->key);
	free(http->page_dir);
	free(http);
}

void http_adopt(struct http *http, int fd)
{
	struct sockaddr_storage address = {0};
	socklen_t bytes = sizeof address;

	if (getpeername(fd, (struct sockaddr *)&address, &bytes)) {
		close(fd);
		return;
	}
	if (MHD_add_connection(http->mhd, fd, (struct sockaddr *)&address, bytes) == MHD_YES)
		http_turn(http);
	else /* it closed the socket */
		log_warning("http: a connection could not be taken over; it was closed");
}

void http_ready(struct http *http)
{
	resume_all(http);
	http_turn(http);
}

uint32_t http_connections(const struct http *http)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(
	        http->mhd, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);

	return info ? info->num_connections : 0;
}
