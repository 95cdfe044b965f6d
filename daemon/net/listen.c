/* SPDX-License-Identifier: Apache-2.0
 *
 * The listening sockets: one port on both loopback addresses, because browsers resolve localhost
 * to either. Never any other address.
 */
#include "daemon/net/gate.h"

#include "base/error.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LISTEN_BACKLOG 1024
#define ANY_PORT_TRIES 16

static int listen_at(const struct sockaddr *address, socklen_t bytes)
{
	int one = 1, fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (address->sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
	if (!bind(fd, address, bytes) && !listen(fd, LISTEN_BACKLOG))
		return fd;
	int r = -errno;
	close(fd);
	return r;
}

static int listen_v4(uint16_t port)
{
	struct sockaddr_in address = {
	        .sin_family = AF_INET,
	        .sin_port = htons(port),
	        .sin_addr = {htonl(INADDR_LOOPBACK)},
	};

	return listen_at((struct sockaddr *)&address, sizeof address);
}

static int listen_v6(uint16_t port)
{
	struct sockaddr_in6 address = {
	        .sin6_family = AF_INET6,
	        .sin6_port = htons(port),
	        .sin6_addr = IN6ADDR_LOOPBACK_INIT,
	};

	return listen_at((struct sockaddr *)&address, sizeof address);
}

static uint16_t port_of(int fd)
{
	struct sockaddr_in address = {0};
	socklen_t bytes = sizeof address;

	getsockname(fd, (struct sockaddr *)&address, &bytes);
	return ntohs(address.sin_port);
}

static int refused(struct error *err, int r, const char *address, uint16_t port)
{
	const char *fix = r == -EADDRINUSE ? "stop the other program or choose another --port"
	                  : r == -EACCES   ? "choose a --port above 1023"
	                                   : "choose another --port";

	error_set(
	        err, 0, "port", "cannot listen on %s:%u: %s; %s", address, port, strerror(-r), fix);
	return r == -EADDRINUSE || r == -EACCES ? r : -EIO;
}

/* -EADDRINUSE where IPv6 is there but somebody else has the port on it. */
static int listen_both(uint16_t port, int ret_listeners[2], uint16_t *ret_port, struct error *err)
{
	int v4 = listen_v4(port);
	if (v4 < 0)
		return refused(err, v4, "127.0.0.1", port);
	uint16_t bound = port_of(v4);
	int v6 = listen_v6(bound);
	if (v6 == -EADDRINUSE) {
		close(v4);
		return refused(err, v6, "[::1]", bound);
	}
	ret_listeners[0] = v4;
	ret_listeners[1] = v6 < 0 ? -1 : v6;
	*ret_port = bound;
	return 0;
}

int gate_listen(uint16_t port, int ret_listeners[2], uint16_t *ret_port, struct error *err)
{
	int r = -EADDRINUSE;

	for (int i = 0; i < (port ? 1 : ANY_PORT_TRIES) && r == -EADDRINUSE; i++)
		r = listen_both(port, ret_listeners, ret_port, err);
	return r;
}
