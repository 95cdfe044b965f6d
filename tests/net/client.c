/* SPDX-License-Identifier: Apache-2.0
 *
 * The plain-socket client. It sends what it is told to, byte for byte.
 */
#include "tests/net/client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_WAIT_MS 10000
#define ARGUMENTS_MAX 32

/* ---- A daemon of one's own. */

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

static const char *program(void)
{
	const char *named = getenv("NNJITD");

	return named ? named : "./nnjitd";
}

static void run_daemon(const char *dir, const char *const *more)
{
	const char *source = getenv("NNJIT_SOURCE");
	char log[80], pages[4096];

	snprintf(pages, sizeof pages, "%s/clients/web", source ? source : ".");
	const char *arguments[ARGUMENTS_MAX] = {
	        program(), "--state-dir", dir, "--port", "0", "--page-dir", pages};
	for (size_t n = 7; more && *more && n < ARGUMENTS_MAX - 1; n++)
		arguments[n] = *more++;
	snprintf(log, sizeof log, "%s/log", dir);
	int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (fd >= 0)
		dup2(fd, 2);
	execv(program(), (char *const *)arguments);
	_exit(127);
}

static uint16_t read_port(const char *dir)
{
	char path[80];
	unsigned port = 0;

	snprintf(path, sizeof path, "%s/port", dir);
	FILE *file = fopen(path, "re");
	if (!file)
		return 0;
	if (fscanf(file, "%u", &port) != 1)
		port = 0;
	fclose(file);
	return (uint16_t)port;
}

int client_daemon_start(const char *const *more, struct client_daemon *ret_daemon)
{
	struct client_daemon daemon = {.dir = "/tmp/nnjit-net-XXXXXX"};

	if (access(program(), X_OK))
		return -ENOENT;
	if (!mkdtemp(daemon.dir))
		return -errno;
	daemon.pid = fork();
	if (daemon.pid < 0)
		return -errno;
	if (daemon.pid == 0)
		run_daemon(daemon.dir, more);
	for (int waited = 0; waited < START_WAIT_MS && !daemon.port; waited += 10) {
		if (waitpid(daemon.pid, NULL, WNOHANG) == daemon.pid)
			return -ECHILD;
		daemon.port = read_port(daemon.dir);
		usleep(10000);
	}
	*ret_daemon = daemon;
	if (daemon.port)
		return 0;
	client_daemon_stop(ret_daemon);
	return -ETIME;
}

int client_daemon_stop(struct client_daemon *daemon)
{
	int status = -1;

	if (daemon->pid <= 0)
		return -1;
	kill(daemon->pid, SIGTERM);
	for (int i = 0; i < 500 && waitpid(daemon->pid, &status, WNOHANG) == 0; i++)
		usleep(10000);
	if (status == -1) {
		kill(daemon->pid, SIGKILL);
		waitpid(daemon->pid, &status, 0);
	}
	nftw(daemon->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	daemon->pid = 0;
	return status;
}

uint64_t client_daemon_cpu_ms(const struct client_daemon *daemon)
{
	char path[64];
	unsigned long user = 0, kernel = 0;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)daemon->pid);
	FILE *file = fopen(path, "re");
	if (!file)
		return 0;
	if (fscanf(file, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
	            &kernel) != 2)
		user = kernel = 0;
	fclose(file);
	return (user + kernel) * 1000u / (uint64_t)sysconf(_SC_CLK_TCK);
}

double client_daemon_rss_mb(const struct client_daemon *daemon)
{
	char path[64], line[256];
	double kib = 0;

	snprintf(path, sizeof path, "/proc/%d/status", (int)daemon->pid);
	FILE *file = fopen(path, "re");
	if (!file)
		return 0;
	while (fgets(line, sizeof line, file))
		if (sscanf(line, "VmRSS: %lf", &kib) == 1)
			break;
	fclose(file);
	return kib / 1024;
}

/* ---- Bytes. */

static int connect_to(const struct sockaddr *address, socklen_t bytes)
{
	struct timeval wait = {.tv_sec = 10};
	int one = 1, fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (!connect(fd, address, bytes))
		return fd;
	close(fd);
	return -1;
}

int client_connect(uint16_t port)
{
	struct sockaddr_in address = {
	        .sin_family = AF_INET,
	        .sin_port = htons(port),
	        .sin_addr = {htonl(INADDR_LOOPBACK)},
	};

	return connect_to((struct sockaddr *)&address, sizeof address);
}

int client_connect_v6(uint16_t port)
{
	struct sockaddr_in6 address = {
	        .sin6_family = AF_INET6,
	        .sin6_port = htons(port),
	        .sin6_addr = IN6ADDR_LOOPBACK_INIT,
	};

	return connect_to((struct sockaddr *)&address, sizeof address);
}

bool client_send(int fd, const void *bytes, size_t count)
{
	const char *at = bytes;

	while (count) {
		ssize_t n = send(fd, at, count, MSG_NOSIGNAL);
		if (n <= 0)
			return false;
		at += n;
		count -= (size_t)n;
	}
	return true;
}

size_t client_read_all(int fd, char *space, size_t bytes)
{
	size_t length = 0;
	ssize_t n = 0;

	while (length < bytes - 1 && (n = recv(fd, space + length, bytes - 1 - length, 0)) > 0)
		length += (size_t)n;
	space[length] = '\0';
	return length;
}

bool client_closed_within(int fd, int wait_ms)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	char space[4096];

	while (poll(&poll_fd, 1, wait_ms) > 0)
		if (recv(fd, space, sizeof space, 0) <= 0)
			return true;
	return false;
}

static bool read_exactly(int fd, void *space, size_t bytes)
{
	char *at = space;

	while (bytes) {
		ssize_t n = recv(fd, at, bytes, 0);
		if (n <= 0)
			return false;
		at += n;
		bytes -= (size_t)n;
	}
	return true;
}

/* ---- HTTP. */

static size_t body_length(const char *head)
{
	const char *field = strcasestr(head, "\r\nContent-Length:");

	return field ? strtoul(field + 17, NULL, 10) : 0;
}

int client_read_response(int fd, char *space, size_t bytes)
{
	size_t length = 0;
	int status = 0;

	while (length < bytes - 1) {
		if (recv(fd, space + length, 1, 0) != 1)
			return 0;
		space[++length] = '\0';
		if (length >= 4 && !memcmp(space + length - 4, "\r\n\r\n", 4))
			break;
	}
	if (sscanf(space, "HTTP/1.1 %d", &status) != 1)
		return 0;
	size_t body = status == 304 ? 0 : body_length(space);
	if (body >= bytes - length || !read_exactly(fd, space + length, body))
		return 0;
	space[length + body] = '\0';
	return status;
}

int client_get(uint16_t port, const char *path, char *space, size_t bytes)
{
	char request[1024];
	int fd = client_connect(port);

	snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n\r\n", path,
	        port);
	int status = fd >= 0 && client_send(fd, request, strlen(request))
	                     ? client_read_response(fd, space, bytes)
	                     : 0;
	if (fd >= 0)
		close(fd);
	return status;
}

/* ---- WebSocket. */

int client_ws_open(uint16_t port)
{
	char text[1024];
	int fd = client_connect(port);

	if (fd < 0)
		return -1;
	snprintf(text, sizeof text,
	        "GET /v1/ws HTTP/1.1\r\nHost: localhost:%u\r\nUpgrade: websocket\r\n"
	        "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: nnjit.v1\r\n\r\n",
	        port);
	if (client_send(fd, text, strlen(text)) &&
	        client_read_response(fd, text, sizeof text) == 101 &&
	        strstr(text, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="))
		return fd;
	close(fd);
	return -1;
}

static size_t frame_head(unsigned char *head, int opcode, bool final, size_t count)
{
	size_t n = 2;

	head[0] = (unsigned char)((final ? 0x80 : 0) | opcode);
	head[1] = (unsigned char)(0x80 | (count < 126 ? count : count < 65536 ? 126 : 127));
	for (int i = count < 126 ? -1 : count < 65536 ? 1 : 7; i >= 0; i--)
		head[n++] = (unsigned char)((uint64_t)count >> (8 * i));
	return n;
}

bool client_ws_send(int fd, int opcode, bool final, const void *bytes, size_t count)
{
	static const unsigned char mask[4] = {0x37, 0xfa, 0x21, 0x3d};
	unsigned char *frame = malloc(14 + count);
	const unsigned char *from = bytes;

	if (!frame)
		return false;
	size_t n = frame_head(frame, opcode, final, count);
	memcpy(frame + n, mask, 4);
	n += 4;
	for (size_t i = 0; i < count; i++)
		frame[n + i] = from[i] ^ mask[i & 3];
	bool sent = client_send(fd, frame, n + count);
	free(frame);
	return sent;
}

bool client_ws_text(int fd, const char *text)
{
	return client_ws_send(fd, CLIENT_WS_TEXT, true, text, strlen(text));
}

int client_ws_read(int fd, char *space, size_t bytes, size_t *ret_length)
{
	unsigned char head[2], more[8];

	if (!read_exactly(fd, head, 2))
		return -1;
	uint64_t length = head[1] & 0x7f;
	size_t extra = length == 126 ? 2 : length == 127 ? 8 : 0;
	if (extra && !read_exactly(fd, more, extra))
		return -1;
	for (size_t i = 0; i < extra; i++)
		length = (i ? length << 8 : 0) | more[i];
	if (length >= bytes || !read_exactly(fd, space, length))
		return -1;
	space[length] = '\0';
	*ret_length = length;
	return head[0] & 0x0f;
}
