/* SPDX-License-Identifier: Apache-2.0
 *
 * The WebSocket face on libwebsockets. A message is put together from its frames and given to the
 * api as text; its reply is written in the same turn of the loop, later messages wait in a bounded
 * queue. What is wrong with a message costs that message only. Must not look into a message.
 * Invariant: a connection is on the list from ws_adopt until libwebsockets has destroyed its
 * socket, and replies leave in the order they were made.
 */
#include "daemon/net/ws.h"

#include "base/buffer.h"
#include "daemon/api/api.h"
#include "daemon/log.h"
#include "daemon/loop/loop.h"
#include "daemon/origins/origins.h"
#include "protocol/metrics.h"

#include <errno.h>
#include <libwebsockets.h>
#include <stdlib.h>
#include <string.h>

#define QUEUE_BYTES   (1u << 20) /* waiting for one slow reader */
#define READ_BYTES    4096       /* of a frame at a time; each connection keeps this much */
#define PING_AFTER_S  240
#define HANG_UP_S     330
#define WRITES_A_TURN 16

struct outgoing {
	struct outgoing *next;
	size_t length;
	unsigned char space[]; /* LWS_PRE bytes of room, then the text */
};

struct held {
	struct held *next;
	size_t length;
	char text[];
};

struct connection {
	struct ws *ws;
	struct connection *next, **link;
	struct lws *wsi;
	struct api_peer *peer; /* NULL before the handshake is done and after the close */
	struct buffer message; /* frames of an unfinished message */
	size_t message_bytes;  /* of all its frames, kept or not */
	struct outgoing *queue, **queue_end;
	size_t queued_bytes;
	struct held *held, **held_end; /* messages that wait for the api, in order */
	size_t held_bytes;
	bool adopting; /* in ws_adopt: it frees what libwebsockets destroys */
	bool closing;
};

struct ws {
	struct loop *loop;
	struct api *api;
	const struct origins *origins;
	struct lws_vhost *vhost;
	struct connection *connections;
	struct metrics *metrics; /* net_ws_open: how many there are */
	struct buffer out;       /* LWS_PRE bytes of room, then the text being written */
};

/* ---- Connections. */

static struct connection *connection_create(struct ws *ws)
{
	struct connection *c = calloc(1, sizeof *c);

	if (!c)
		return NULL;
	c->ws = ws;
	c->queue_end = &c->queue;
	c->held_end = &c->held;
	c->next = ws->connections;
	c->link = &ws->connections;
	if (c->next)
		c->next->link = &c->next;
	ws->connections = c;
	ws->metrics->net_ws_open++;
	return c;
}

/* The first message that waits, taken off; NULL: none does. */
static struct held *take_held(struct connection *c)
{
	struct held *first = c->held;

	if (!first)
		return NULL;
	c->held = first->next;
	if (!c->held)
		c->held_end = &c->held;
	c->held_bytes -= first->length;
	return first;
}

static void connection_empty(struct connection *c)
{
	c->closing = true;
	api_peer_destroy(c->peer);
	c->peer = NULL;
	while (c->held)
		free(take_held(c));
	buffer_free(&c->message);
	while (c->queue) {
		struct outgoing *sent = c->queue;
		c->queue = sent->next;
		free(sent);
	}
	c->queue_end = &c->queue;
	c->queued_bytes = 0;
}

static void connection_free(struct connection *c)
{
	connection_empty(c);
	*c->link = c->next;
	if (c->next)
		c->next->link = c->link;
	c->ws->metrics->net_ws_open--;
	free(c);
}

/* Not at once: the caller may stand in one of its callbacks. */
static void connection_close(struct connection *c)
{
	if (c->closing)
		return;
	c->closing = true;
	lws_set_timeout(c->wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_ASYNC);
}

/* ---- Writing. */

static int write_now(struct connection *c, const char *text, size_t length)
{
	struct buffer *out = &c->ws->out;

	buffer_clear(out);
	unsigned char *space = buffer_reserve(out, LWS_PRE + length);
	if (!space)
		return -ENOMEM;
	memcpy(space + LWS_PRE, text, length);
	/* What the socket does not take, libwebsockets keeps and sends first. */
	return lws_write(c->wsi, space + LWS_PRE, length, LWS_WRITE_TEXT) < 0 ? -EPIPE : 0;
}

static int write_later(struct connection *c, const char *text, size_t length)
{
	struct outgoing *message = malloc(sizeof *message + LWS_PRE + length);

	if (!message)
		return -ENOMEM;
	if (c->queued_bytes + length > QUEUE_BYTES) {
		free(message);
		return -EAGAIN;
	}
	message->next = NULL;
	message->length = length;
	memcpy(message->space + LWS_PRE, text, length);
	*c->queue_end = message;
	c->queue_end = &message->next;
	c->queued_bytes += length;
	lws_callback_on_writable(c->wsi);
	return 0;
}

static void connection_send(struct connection *c, const char *text, size_t length, bool in_turn)
{
	if (c->closing)
		return;
	bool idle = !c->queue && !lws_partial_buffered(c->wsi);
	int r = in_turn && idle ? write_now(c, text, length) : write_later(c, text, length);
	if (!r)
		return;
	if (r == -EAGAIN)
		log_warning("ws: a client does not read: over %zu bytes wait for it; closing its "
		            "connection, it may connect again",
		        c->queued_bytes);
	connection_close(c);
}

static int connection_flush(struct connection *c)
{
	for (int i = 0; i < WRITES_A_TURN && c->queue && !c->closing; i++) {
		struct outgoing *first = c->queue;
		if (lws_send_pipe_choked(c->wsi))
			break;
		int wrote = lws_write(
		        c->wsi, first->space + LWS_PRE, first->length, LWS_WRITE_TEXT);
		c->queue = first->next;
		if (!c->queue)
			c->queue_end = &c->queue;
		c->queued_bytes -= first->length;
		free(first);
		if (wrote < 0)
			return -1;
	}
	if (c->queue && !c->closing)
		lws_callback_on_writable(c->wsi);
	return 0;
}

static void pushed(void *context, const json_t *message)
{
	struct connection *c = context;
	char *text = c->closing ? NULL : json_dumps(message, JSON_COMPACT);

	if (text)
		connection_send(c, text, strlen(text), false);
	free(text);
}

/* ---- Reading. */

static char *refuse_binary(void)
{
	struct problem problem;

	problem_set(&problem, PROBLEM_BAD_MESSAGE, "",
	        "a binary message was sent; send JSON as a text message");
	json_t *reply = json_pack("{s:n, s:o}", "id", "error", problem_json(&problem));
	char *text = json_dumps(reply, JSON_COMPACT);
	json_decref(reply);
	return text;
}

/* Until the devices are known. What comes behind waits, too: the order of messages stays. */
static void hold(struct connection *c, const char *text, size_t length)
{
	struct held *held = c->held_bytes + length > QUEUE_BYTES ? NULL
	                                                         : malloc(sizeof *held + length);

	if (!held) {
		connection_close(c);
		return;
	}
	held->next = NULL;
	held->length = length;
	memcpy(held->text, text, length);
	*c->held_end = held;
	c->held_end = &held->next;
	c->held_bytes += length;
}

static void message_done(struct connection *c, const char *text, size_t length)
{
	c->ws->metrics->net_ws_messages++;
	if (!lws_frame_is_binary(c->wsi) &&
	        (c->held || api_message_waits(c->ws->api, text, length))) {
		hold(c, text, length);
		return;
	}
	char *reply = lws_frame_is_binary(c->wsi) ? refuse_binary()
	                                          : api_message(c->ws->api, c->peer, text, length);

	loop_linger(c->ws->loop);
	if (reply)
		connection_send(c, reply, strlen(reply), true);
	free(reply);
}

/* Keeps frames up to the limit and one byte; beyond it only their sum, which the api refuses. */
static void message_keep(struct connection *c, const char *bytes, size_t length)
{
	c->message_bytes += length;
	if (c->message_bytes > PROTOCOL_MESSAGE_BYTES)
		buffer_free(&c->message);
	else
		buffer_append(&c->message, bytes, length);
}

static int received(struct connection *c, const char *bytes, size_t length)
{
	bool last = lws_is_final_fragment(c->wsi);

	if (c->closing || !c->peer)
		return -1;
	if (last && !c->message_bytes) { /* the usual case: one frame, read at once */
		message_done(c, bytes, length);
		return c->closing ? -1 : 0;
	}
	message_keep(c, bytes, length);
	if (c->message.failed)
		return -1;
	if (last) {
		message_done(c, c->message.data ? c->message.data : "", c->message_bytes);
		buffer_free(&c->message);
		c->message_bytes = 0;
	}
	return c->closing ? -1 : 0;
}

/* ---- libwebsockets' events. */

static int established(struct connection *c)
{
	char origin[CALLER_ORIGIN_BYTES] = "";
	struct origin page = {.text = ""};

	/* One that does not fit would be another's; the gate has looked at what it says. */
	if (lws_hdr_total_length(c->wsi, WSI_TOKEN_ORIGIN) >= (int)sizeof origin)
		return -1;
	if (lws_hdr_copy(c->wsi, origin, sizeof origin, WSI_TOKEN_ORIGIN) < 0)
		origin[0] = '\0';
	/* What was decided since the gate looked counts as well. */
	if (origin[0] && (origin_read(origin, strlen(origin), &page) == ORIGIN_UNFIT ||
	                         !origins_serves(c->ws->origins, page.text)))
		return -1;
	const struct caller caller = caller_websocket(page.text);
	return api_peer_create(c->ws->api, &caller, pushed, c, &c->peer) ? -1 : 0;
}

static int destroyed(struct connection *c)
{
	lws_set_opaque_user_data(c->wsi, NULL);
	c->wsi = NULL;
	if (c->adopting)
		connection_empty(c);
	else
		connection_free(c);
	return 0;
}

static int ws_event(
        struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t length)
{
	struct connection *c = lws_get_opaque_user_data(wsi);

	(void)user;
	if (reason == LWS_CALLBACK_HTTP)
		return -1; /* the gate sends nothing but handshakes */
	if (!c)
		return 0;
	c->wsi = wsi;
	switch ((int)reason) {
	case LWS_CALLBACK_ESTABLISHED:
		return established(c);
	case LWS_CALLBACK_RECEIVE:
		return received(c, in, length);
	case LWS_CALLBACK_SERVER_WRITEABLE:
		return connection_flush(c);
	case LWS_CALLBACK_CLOSED:
		connection_empty(c);
		return 0;
	case LWS_CALLBACK_WSI_DESTROY:
		return destroyed(c);
	default:
		return 0;
	}
}

/* Without a send limit of its own a message would leave in pieces of the read size. */
static const struct lws_protocols protocols[] = {
        {
                .name = PROTOCOL_SUBPROTOCOL,
                .callback = ws_event,
                .rx_buffer_size = READ_BYTES,
                .tx_packet_size = 4u << 20,
        },
        {.name = NULL},
};

static const lws_retry_bo_t keep_alive = {
        .secs_since_valid_ping = PING_AFTER_S,
        .secs_since_valid_hangup = HANG_UP_S,
};

int ws_create(struct loop *loop, struct api *api, const struct origins *origins,
        struct metrics *metrics, struct ws **ret_ws)
{
	/* A port of its own kind, so that no Host leads libwebsockets to another vhost. */
	struct lws_context_creation_info info = {
	        .port = CONTEXT_PORT_NO_LISTEN_SERVER,
	        .protocols = protocols,
	        .vhost_name = "ws",
	        .retry_and_idle_policy = &keep_alive,
	};
	struct ws *ws = calloc(1, sizeof *ws);

	if (!ws)
		return -ENOMEM;
	ws->loop = loop;
	ws->api = api;
	ws->origins = origins;
	ws->metrics = metrics;
	ws->vhost = lws_create_vhost(loop_lws(loop), &info);
	if (!ws->vhost) {
		free(ws);
		return -EIO;
	}
	*ret_ws = ws;
	return 0;
}

void ws_destroy(struct ws *ws)
{
	if (!ws)
		return;
	while (ws->connections) {
		struct connection *c = ws->connections;
		struct lws *wsi = c->wsi;
		lws_set_opaque_user_data(wsi, NULL); /* its last events find nobody */
		connection_free(c);
		lws_set_timeout(wsi, 1, LWS_TO_KILL_SYNC);
	}
	buffer_free(&ws->out);
	free(ws);
}

void ws_adopt(struct ws *ws, int fd)
{
	struct connection *c = connection_create(ws);

	if (!c) {
		close(fd);
		return;
	}
	lws_adopt_desc_t adopt = {
	        .vh = ws->vhost,
	        .type = LWS_ADOPT_SOCKET | LWS_ADOPT_HTTP,
	        .fd.sockfd = fd,
	        .opaque = c,
	};
	c->adopting = true;
	c->wsi = lws_adopt_descriptor_vhost_via_info(&adopt); /* closes fd if it fails */
	c->adopting = false;
	if (!c->wsi)
		connection_free(c);
}

static void answer_held(struct connection *c)
{
	struct held *held;

	while (!c->closing && c->peer && (held = take_held(c))) {
		char *reply = api_message(c->ws->api, c->peer, held->text, held->length);
		if (reply)
			connection_send(c, reply, strlen(reply), false);
		free(reply);
		free(held);
	}
}

void ws_ready(struct ws *ws)
{
	for (struct connection *c = ws->connections; c; c = c->next)
		answer_held(c);
}

void ws_close_origin(struct ws *ws, const char *origin)
{
	for (struct connection *c = ws->connections; c; c = c->next)
		if (c->peer && !strcmp(api_peer_caller(c->peer)->origin, origin))
			connection_close(c);
}

uint32_t ws_connections(const struct ws *ws)
{
	return (uint32_t)ws->metrics->net_ws_open;
}
