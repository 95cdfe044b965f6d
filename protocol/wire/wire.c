/* SPDX-License-Identifier: Apache-2.0
 *
 * The worker's wire: lines of JSON in and out of a stream socket. Both ends use it. What comes in
 * is not trusted: a line that is no object, or that never ends, costs that line and nothing else.
 */
#include "protocol/wire/wire.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* The longest line taken (a reply of many samples is far below), and how long a peer that reads
 * nothing is waited for. */
#define LINE_BYTES_MAX  (4u << 20)
#define SEND_TIMEOUT_MS 2000

void wire_free(struct wire *wire)
{
	if (!wire)
		return;
	free(wire->data);
	*wire = (struct wire){0};
}

/* Waits until a non-blocking descriptor takes more. 0 or -EIO. */
static int wait_writable(int fd)
{
	struct pollfd poller = {.fd = fd, .events = POLLOUT};
	int ready;

	do
		ready = poll(&poller, 1, SEND_TIMEOUT_MS);
	while (ready < 0 && errno == EINTR);
	return ready > 0 ? 0 : -EIO;
}

static int send_all(int fd, const char *data, size_t length)
{
	while (length) {
		ssize_t sent = send(fd, data, length, MSG_NOSIGNAL);
		if (sent >= 0) {
			data += sent;
			length -= (size_t)sent;
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			int failure = wait_writable(fd);
			if (failure)
				return failure;
		} else if (errno != EINTR) {
			return errno == EPIPE || errno == ECONNRESET ? -EPIPE : -EIO;
		}
	}
	return 0;
}

int wire_send(int fd, const json_t *message)
{
	char *line = json_dumps(message, JSON_COMPACT);

	if (!line)
		return -ENOMEM;
	/* The newline takes the place of the terminating NUL, so that one send carries both. */
	size_t length = strlen(line);
	line[length] = '\n';
	int failure = send_all(fd, line, length + 1);
	free(line);
	return failure;
}

/* Takes the first whole line out of what was read. -EAGAIN where there is none yet. */
static int take_line(struct wire *wire, size_t searched, json_t **ret_message)
{
	char *data = wire->data;
	char *newline = wire->length > searched
	                        ? memchr(data + searched, '\n', wire->length - searched)
	                        : NULL;

	if (!newline)
		return -EAGAIN;
	size_t line = (size_t)(newline - data);
	json_t *message = json_loadb(data, line, JSON_REJECT_DUPLICATES, NULL);
	wire->length -= line + 1;
	memmove(data, newline + 1, wire->length);
	if (!json_is_object(message)) {
		json_decref(message);
		return -EBADMSG;
	}
	*ret_message = message;
	return 0;
}

static int grow(struct wire *wire)
{
	size_t capacity = wire->capacity ? 2 * wire->capacity : 4096;
	char *data = realloc(wire->data, capacity);

	if (!data)
		return -ENOMEM;
	wire->data = data;
	wire->capacity = capacity;
	return 0;
}

/* One read into the free end of the buffer. */
static int fill(struct wire *wire, int fd)
{
	ssize_t got;

	if (wire->length == wire->capacity && grow(wire))
		return -ENOMEM;
	do
		got = recv(fd, wire->data + wire->length, wire->capacity - wire->length, 0);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK ? -EAGAIN : -EPIPE;
	wire->length += (size_t)got;
	return got ? 0 : -EPIPE;
}

int wire_receive(struct wire *wire, int fd, json_t **ret_message)
{
	size_t searched = 0;

	for (;;) {
		int outcome = take_line(wire, searched, ret_message);
		if (outcome != -EAGAIN)
			return outcome;
		if (wire->length >= LINE_BYTES_MAX) {
			wire->length = 0;
			return -EBADMSG;
		}
		searched = wire->length;
		outcome = fill(wire, fd);
		if (outcome)
			return outcome;
	}
}
