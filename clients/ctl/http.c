/* SPDX-License-Identifier: Apache-2.0
 *
 * Asks the daemon over REST: one request, one connection, the whole answer. What only the device's
 * owner may call goes over the owner's unix socket, everything else over the port. Speaks no more
 * HTTP than the daemon's own answers need (RFC 9112: a response that ends where the connection
 * does).
 */
#include "clients/ctl/ctl.h"

#include "base/buffer.h"
#include "base/cleanup.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_SECONDS    30
#define SOCKET_PATH_BYTES 4096
#define ANSWER_BYTES_MAX  (64u << 20)

int refused(const json_t *problem)
{
	fprintf(stderr, "nnjitctl: %s [%s]\n", text_at(problem, "detail"),
	        text_at(problem, "code"));
	return CTL_FAILED;
}

int unreachable(const struct ctl *ctl, const char *why)
{
	fprintf(stderr,
	        "nnjitctl: no nnjitd answers on port %u (%s); start it, or name its port with "
	        "--port\n",
	        ctl->port, why);
	return CTL_FAILED;
}

static const char *const option_params[OPTION_COUNT] = {
#define OPTION(id, name, argument, param, ...) [OPTION_##id] = param,
#include "clients/ctl/options.def"
};

static void set_param(json_t *params, enum method method, const char *name, const char *value)
{
	if (name && value && method_takes(method, name))
		json_object_set_new(params, name, json_string(value));
}

json_t *ask_params(const struct ctl *ctl, enum method method)
{
	json_t *params = json_object();

	set_param(params, method, "op", *ctl->words ? ctl->words : NULL);
	for (uint32_t i = 0; i < OPTION_COUNT; i++)
		set_param(params, method, option_params[i], ctl->given[i]);
	return params;
}

static void put_encoded(struct buffer *buffer, const char *text)
{
	static const char plain[] =
	        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

	for (; *text; text++) {
		if (strchr(plain, *text))
			buffer_putc(buffer, *text);
		else
			buffer_printf(buffer, "%%%02X", (unsigned char)*text);
	}
}

static void write_request(
        const struct ctl *ctl, enum method method, const json_t *params, struct buffer *request)
{
	const char *name;
	json_t *value;
	char separator = '?';

	buffer_printf(request, "%s %s", methods[method].verb, methods[method].path);
	json_object_foreach((json_t *)params, name, value)
	{
		buffer_putc(request, separator);
		put_encoded(request, name);
		buffer_putc(request, '=');
		put_encoded(request, json_string_value(value));
		separator = '&';
	}
	buffer_printf(request,
	        " HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nAccept: application/json\r\n"
	        "Connection: close\r\n\r\n",
	        ctl->port);
}

/* ---- Connections. */

static int connected(const struct sockaddr *address, socklen_t bytes)
{
	struct timeval limit = {.tv_sec = ANSWER_SECONDS};
	int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
	if (!connect(fd, address, bytes))
		return fd;
	int r = -errno;
	close(fd);
	return r;
}

static int open_port(uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
	        .sin_port = htons(port),
	        .sin_addr = {htonl(INADDR_LOOPBACK)}};

	return connected((struct sockaddr *)&address, sizeof address);
}

/* Where a daemon puts its socket by itself: as a unit, else as root or as a user. */
static void find_socket(const struct ctl *ctl, char path[static SOCKET_PATH_BYTES])
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	bool xdg = state && *state == '/';
	const char *given = ctl->given[OPTION_SOCKET];

	snprintf(path, SOCKET_PATH_BYTES, "%s", given ? given : "/run/nnjit/nnjitd.sock");
	if (given || !access(path, F_OK))
		return;
	snprintf(path, SOCKET_PATH_BYTES, "/var/lib/nnjit/nnjitd.sock");
	if (geteuid() && (xdg || home))
		snprintf(path, SOCKET_PATH_BYTES, "%s%s/nnjit/nnjitd.sock", xdg ? state : home,
		        xdg ? "" : "/.local/state");
}

static int open_socket(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	size_t length = strlen(path);

	if (length >= sizeof address.sun_path)
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, length);
	return connected((struct sockaddr *)&address, sizeof address);
}

/* ---- One request. */

static int send_all(int fd, const struct buffer *request)
{
	for (size_t sent = 0; sent < request->length;) {
		ssize_t n = send(fd, request->data + sent, request->length - sent, MSG_NOSIGNAL);
		if (n < 0)
			return -errno;
		sent += (size_t)n;
	}
	return 0;
}

static int receive_all(int fd, struct buffer *answer)
{
	char part[16384];
	ssize_t n;

	while ((n = recv(fd, part, sizeof part, 0)) > 0) {
		buffer_append(answer, part, (size_t)n);
		if (answer->failed || answer->length > ANSWER_BYTES_MAX)
			return -EMSGSIZE;
	}
	return n < 0 ? (errno == EAGAIN ? -ETIMEDOUT : -errno) : 0;
}

/* fd: closed here; negative: what opening it answered. */
static int exchange(int fd, const struct buffer *request, struct buffer *answer)
{
	if (fd < 0)
		return fd;
	int r = send_all(fd, request);
	if (!r)
		r = receive_all(fd, answer);
	close(fd);
	return r;
}

/* The body of the answer as JSON, and the HTTP status; NULL if it is no such answer. */
static json_t *read_answer(const struct buffer *answer, int *ret_status)
{
	const char *body = answer->length ? strstr(answer->data, "\r\n\r\n") : NULL;

	if (!body || sscanf(answer->data, "HTTP/1.%*d %d", ret_status) != 1)
		return NULL;
	body += 4;
	return json_loadb(
	        body, answer->length - (size_t)(body - answer->data), JSON_DECODE_ANY, NULL);
}

static int no_socket(const char *path, int code)
{
	fprintf(stderr,
	        "nnjitctl: no nnjitd answers on the socket %s (%s); start it, name its socket with "
	        "--socket, or ask as root or as a member of the group nnjit\n",
	        path, strerror(-code));
	return CTL_FAILED;
}

int ask(const struct ctl *ctl, enum method method, json_t *params, json_t **ret_result)
{
	AUTO(buffer_free) struct buffer request = {0}, answer = {0};
	enum method_caller may = methods[method].caller;
	bool owner = may == CALLER_ADMIN || may == CALLER_OWNER;
	char path[SOCKET_PATH_BYTES];
	int status = 0, r = -ENOMEM;

	write_request(ctl, method, params, &request);
	json_decref(params);
	if (owner)
		find_socket(ctl, path);
	if (!request.failed)
		r = exchange(owner ? open_socket(path) : open_port(ctl->port), &request, &answer);
	if (r)
		return owner ? no_socket(path, r) : unreachable(ctl, strerror(-r));
	json_t *body = read_answer(&answer, &status);
	if (!body)
		return owner ? no_socket(path, -EACCES)
		             : unreachable(ctl, "what answers there is not nnjitd");
	if (status != 200) {
		refused(body);
		json_decref(body);
		return CTL_FAILED;
	}
	*ret_result = body;
	return CTL_DONE;
}
