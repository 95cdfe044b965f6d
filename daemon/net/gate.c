/* SPDX-License-Identifier: Apache-2.0
 *
 * The gate. A guest is a connection that was accepted and not handed over yet: it has five seconds
 * to send a whole request head, which is only peeked at, so that whoever takes the socket reads it
 * from the start. A refused guest gets a problem (RFC 9457) and a moment to read it. Must not
 * answer anything itself but refusals. Invariant: a guest is on the gate's list until its socket
 * is closed or handed over.
 */
#include "daemon/net/gate.h"

#include "daemon/log.h"
#include "daemon/loop/loop.h"
#include "daemon/net/answer.h"
#include "daemon/net/http.h"
#include "daemon/net/ws.h"
#include "protocol/metrics.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MS_NS           1000000ull
#define HEAD_WAIT_NS    (5000 * MS_NS)
#define LINGER_NS       (1000 * MS_NS) /* for a refused guest to read why */
#define ACCEPT_PAUSE_NS (100 * MS_NS)  /* when the process is out of descriptors */
#define ACCEPTS_A_TURN  64
#define DRAIN_BYTES     (256u * 1024) /* what a refused guest may still send */
#define GUESTS_OVER_MAX 256 /* beyond connections_max, so that even then a refusal can be read */

struct guest {
	struct gate *gate;
	struct guest *next, **link;
	struct loop_watch *watch;
	struct loop_timer *timer;
	int fd;
	size_t peeked; /* bytes of the head seen so far */
	bool refused;
	size_t drained;
};

struct gate {
	struct loop *loop;
	struct gate_options options;
	struct gate_listener {
		struct gate *gate;
		int fd;                   /* -1: none */
		struct loop_watch *watch; /* NULL while accepting pauses */
	} listeners[2];
	struct loop_timer *pause;
	struct guest *guests;
	uint32_t guest_count;
	char head[HEAD_BYTES];
};

/* ---- A guest's end. */

static void guest_free(struct guest *guest)
{
	*guest->link = guest->next;
	if (guest->next)
		guest->next->link = guest->link;
	guest->gate->guest_count--;
	loop_unwatch(guest->watch);
	loop_timer_destroy(guest->timer);
	if (guest->fd >= 0)
		close(guest->fd);
	free(guest);
}

static void guest_late(void *context)
{
	guest_free(context);
}

/* Reads on until the peer has closed: closing with bytes unread would reset the connection, and
 * the peer might never see the refusal. */
static void guest_drain(struct guest *guest)
{
	struct gate *gate = guest->gate;
	ssize_t n;

	while ((n = recv(guest->fd, gate->head, sizeof gate->head, 0)) > 0) {
		guest->drained += (size_t)n;
		if (guest->drained > DRAIN_BYTES)
			break;
	}
	if (n >= 0 || (errno != EAGAIN && errno != EINTR))
		guest_free(guest);
}

static void refusal_write(int fd, const struct problem *problem, const char *reader)
{
	json_t *object = problem_json(problem);
	char *body = json_dumps(object, JSON_COMPACT);
	char text[4096];
	const char *extra = problem->code == PROBLEM_UPGRADE_REQUIRED ? "Upgrade: websocket\r\n"
	                                                              : "";

	int n = snprintf(text, sizeof text,
	        "HTTP/1.1 %u Refused\r\nContent-Type: application/problem+json\r\n"
	        "Content-Length: %zu\r\nCache-Control: no-store\r\nVary: Origin\r\n" ANSWER_GUARDS
	        "%s%s%s%sConnection: close\r\n\r\n%s",
	        problem_status(problem->code), body ? strlen(body) : 0,
	        *reader ? "Access-Control-Allow-Origin: " : "", reader, *reader ? "\r\n" : "",
	        extra, body ? body : "");
	if (n > 0 && (size_t)n < sizeof text)
		(void)!send(fd, text, (size_t)n, MSG_NOSIGNAL);
	free(body);
	json_decref(object);
}

static void guest_refuse(struct guest *guest, const struct problem *problem, const char *reader)
{
	int one = 1;

	guest->gate->options.metrics->net_refused++;
	log_debug("gate: a request was refused: %s", problem->detail);
	refusal_write(guest->fd, problem, reader);
	shutdown(guest->fd, SHUT_WR);
	setsockopt(guest->fd, SOL_SOCKET, SO_RCVLOWAT, &one, sizeof one);
	guest->refused = true;
	loop_timer_set(guest->timer, LINGER_NS);
	guest_drain(guest);
}

/* ---- Reading the head. */

static void guest_hand_over(struct guest *guest, bool websocket)
{
	struct gate *gate = guest->gate;
	int one = 1, fd = guest->fd;

	if (guest->peeked)
		setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &one, sizeof one);
	guest->fd = -1;
	guest_free(guest);
	if (websocket)
		ws_adopt(gate->options.ws, fd);
	else
		http_adopt(gate->options.http, fd);
}

static bool hung_up(int fd)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLRDHUP};

	return poll(&poll_fd, 1, 0) > 0 && (poll_fd.revents & (POLLRDHUP | POLLHUP | POLLERR));
}

/* The head is left in the socket, so without a low-water mark the loop would be woken again at
 * once by the bytes already seen. */
static void guest_wait_for_more(struct guest *guest, size_t seen)
{
	int more = (int)seen + 1;
	struct problem problem;

	if (hung_up(guest->fd)) {
		problem_set(&problem, PROBLEM_BAD_REQUEST, "",
		        "the request ended before its empty line");
		guest_refuse(guest, &problem, "");
		return;
	}
	guest->peeked = seen;
	setsockopt(guest->fd, SOL_SOCKET, SO_RCVLOWAT, &more, sizeof more);
}

static void guest_read(struct guest *guest)
{
	struct gate *gate = guest->gate;
	struct problem problem;
	struct head head = {0};
	char reader[CALLER_ORIGIN_BYTES];
	bool websocket;

	ssize_t n = recv(guest->fd, gate->head, sizeof gate->head, MSG_PEEK);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		guest_free(guest);
		return;
	}
	int r = head_parse(gate->head, (size_t)n, &head, &problem);
	if (r == HEAD_PARTIAL) {
		guest_wait_for_more(guest, (size_t)n);
		return;
	}
	if (!r)
		r = head_check(&head, &gate->options.rules, &problem);
	if (!r)
		r = head_route(&head, &websocket, &problem);
	if (!r) {
		guest_hand_over(guest, websocket);
		return;
	}
	head_reader(&head, r, reader);
	guest_refuse(guest, &problem, reader);
}

static void guest_readable(void *context)
{
	struct guest *guest = context;

	if (guest->refused)
		guest_drain(guest);
	else
		guest_read(guest);
}

/* ---- Accepting. */

static int guest_create(struct gate *gate, int fd, struct guest **ret_guest)
{
	struct guest *guest = calloc(1, sizeof *guest);

	if (!guest)
		return -ENOMEM;
	guest->gate = gate;
	guest->fd = fd;
	guest->next = gate->guests;
	guest->link = &gate->guests;
	if (guest->next)
		guest->next->link = &guest->next;
	gate->guests = guest;
	gate->guest_count++;
	int r = loop_timer_create(gate->loop, guest_late, guest, &guest->timer);
	if (!r)
		r = loop_watch(gate->loop, fd, guest_readable, guest, &guest->watch);
	if (r) {
		guest->fd = -1; /* still the caller's */
		guest_free(guest);
		return r;
	}
	*ret_guest = guest;
	return 0;
}

static uint32_t connections(const struct gate *gate)
{
	return gate->guest_count + http_connections(gate->options.http) +
	       ws_connections(gate->options.ws);
}

static void accepted(struct gate *gate, int fd)
{
	uint32_t open = connections(gate), most = gate->options.connections_max;
	struct guest *guest;
	struct problem problem;
	int one = 1;

	gate->options.metrics->net_accepted++;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (open >= most + GUESTS_OVER_MAX || guest_create(gate, fd, &guest)) {
		close(fd);
		return;
	}
	loop_timer_set(guest->timer, HEAD_WAIT_NS);
	if (open < most) {
		guest_read(guest); /* browsers send the head right after connecting */
		return;
	}
	problem_set(&problem, PROBLEM_TOO_MANY, "",
	        "%u connections are open, which is the limit; close some and try again", open);
	guest_refuse(guest, &problem, "");
}

static void accept_pause(struct gate *gate)
{
	log_warning(
	        "gate: cannot accept a connection: %s; accepting again in 100 ms", strerror(errno));
	for (int i = 0; i < 2; i++) {
		loop_unwatch(gate->listeners[i].watch);
		gate->listeners[i].watch = NULL;
	}
	loop_timer_set(gate->pause, ACCEPT_PAUSE_NS);
}

static void listener_readable(void *context)
{
	struct gate_listener *listener = context;

	for (int i = 0; i < ACCEPTS_A_TURN; i++) {
		int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			accepted(listener->gate, fd);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			accept_pause(listener->gate);
		if (errno != ECONNABORTED && errno != EINTR)
			return;
	}
}

static int listeners_watch(struct gate *gate)
{
	int r = 0;

	for (int i = 0; i < 2 && !r; i++) {
		struct gate_listener *listener = &gate->listeners[i];
		if (listener->fd >= 0 && !listener->watch)
			r = loop_watch(gate->loop, listener->fd, listener_readable, listener,
			        &listener->watch);
	}
	return r;
}

static void pause_over(void *context)
{
	struct gate *gate = context;

	if (listeners_watch(gate))
		loop_timer_set(gate->pause, ACCEPT_PAUSE_NS);
}

/* ---- The gate's own life. */

static struct gate *gate_allocate(const int listeners[2])
{
	struct gate *gate = calloc(1, sizeof *gate);

	for (int i = 0; i < 2; i++) {
		if (gate)
			gate->listeners[i] = (struct gate_listener){
			        .gate = gate, .fd = listeners[i]};
		else if (listeners[i] >= 0)
			close(listeners[i]);
	}
	return gate;
}

int gate_create(struct loop *loop, const struct gate_options *options, struct gate **ret_gate)
{
	struct gate *gate = gate_allocate(options->listeners);

	if (!gate)
		return -ENOMEM;
	gate->loop = loop;
	gate->options = *options;
	int r = loop_timer_create(loop, pause_over, gate, &gate->pause);
	if (!r)
		r = listeners_watch(gate);
	if (r) {
		gate_destroy(gate);
		return r;
	}
	*ret_gate = gate;
	return 0;
}

void gate_destroy(struct gate *gate)
{
	if (!gate)
		return;
	while (gate->guests)
		guest_free(gate->guests);
	for (int i = 0; i < 2; i++) {
		loop_unwatch(gate->listeners[i].watch);
		if (gate->listeners[i].fd >= 0)
			close(gate->listeners[i].fd);
	}
	loop_timer_destroy(gate->pause);
	free(gate);
}
