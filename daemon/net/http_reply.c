/* SPDX-License-Identifier: Apache-2.0
 *
 * Responses: their headers, their ETags, and what is sent for a problem, a preflight and a page.
 * Must not decide who is answered.
 */
#include "daemon/net/http_reply.h"

#include "base/hash.h"
#include "daemon/net/page.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A finished answer, ready to be sent any number of times. */
struct reply {
	struct MHD_Response *full;
	char etag[40];
	uint32_t status;
};

void reply_free(struct reply *reply)
{
	if (!reply)
		return;
	if (reply->full)
		MHD_destroy_response(reply->full); /* counted: those being sent keep theirs */
	free(reply);
}

static bool header(struct MHD_Response *response, const char *name, const char *value)
{
	return MHD_add_response_header(response, name, value) == MHD_YES;
}

static bool guards(struct MHD_Response *response, const char *policy)
{
	bool ok = header(response, "Content-Security-Policy", policy);

#define GUARD(name, value) ok = ok && header(response, name, value);
	ANSWER_EACH_GUARD(GUARD)
#undef GUARD
	return ok;
}

/* What every answer carries, besides its guards. */
static bool common_headers(
        struct MHD_Response *response, const struct http_request *request, const char *etag)
{
	return header(response, "Cache-Control", "no-cache") &&
	       header(response, "Vary", "Origin, Accept") &&
	       (!*etag || header(response, "ETag", etag)) &&
	       (!*request->origin ||
	               (header(response, "Access-Control-Allow-Origin", request->origin) &&
	                       header(response, "Access-Control-Expose-Headers", "ETag")));
}

static struct MHD_Response *empty_response(const struct http_request *request)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(
	        0, NULL, MHD_RESPMEM_PERSISTENT);

	if (response && guards(response, ANSWER_POLICY) && common_headers(response, request, ""))
		return response;
	if (response)
		MHD_destroy_response(response);
	return NULL;
}

/* Takes the answer's body. */
static struct MHD_Response *full_response(
        const struct http_request *request, struct answer *answer, const char *etag)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(
	        answer->length, answer->body, MHD_RESPMEM_MUST_FREE);

	if (!response)
		return NULL;
	answer->body = NULL;
	if (guards(response, ANSWER_POLICY) && common_headers(response, request, etag) &&
	        header(response, "Content-Type", answer->type))
		return response;
	MHD_destroy_response(response);
	return NULL;
}

struct reply *reply_create(const struct http_request *request, struct answer *answer)
{
	struct reply *reply = answer->body ? calloc(1, sizeof *reply) : NULL;

	if (!reply)
		return NULL;
	reply->status = answer->status;
	if (answer->status == 200) {
		uint64_t hash = hash_bytes(HASH_SEED, answer->body, answer->length);
		snprintf(reply->etag, sizeof reply->etag, "\"%016llx\"", (unsigned long long)hash);
	}
	reply->full = full_response(request, answer, reply->etag);
	if (reply->full)
		return reply;
	reply_free(reply);
	return NULL;
}

static bool has_etag(const struct http_request *request, const char *etag)
{
	struct head_text given = request->head.if_none_match;

	return given.at && *etag && (head_is(given, "*") || head_lists(given, etag));
}

enum MHD_Result reply_send(const struct http_request *request, const struct reply *reply)
{
	uint32_t status = has_etag(request, reply->etag) ? 304 : reply->status;

	/* libmicrohttpd sends the head alone where the status or the method wants it so. */
	return MHD_queue_response(request->connection, status, reply->full);
}

/* Sends a response once and lets go of it. */
static enum MHD_Result send_once(
        const struct http_request *request, uint32_t status, struct MHD_Response *response)
{
	if (!response)
		return MHD_NO; /* no memory: the connection is closed */
	enum MHD_Result r = MHD_queue_response(request->connection, status, response);
	MHD_destroy_response(response);
	return r;
}

/* ---- Problems and preflights. */

enum MHD_Result send_problem(const struct http_request *request)
{
	enum problem_code code = request->problem.code;
	struct answer answer;

	answer_problem(&request->problem, &answer);
	struct MHD_Response *response = answer.body ? full_response(request, &answer, "") : NULL;
	answer_free(&answer);
	if (response && code == PROBLEM_METHOD_NOT_ALLOWED)
		header(response, "Allow", request->allowed);
	if (response && code == PROBLEM_UPGRADE_REQUIRED)
		header(response, "Upgrade", "websocket");
	return send_once(request, problem_status(code), response);
}

/* A CORS preflight (Fetch standard, 4.8), or a plain OPTIONS. */
enum MHD_Result send_options(const struct http_request *request)
{
	struct MHD_Response *response = empty_response(request);
	bool ok = response && header(response, "Allow", request->allowed);

	if (ok && *request->origin)
		ok = header(response, "Access-Control-Allow-Methods", request->allowed) &&
		     header(response, "Access-Control-Allow-Headers",
		             "Accept, Content-Type, If-None-Match") &&
		     header(response, "Access-Control-Max-Age", "600");
	/* Of browsers that ask before a page reaches into a private network. */
	if (ok && *request->origin && head_is(request->head.private_network, "true"))
		ok = header(response, "Access-Control-Allow-Private-Network", "true");
	return send_once(request, 204, response);
}

/* ---- Pages. */

static struct MHD_Response *page_response(
        const struct http_request *request, const struct page *page)
{
	struct MHD_Response *response = MHD_create_response_from_fd64(page->bytes, page->fd);

	if (!response) {
		close(page->fd);
		return NULL;
	}
	/* Cross-origin isolation gives the demo page the browser's finer clock. */
	bool ok = guards(response, ANSWER_PAGE_POLICY) &&
	          common_headers(response, request, page->etag) &&
	          header(response, "Content-Type", page->type) &&
	          header(response, "Cross-Origin-Opener-Policy", "same-origin") &&
	          header(response, "Cross-Origin-Embedder-Policy", "require-corp");
	if (ok)
		return response;
	MHD_destroy_response(response);
	return NULL;
}

enum MHD_Result send_page(struct http_request *request, const char *dir, const char *path)
{
	struct page page;

	if (!dir || !strncmp(path, "/v1/", 4) || page_open(dir, path, &page)) {
		problem_set(&request->problem, PROBLEM_NOT_FOUND, "",
		        "there is nothing at %.160s; the methods are under /v1/, as /v1/health",
		        path);
		return send_problem(request);
	}
	uint32_t status = has_etag(request, page.etag) ? 304 : 200;
	return send_once(request, status, page_response(request, &page));
}
