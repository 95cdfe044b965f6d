/* SPDX-License-Identifier: Apache-2.0
 *
 * Watches one kernel being tuned, over the WebSocket: sends one `watch`, shows progress where a
 * person looks on, and returns the tuned artifact. Ends at a refusal and with the
 * connection; a kernel that waits behind others may be silent for long.
 */
#include "clients/ctl/ctl.h"

#include <libwebsockets.h>
#include <string.h>
#include <unistd.h>

#define WATCH_ID 1

struct watch {
	const struct ctl *ctl;
	char *request;         /* NULL once it is sent */
	struct buffer message; /* one message, from its frames */
	json_t *kernel;        /* the last one heard of */
	bool show, over;
	int answer; /* exit code, once over */
};

/* ---- Progress, on stderr. */

static void show_progress(const struct watch *watch, const json_t *progress)
{
	double measured = number_at(progress, "measured"), of = number_at(progress, "of");
	const json_t *timing = json_object_get(watch->kernel, "timing");
	char text[TIME_TEXT_BYTES];
	int filled = of > 0 ? (int)(30 * measured / of) : 0;

	if (!watch->show || of <= 0)
		return;
	fprintf(stderr, "\r[%.*s%.*s] %.0f/%.0f", filled, "##############################",
	        30 - filled, "..............................", measured, of);
	if (number_at(timing, "median_ns") > 0)
		fprintf(stderr, "  best %s\033[K", time_text(number_at(timing, "median_ns"), text));
	fflush(stderr);
}

static void clear_progress(const struct watch *watch)
{
	if (watch->show)
		fputs("\r\033[K", stderr);
}

/* ---- Messages. */

static void finish(struct watch *watch, int answer)
{
	watch->over = true;
	watch->answer = answer;
	clear_progress(watch);
}

static void keep_kernel(struct watch *watch, json_t *kernel)
{
	if (!kernel)
		return;
	json_decref(watch->kernel);
	watch->kernel = json_incref(kernel);
}

static void take_message(struct watch *watch, const json_t *message)
{
	const char *event = text_at(message, "event");
	const json_t *error = json_object_get(message, "error");

	if (error) {
		finish(watch, CTL_FAILED);
		refused(error);
		return;
	}
	keep_kernel(watch, json_object_get(message, "result"));
	keep_kernel(watch, json_object_get(message, "kernel"));
	if (!strcmp(event, "tuned"))
		finish(watch, CTL_DONE);
	else
		show_progress(watch, json_object_get(message, "progress"));
}

static void receive(struct watch *watch, struct lws *wsi, const char *bytes, size_t count)
{
	buffer_append(&watch->message, bytes, count);
	if (!lws_is_final_fragment(wsi) || lws_remaining_packet_payload(wsi))
		return;
	json_t *message = json_loadb(watch->message.data, watch->message.length, 0, NULL);
	buffer_clear(&watch->message);
	if (message)
		take_message(watch, message);
	json_decref(message);
}

static int send_request(struct watch *watch, struct lws *wsi)
{
	size_t length = watch->request ? strlen(watch->request) : 0;
	AUTO(free_pointer) unsigned char *frame = malloc(LWS_PRE + length);

	if (!length)
		return 0;
	if (!frame)
		return -1;
	memcpy(frame + LWS_PRE, watch->request, length);
	free(TAKE(watch->request));
	return lws_write(wsi, frame + LWS_PRE, length, LWS_WRITE_TEXT) < 0 ? -1 : 0;
}

static int on_event(
        struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t length)
{
	struct watch *watch = lws_context_user(lws_get_context(wsi));

	(void)user;
	switch (reason) {
	case LWS_CALLBACK_CLIENT_ESTABLISHED:
		lws_callback_on_writable(wsi);
		return 0;
	case LWS_CALLBACK_CLIENT_WRITEABLE:
		return send_request(watch, wsi);
	case LWS_CALLBACK_CLIENT_RECEIVE:
		receive(watch, wsi, in, length);
		return watch->over ? -1 : 0;
	case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
		finish(watch, unreachable(watch->ctl, in ? (const char *)in : "no connection"));
		return 0;
	case LWS_CALLBACK_CLIENT_CLOSED:
		if (!watch->over) {
			finish(watch, CTL_FAILED);
			fputs("nnjitctl: nnjitd closed the connection; the tuning goes on when it "
			      "runs "
			      "again\n",
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

static struct lws_context *open_socket(struct watch *watch)
{
	struct lws_context_creation_info info = {
	        .port = CONTEXT_PORT_NO_LISTEN,
	        .protocols = protocols,
	        .user = watch,
	        .gid = (gid_t)-1,
	        .uid = (uid_t)-1,
	        .fd_limit_per_thread = 16,
	};
	char host[32];

	lws_set_log_level(0, NULL);
	struct lws_context *context = lws_create_context(&info);
	if (!context)
		return NULL;
	snprintf(host, sizeof host, "127.0.0.1:%u", watch->ctl->port);
	struct lws_client_connect_info connect = {
	        .context = context,
	        .address = "127.0.0.1",
	        .port = watch->ctl->port,
	        .path = "/v1/ws",
	        .host = host,
	        .protocol = PROTOCOL_SUBPROTOCOL,
	};
	/* A refusal may already have been told through the callback. */
	if (!lws_client_connect_via_info(&connect) && !watch->over)
		finish(watch, unreachable(watch->ctl, "no connection"));
	return context;
}

static void run(struct watch *watch)
{
	struct lws_context *context = open_socket(watch);

	if (!context) {
		finish(watch, CTL_FAILED);
		fputs("nnjitctl: out of memory\n", stderr);
		return;
	}
	while (!watch->over && lws_service(context, 0) >= 0)
		;
	lws_context_destroy(context);
}

int watch(const struct ctl *ctl, json_t *params, json_t **ret_kernel)
{
	struct watch state = {.ctl = ctl, .show = isatty(STDERR_FILENO), .answer = CTL_FAILED};
	json_t *request = json_pack("{s:i,s:s,s:o}", "id", WATCH_ID, "method",
	        methods[METHOD_WATCH].name, "params", params);

	state.request = json_dumps(request, JSON_COMPACT);
	json_decref(request);
	run(&state);
	free(state.request);
	buffer_free(&state.message);
	if (state.answer == CTL_DONE && state.kernel)
		*ret_kernel = json_incref(state.kernel);
	else if (state.answer == CTL_DONE)
		state.answer = CTL_FAILED;
	json_decref(state.kernel);
	return state.answer;
}
