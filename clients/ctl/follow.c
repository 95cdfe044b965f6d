/* SPDX-License-Identifier: Apache-2.0
 *
 * Asks the daemon over the WebSocket and listens to what follows, until whoever asked has heard
 * enough. Closing the connection cancels what was asked, so that is all Ctrl-C has to do. Knows no
 * method.
 */
#include "clients/ctl/ctl.h"

#include "base/buffer.h"
#include "base/cleanup.h"

#include <libwebsockets.h>
#include <signal.h>
#include <string.h>

#define FOLLOW_ID 1

struct follow {
	const struct ctl *ctl;
	follow_hear *hear;
	void *context;
	char *request;         /* NULL once it is sent */
	struct buffer message; /* one message, from its frames */
	bool over;
	int answer; /* exit code, once over */
};

/* A handler can reach nothing else. */
static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
	(void)number;
	interrupted = 1;
}

static void finish(struct follow *follow, int answer)
{
	follow->over = true;
	follow->answer = answer;
}

static void tell(struct follow *follow, const json_t *message)
{
	int answer = follow->hear(follow->context, message);

	if (answer >= 0)
		finish(follow, answer);
}

/* An error in the reply is a refusal; one in an event is for whoever listens. */
static void take_message(struct follow *follow, const json_t *message)
{
	const json_t *error = json_object_get(message, "error");

	if (!error || json_object_get(message, "event")) {
		tell(follow, message);
		return;
	}
	finish(follow, CTL_FAILED);
	refused(error);
}

static void receive(struct follow *follow, struct lws *wsi, const char *bytes, size_t count)
{
	buffer_append(&follow->message, bytes, count);
	if (!lws_is_final_fragment(wsi) || lws_remaining_packet_payload(wsi))
		return;
	json_t *message = json_loadb(follow->message.data, follow->message.length, 0, NULL);
	buffer_clear(&follow->message);
	if (message)
		take_message(follow, message);
	json_decref(message);
}

static int send_request(struct follow *follow, struct lws *wsi)
{
	size_t length = follow->request ? strlen(follow->request) : 0;
	AUTO(free_pointer) unsigned char *frame = malloc(LWS_PRE + length);

	if (!length)
		return 0;
	if (!frame)
		return -1;
	memcpy(frame + LWS_PRE, follow->request, length);
	free(TAKE(follow->request));
	return lws_write(wsi, frame + LWS_PRE, length, LWS_WRITE_TEXT) < 0 ? -1 : 0;
}

static int on_event(
        struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t length)
{
	struct follow *follow = lws_context_user(lws_get_context(wsi));

	(void)user;
	switch (reason) {
	case LWS_CALLBACK_CLIENT_ESTABLISHED:
		lws_callback_on_writable(wsi);
		lws_set_timer_usecs(wsi, LWS_USEC_PER_SEC);
		return 0;
	case LWS_CALLBACK_CLIENT_WRITEABLE:
		return send_request(follow, wsi);
	case LWS_CALLBACK_TIMER:
		tell(follow, NULL);
		lws_set_timer_usecs(wsi, LWS_USEC_PER_SEC);
		return 0;
	case LWS_CALLBACK_CLIENT_RECEIVE:
		receive(follow, wsi, in, length);
		return follow->over ? -1 : 0;
	case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
		finish(follow, unreachable(follow->ctl, in ? (const char *)in : "no connection"));
		return 0;
	case LWS_CALLBACK_CLIENT_CLOSED:
		if (!follow->over) {
			finish(follow, CTL_FAILED);
			fputs("nnjitctl: nnjitd closed the connection; the tuning goes on when it "
			      "runs again\n",
			        stderr);
		}
		return 0;
	default:
		return 0;
	}
}

static const struct lws_protocols protocols[] = {
        {.name = PROTOCOL_SUBPROTOCOL, .callback = on_event, .rx_buffer_size = 65536},
        {0},
};

static struct lws_context *open_socket(struct follow *follow)
{
	struct lws_context_creation_info info = {
	        .port = CONTEXT_PORT_NO_LISTEN,
	        .protocols = protocols,
	        .user = follow,
	        .gid = (gid_t)-1,
	        .uid = (uid_t)-1,
	        .fd_limit_per_thread = 16,
	};
	char host[32];

	lws_set_log_level(0, NULL);
	struct lws_context *context = lws_create_context(&info);
	if (!context)
		return NULL;
	snprintf(host, sizeof host, "127.0.0.1:%u", follow->ctl->port);
	struct lws_client_connect_info connect = {
	        .context = context,
	        .address = "127.0.0.1",
	        .port = follow->ctl->port,
	        .path = "/v1/ws",
	        .host = host,
	        .protocol = PROTOCOL_SUBPROTOCOL,
	};
	/* A refusal may already have been told through the callback. */
	if (!lws_client_connect_via_info(&connect) && !follow->over)
		finish(follow, unreachable(follow->ctl, "no connection"));
	return context;
}

static void run(struct follow *follow)
{
	struct lws_context *context = open_socket(follow);

	if (!context) {
		finish(follow, CTL_FAILED);
		fputs("nnjitctl: out of memory\n", stderr);
		return;
	}
	while (!follow->over && !interrupted && lws_service(context, 0) >= 0)
		;
	if (!follow->over && interrupted)
		finish(follow, CTL_INTERRUPTED);
	lws_context_destroy(context);
}

int follow(
        const struct ctl *ctl, enum method method, json_t *params, follow_hear *hear, void *context)
{
	struct follow state = {.ctl = ctl, .hear = hear, .context = context, .answer = CTL_FAILED};
	struct sigaction before, now = {.sa_handler = on_interrupt};
	json_t *request = json_pack(
	        "{s:i,s:s,s:o}", "id", FOLLOW_ID, "method", methods[method].name, "params", params);

	state.request = json_dumps(request, JSON_COMPACT);
	json_decref(request);
	sigaction(SIGINT, &now, &before);
	run(&state);
	sigaction(SIGINT, &before, NULL);
	free(state.request);
	buffer_free(&state.message);
	return state.answer;
}
