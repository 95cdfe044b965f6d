/* SPDX-License-Identifier: Apache-2.0
 *
 * The network side as a whole: the two faces, then the gate in front of them, ended in the
 * opposite order.
 */
#include "daemon/net/net.h"

#include "base/error.h"
#include "daemon/api/api.h"
#include "daemon/log.h"
#include "daemon/net/gate.h"
#include "daemon/net/http.h"
#include "daemon/net/ws.h"
#include "daemon/origins/origins.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct net {
	struct gate *gate;
	struct http *http;
	struct ws *ws;
	struct api *api;
	struct origins *origins;
	uint16_t port;
};

static void answer_waiting(void *context)
{
	struct net *net = context;

	http_ready(net->http);
	ws_ready(net->ws);
}

static int start_faces(
        struct net *net, struct loop *loop, struct api *api, const struct net_options *options)
{
	const struct http_options http = {
	        .rules = {options->origins, net->port},
	        .page_dir = options->page_dir,
	        .connections_max = options->connections_max,
	        .metrics = options->metrics,
	};
	int r = http_create(loop, api, &http, &net->http);

	if (!r)
		r = ws_create(loop, api, options->origins, options->metrics, &net->ws);
	if (!r)
		api_when_ready(api, answer_waiting, net);
	net->api = api;
	return r;
}

static int start_gate(struct net *net, struct loop *loop, const struct net_options *options,
        const int listeners[2])
{
	const struct gate_options gate = {
	        .http = net->http,
	        .ws = net->ws,
	        .metrics = options->metrics,
	        .listeners = {listeners[0], listeners[1]},
	        .rules = {options->origins, net->port},
	        .connections_max = options->connections_max,
	};

	return gate_create(loop, &gate, &net->gate);
}

static int start(struct net *net, struct loop *loop, struct api *api,
        const struct net_options *options, struct error *err)
{
	int listeners[2];
	int r = gate_listen(options->port, listeners, &net->port, err);

	if (r)
		return r;
	if (listeners[1] < 0)
		log_info("net: no IPv6 here; listening on 127.0.0.1 alone");
	r = start_faces(net, loop, api, options);
	if (!r)
		return start_gate(net, loop, options, listeners);
	close(listeners[0]);
	if (listeners[1] >= 0)
		close(listeners[1]);
	return r;
}

/* HTTP needs no closing: each of its requests is judged anew. */
static void origin_lost(void *context, const char *origin)
{
	struct net *net = context;

	ws_close_origin(net->ws, origin);
}

int net_create(struct loop *loop, struct api *api, const struct net_options *options,
        struct net **ret_net, struct error *err)
{
	struct net *net = calloc(1, sizeof *net);
	struct error why = {0};

	if (!net)
		return error_set(err, -ENOMEM, "", "out of memory");
	net->origins = options->origins;
	int r = start(net, loop, api, options, &why);
	if (!r)
		origins_listen(net->origins, origin_lost, net);
	if (r) {
		net_destroy(net);
		return error_set(err, r, why.field, "%s", *why.text ? why.text : strerror(-r));
	}
	*ret_net = net;
	return 0;
}

void net_destroy(struct net *net)
{
	if (!net)
		return;
	origins_listen(net->origins, NULL, NULL);
	gate_destroy(net->gate);
	if (net->api)
		api_when_ready(net->api, NULL, NULL);
	ws_destroy(net->ws);
	http_destroy(net->http);
	free(net);
}

uint16_t net_port(const struct net *net)
{
	return net->port;
}
