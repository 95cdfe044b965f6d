/* SPDX-License-Identifier: Apache-2.0
 *
 * serve: what asking the daemon costs. Starts an nnjitd of its own, tunes one small operator, then
 * measures: `kernel` for the stored kernel over WebSocket, from a client on plain sockets; the same
 * kernel over REST by wrk, in turns with one nginx worker serving the same bytes as a file; memory
 * with 1,000 idle WebSockets; and cold requests, for operators nobody asked for before.
 * The WebSocket client is measured twice: looking for the answer without sleeping, so that the
 * figure is the daemon's (ws_...), and asleep in recv, which adds what this machine takes to wake a
 * core (ws_sleeping_...). Last line: ws_p50_us ws_p99_us ws_sleeping_p50_us ws_sleeping_p99_us
 * rest_rps nginx_rps rss_mb idle_ws cold_predicted_us.
 */
#include "tests/bench/times.h"
#include "tests/net/client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define OP       "matmul m=32 n=32 k=32"
#define OP_QUERY "matmul+m=32+n=32+k=32"
#define GETS     20000
#define WARM_UP  1000
#define COLD     40
#define IDLE     1000
#define ROUNDS   3
#define ROUND_S  "3"
#define DEVICE_S 30
#define TUNE_S   120
#define SPACE    (1 << 18)

static char space[SPACE];

struct figures {
	double ws_p50_us, ws_p99_us, sleeping_p50_us, sleeping_p99_us, rest_rps, nginx_rps, rss_mb,
	        cold_us, cold_worst_us;
};

/* ---- Ends. */

static struct client_daemon daemon_;
static pid_t nginx;

static void stop_nginx(void)
{
	if (nginx <= 0)
		return;
	kill(nginx, SIGTERM);
	waitpid(nginx, NULL, 0);
	nginx = 0;
}

static void clean(void)
{
	stop_nginx();
	if (daemon_.pid > 0)
		client_daemon_stop(&daemon_);
}

__attribute__((noreturn)) static void end(int status, const char *why)
{
	printf("serve: %s\n", why);
	fflush(stdout);
	clean();
	_exit(status);
}

/* ---- The daemon, with one tuned kernel. */

static void wait_for_device(void)
{
	for (int i = 0; i < DEVICE_S * 10; i++) {
		if (client_get(daemon_.port, "/v1/devices", space, sizeof space) == 200 &&
		        strstr(space, "\"driver"))
			return;
		usleep(100000);
	}
	end(77, "no GPU device was found (install mesa-vulkan-drivers for a software one)");
}

static const char *ask(int ws, const char *message)
{
	size_t length;

	if (!client_ws_text(ws, message) || client_ws_read(ws, space, sizeof space, &length) < 0)
		end(1, "the WebSocket broke");
	return space;
}

static void tune(void)
{
	int watch = client_ws_open(daemon_.port), ws = client_ws_open(daemon_.port);

	if (watch < 0 || ws < 0)
		end(1, "no WebSocket could be opened");
	if (strstr(ask(watch, "{\"id\":1,\"method\":\"watch\",\"params\":{\"op\":\"" OP "\"}}"),
	            "\"error\""))
		end(1, space);
	for (int i = 0; i < TUNE_S * 5; i++) {
		if (strstr(ask(ws, "{\"id\":2,\"method\":\"kernel\",\"params\":{\"op\":\"" OP
		                   "\"}}"),
		            "\"status\":\"tuned\"")) {
			close(watch);
			close(ws);
			return;
		}
		usleep(200000);
	}
	end(1, "the kernel was not tuned in time");
}

static void start(void)
{
	int r = client_daemon_start(NULL, &daemon_);

	if (r == -ENOENT)
		end(77, "./nnjitd is not built; run from the build folder");
	if (r)
		end(1, "nnjitd did not start");
	wait_for_device();
}

/* ---- WebSocket. */

/* Until there is something to read or the connection has ended. */
static void look_for_answer(int fd)
{
	char byte;

	while (recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN)
		continue;
}

static double time_ask(int ws, const char *message, bool asleep)
{
	size_t length;
	double began = now_us();

	if (!client_ws_text(ws, message))
		end(1, "the WebSocket broke");
	if (!asleep)
		look_for_answer(ws);
	if (client_ws_read(ws, space, sizeof space, &length) < 0)
		end(1, "the WebSocket broke");
	return now_us() - began;
}

static void measure_ws(bool asleep, double *ret_p50_us, double *ret_p99_us)
{
	static double times[GETS];
	int ws = client_ws_open(daemon_.port);

	for (int i = -WARM_UP; i < GETS; i++) {
		double us = time_ask(ws,
		        "{\"id\":7,\"method\":\"kernel\",\"params\":{\"op\":\"" OP "\"}}", asleep);
		if (i >= 0)
			times[i] = us;
	}
	if (!strstr(space, "\"tuned\""))
		end(1, "the answer is not the tuned kernel");
	close(ws);
	*ret_p50_us = percentile(times, GETS, 0.5);
	*ret_p99_us = percentile(times, GETS, 0.99);
	printf("WebSocket kernel that is stored     p50 %7.1f us   p99 %7.1f us   client %s\n",
	        *ret_p50_us, *ret_p99_us, asleep ? "asleep in recv" : "looking");
}

static void measure_idle(struct figures *figures)
{
	static int open[IDLE];
	double before = client_daemon_rss_mb(&daemon_);

	for (int i = 0; i < IDLE; i++) {
		open[i] = client_ws_open(daemon_.port);
		if (open[i] < 0)
			end(1, "1,000 WebSockets could not be opened (see ulimit -n)");
	}
	figures->rss_mb = client_daemon_rss_mb(&daemon_);
	printf("memory of nnjitd                   %.1f MB, with %d idle WebSockets %.1f MB\n",
	        before, IDLE, figures->rss_mb);
	for (int i = 0; i < IDLE; i++)
		close(open[i]);
}

/* On a daemon that has just started, so that its jobs do not compete for the processor yet (the
 * device may be this processor); each request names a shape of its own. */
static void measure_cold(struct figures *figures)
{
	client_daemon_stop(&daemon_);
	start();
	double times[COLD];
	int ws = client_ws_open(daemon_.port);

	for (int i = 0; i < COLD; i++) {
		char message[160];
		snprintf(message, sizeof message,
		        "{\"id\":%d,\"method\":\"kernel\",\"params\":{\"op\":\"matmul m=%d n=%d "
		        "k=%d\"}}",
		        i, 64 + i, 96 + 4 * i, 128 + i);
		times[i] = time_ask(ws, message, true);
		if (!strstr(space, "\"code\"") || strstr(space, "\"status\":\"tuned\""))
			end(1, space);
	}
	close(ws);
	figures->cold_us = percentile(times, COLD, 0.5);
	figures->cold_worst_us = times[COLD - 1];
	printf("WebSocket kernel, cold (predicted) p50 %7.1f us   worst %5.1f us of %d\n",
	        figures->cold_us, figures->cold_worst_us, COLD);
}

/* ---- REST against nginx. */

static bool have(const char *program)
{
	char command[64];

	snprintf(command, sizeof command, "command -v %s >/dev/null 2>&1", program);
	return system(command) == 0;
}

static uint16_t free_port(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t bytes = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, bytes) ||
	        getsockname(fd, (struct sockaddr *)&address, &bytes))
		end(1, "no free port");
	close(fd);
	return ntohs(address.sin_port);
}

static void write_file(const char *name, const char *text, size_t length)
{
	char path[160];

	snprintf(path, sizeof path, "%s/nginx/%s", daemon_.dir, name);
	FILE *file = fopen(path, "we");
	if (!file || fwrite(text, 1, length, file) != length || fclose(file))
		end(1, "a file for nginx could not be written");
	chmod(path, 0644);
}

/* Set up for speed: one worker, no access log, the file kept open, connections kept alive. */
static void write_nginx_config(uint16_t port)
{
	char text[1536], *dir = daemon_.dir;

	int n = snprintf(text, sizeof text,
	        "%sdaemon off;\nmaster_process on;\nworker_processes 1;\npid %s/nginx/pid;\n"
	        "error_log %s/nginx/error;\nevents { worker_connections 1024; }\n"
	        "http {\naccess_log off;\nsendfile on;\ntcp_nopush on;\ntcp_nodelay on;\n"
	        "keepalive_requests 1000000000;\nopen_file_cache max=16;\n"
	        "default_type application/json;\nclient_body_temp_path %s/nginx/a;\n"
	        "proxy_temp_path %s/nginx/b;\nfastcgi_temp_path %s/nginx/c;\n"
	        "uwsgi_temp_path %s/nginx/d;\nscgi_temp_path %s/nginx/e;\n"
	        "server { listen 127.0.0.1:%u; location / { root %s/nginx; } }\n}\n",
	        geteuid() ? "" : "user root;\n", dir, dir, dir, dir, dir, dir, dir, port, dir);
	write_file("config", text, (size_t)n);
}

static uint16_t start_nginx(void)
{
	char path[128], config[160], error[160], body[SPACE / 4];
	uint16_t port = free_port();

	snprintf(path, sizeof path, "%s/nginx", daemon_.dir);
	if (mkdir(path, 0755))
		end(1, "a folder for nginx could not be made");
	int status = client_get(daemon_.port, "/v1/kernel?op=" OP_QUERY, body, sizeof body);
	const char *bytes = status == 200 ? strstr(body, "\r\n\r\n") : NULL;
	if (!bytes)
		end(1, "the kernel was not served over REST");
	printf("the kernel over REST               %zu bytes\n", strlen(bytes + 4));
	write_file("kernel", bytes + 4, strlen(bytes + 4));
	write_nginx_config(port);
	snprintf(config, sizeof config, "%s/config", path);
	snprintf(error, sizeof error, "%s/error", path);
	fflush(stdout);
	nginx = fork();
	if (nginx == 0) {
		execlp("nginx", "nginx", "-e", error, "-c", config, (char *)NULL);
		_exit(127);
	}
	for (int i = 0; i < 100; i++) {
		if (client_get(port, "/kernel", body, sizeof body) == 200)
			return port;
		usleep(50000);
	}
	end(77, "nginx did not start");
}

static double wrk(uint16_t port, const char *path)
{
	char command[256], line[256];
	double rps = 0;
	bool errors = false;

	snprintf(command, sizeof command, "wrk -t1 -c64 -d" ROUND_S "s 'http://127.0.0.1:%u%s'",
	        port, path);
	FILE *pipe = popen(command, "r");
	while (pipe && fgets(line, sizeof line, pipe)) {
		sscanf(line, "Requests/sec: %lf", &rps);
		errors |= strstr(line, "Non-2xx") || strstr(line, "Socket errors");
	}
	if (!pipe || pclose(pipe) || errors || !rps)
		end(1, "wrk met errors");
	return rps;
}

/* In turns, and the best of each: what else the machine does only ever makes one slower. */
static void measure_rest(struct figures *figures)
{
	uint16_t port = start_nginx();

	for (int i = 0; i < ROUNDS; i++) {
		double theirs = wrk(port, "/kernel");
		double ours = wrk(daemon_.port, "/v1/kernel?op=" OP_QUERY);
		printf("REST, wrk -t1 -c64, round %d        nnjitd %8.0f/s   nginx %8.0f/s   ratio "
		       "%.2f\n",
		        i + 1, ours, theirs, ours / theirs);
		figures->rest_rps = ours > figures->rest_rps ? ours : figures->rest_rps;
		figures->nginx_rps = theirs > figures->nginx_rps ? theirs : figures->nginx_rps;
	}
}

int main(void)
{
	struct rlimit files = {.rlim_cur = 4096, .rlim_max = 4096};
	struct figures figures = {0};

	if (!have("wrk"))
		end(77, "wrk is not installed");
	if (!have("nginx"))
		end(77, "nginx is not installed");
	getrlimit(RLIMIT_NOFILE, &files);
	if (files.rlim_cur < 4096 && files.rlim_max >= 4096) {
		files.rlim_cur = 4096;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	start();
	tune();
	measure_ws(false, &figures.ws_p50_us, &figures.ws_p99_us);
	measure_ws(true, &figures.sleeping_p50_us, &figures.sleeping_p99_us);
	measure_rest(&figures);
	measure_idle(&figures);
	stop_nginx();
	measure_cold(&figures);
	clean();
	printf("ws_p50_us=%.1f ws_p99_us=%.1f ws_sleeping_p50_us=%.1f ws_sleeping_p99_us=%.1f "
	       "rest_rps=%.0f nginx_rps=%.0f rss_mb=%.1f idle_ws=%d "
	       "cold_predicted_us=%.1f\n",
	        figures.ws_p50_us, figures.ws_p99_us, figures.sleeping_p50_us,
	        figures.sleeping_p99_us, figures.rest_rps, figures.nginx_rps, figures.rss_mb, IDLE,
	        figures.cold_us);
	return 0;
}
