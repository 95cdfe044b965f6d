/* SPDX-License-Identifier: Apache-2.0
 *
 * A client on plain sockets for tests and benchmarks of the network side: it can send what no
 * proper client would, and it can start an nnjitd of its own. WebSocket after RFC 6455.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* ---- A daemon of one's own. */
struct client_daemon {
	pid_t pid;
	uint16_t port;
	char dir[64]; /* its state folder, under the system's temporary one */
};
/* Starts ./nnjitd (or what NNJITD names) on any free port, with more arguments (NULL-terminated;
 * NULL: none), and waits until it listens. Its log goes to DIR/log. -ENOENT: no such program;
 * -ETIME: it did not listen within 10 s. */
int client_daemon_start(const char *const *more, struct client_daemon *ret_daemon);
/* SIGTERM, wait, remove the folder. The exit status as of waitpid. */
int client_daemon_stop(struct client_daemon *daemon);
uint64_t client_daemon_cpu_ms(const struct client_daemon *daemon);
double client_daemon_rss_mb(const struct client_daemon *daemon);

/* ---- Bytes. Descriptors are blocking, with a receive timeout of 10 s; -1 where it fails. */
int client_connect(uint16_t port);
int client_connect_v6(uint16_t port);
bool client_send(int fd, const void *bytes, size_t count);
/* Until the peer closes, the timeout, or the space is full less one; NUL-terminated. */
size_t client_read_all(int fd, char *space, size_t bytes);
/* True if the peer has closed or reset the connection within this time; discards what it sends. */
bool client_closed_within(int fd, int wait_ms);

/* ---- HTTP. */
/* Reads one response with its body by Content-Length. The status, or 0. */
int client_read_response(int fd, char *space, size_t bytes);
/* One request on a connection of its own. */
int client_get(uint16_t port, const char *path, char *space, size_t bytes);

/* ---- WebSocket. */
int client_ws_open(uint16_t port); /* connected and upgraded, or -1 */
enum {
	CLIENT_WS_MORE = 0,
	CLIENT_WS_TEXT = 1,
	CLIENT_WS_BINARY = 2,
	CLIENT_WS_CLOSE = 8,
	CLIENT_WS_PING = 9,
	CLIENT_WS_PONG = 10
};
/* One masked frame. */
bool client_ws_send(int fd, int opcode, bool final, const void *bytes, size_t count);
bool client_ws_text(int fd, const char *text);
/* One frame; its opcode, or -1. The payload is NUL-terminated. */
int client_ws_read(int fd, char *space, size_t bytes, size_t *ret_length);
