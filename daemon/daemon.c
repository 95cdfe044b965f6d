/* SPDX-License-Identifier: Apache-2.0
 *
 * The ordered list of the daemon's parts. Each part has a start and a stop; whatever was started
 * is stopped in the opposite order, whether the end is asked for or a later part failed. Owns
 * every long-lived object of the process.
 */
#include "daemon/daemon.h"

#include "daemon/api/api.h"
#include "daemon/log.h"
#include "daemon/loop/loop.h"
#include "daemon/net/local.h"
#include "daemon/net/net.h"
#include "daemon/notify.h"
#include "daemon/options.h"
#include "daemon/origins/origins.h"
#include "daemon/store/store.h"
#include "daemon/tune/tune.h"
#include "protocol/metrics.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define SPARE_FDS 256 /* beside the connections: store, workers, files of the page */

struct daemon {
	const struct options *options;
	struct metrics metrics;
	struct store *store;
	struct loop *loop;
	struct origins *origins;
	struct tune *tune;
	struct api *api;
	struct net *net;
	struct local *local;
	int signal_fd;
	struct loop_watch *signal_watch, *check_watch;
	struct loop_timer *watchdog;
	uint64_t watchdog_ns;
};

/* ---- The process itself: descriptors, signals, the store. */

static int start_process(struct daemon *daemon, struct error *err)
{
	rlim_t wanted = daemon->options->connections + SPARE_FDS;
	struct rlimit files;

	(void)err;
	signal(SIGPIPE, SIG_IGN);
	if (getrlimit(RLIMIT_NOFILE, &files) || files.rlim_cur >= wanted)
		return 0;
	files.rlim_cur = wanted < files.rlim_max ? wanted : files.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &files) || files.rlim_cur < wanted)
		log_warning("only %llu descriptors may be open, %llu connections are wanted; the "
		            "last of them will be refused",
		        (unsigned long long)files.rlim_cur,
		        (unsigned long long)daemon->options->connections);
	return 0;
}

static int start_store(struct daemon *daemon, struct error *err)
{
	int r = store_open(daemon->options->state_dir, &daemon->store, err);

	if (!r && *store_notice(daemon->store))
		log_warning("%s", store_notice(daemon->store));
	return r;
}

static void stop_store(struct daemon *daemon)
{
	store_close(daemon->store);
}

static int start_loop(struct daemon *daemon, struct error *err)
{
	(void)err;
	return loop_create(&daemon->loop);
}

static void stop_loop(struct daemon *daemon)
{
	loop_destroy(daemon->loop);
}

/* ---- Signals: read from a descriptor, so that handlers run on the loop like all else. */

static void signal_arrived(void *context)
{
	struct daemon *daemon = context;
	struct signalfd_siginfo info;

	while (read(daemon->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
		log_info("%s: stopping; unfinished tuning resumes at the next start",
		        strsignal((int)info.ssi_signo));
		notify_stopping();
		loop_stop(daemon->loop);
	}
}

static int start_signals(struct daemon *daemon, struct error *err)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -errno;
	daemon->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (daemon->signal_fd < 0)
		return error_set(err, -errno, "", "signalfd: %s", strerror(errno));
	return loop_watch(
	        daemon->loop, daemon->signal_fd, signal_arrived, daemon, &daemon->signal_watch);
}

static void stop_signals(struct daemon *daemon)
{
	loop_unwatch(daemon->signal_watch);
	if (daemon->signal_fd >= 0)
		close(daemon->signal_fd);
}

/* ---- What the daemon is for. */

static int start_origins(struct daemon *daemon, struct error *err)
{
	return origins_create(daemon->store, daemon->options->origins, &daemon->origins, err);
}

static void stop_origins(struct daemon *daemon)
{
	origins_destroy(daemon->origins);
}

static int start_tune(struct daemon *daemon, struct error *err)
{
	const struct tune_options *o = &daemon->options->tune;

	(void)err;
	if (access(o->worker, X_OK))
		log_error("the GPU worker %.120s cannot be run: %s; nothing is tuned; give its "
		          "path with --worker",
		        o->worker, strerror(errno));
	return tune_create(daemon->loop, daemon->store, &daemon->metrics, o, &daemon->tune);
}

static void stop_tune(struct daemon *daemon)
{
	tune_destroy(daemon->tune);
}

/* The store of before, once a check of it has ended that took long. */
static void store_checked(void *context)
{
	struct daemon *daemon = context;

	loop_unwatch(daemon->check_watch);
	daemon->check_watch = NULL;
	store_settle(daemon->store);
	if (*store_notice(daemon->store))
		log_warning("%s", store_notice(daemon->store));
	log_info("the store was not left cleanly and is checked now; what it has is served from "
	         "here on");
	tune_store_settled(daemon->tune);
}

static int start_check(struct daemon *daemon, struct error *err)
{
	int fd = store_check_fd(daemon->store);

	(void)err;
	if (fd < 0)
		return 0;
	log_info("the store was not left cleanly; while it is checked, kernels are predicted");
	return loop_watch(daemon->loop, fd, store_checked, daemon, &daemon->check_watch);
}

static void stop_check(struct daemon *daemon)
{
	loop_unwatch(daemon->check_watch);
}

static int start_api(struct daemon *daemon, struct error *err)
{
	const struct api_params params = {
	        .tune = daemon->tune,
	        .store = daemon->store,
	        .metrics = &daemon->metrics,
	        .models_dir = daemon->options->models_dir,
	        .origins = daemon->origins,
	        .isolate = daemon->options->isolate,
	};

	(void)err;
	return api_create(&params, &daemon->api);
}

static void stop_api(struct daemon *daemon)
{
	api_destroy(daemon->api);
}

static int start_net(struct daemon *daemon, struct error *err)
{
	const struct options *o = daemon->options;

	int r = net_create(daemon->loop, daemon->api,
	        &(struct net_options){
	                .port = (uint16_t)o->port,
	                .page_dir = o->page_dir,
	                .connections_max = (uint32_t)o->connections,
	                .metrics = &daemon->metrics,
	                .origins = daemon->origins,
	        },
	        &daemon->net, err);
	if (!r)
		api_set_port(daemon->api, net_port(daemon->net));
	return r;
}

static void stop_net(struct daemon *daemon)
{
	net_destroy(daemon->net);
}

/* Without the socket everything goes on but decisions. */
static int start_local(struct daemon *daemon, struct error *err)
{
	(void)err;
	struct error why = {0};
	int r = local_create(
	        daemon->loop, daemon->api, daemon->options->socket, &daemon->local, &why);

	if (r)
		log_warning("%s; until then nobody can decide about origins",
		        *why.text ? why.text : strerror(-r));
	return 0;
}

static void stop_local(struct daemon *daemon)
{
	local_destroy(daemon->local);
}

/* ---- Telling others that it runs: the port file, the log, the service manager. */

static void port_path(const struct daemon *daemon, char *path, size_t bytes, const char *suffix)
{
	snprintf(path, bytes, "%s/port%s", daemon->options->state_dir, suffix);
}

/* Written aside and renamed, so that a reader never sees half of it. Whoever looks for the file
 * can be told the port: the daemon does without it. */
static void write_port(const struct daemon *daemon)
{
	char path[4200], part[4200];

	port_path(daemon, path, sizeof path, "");
	port_path(daemon, part, sizeof part, ".part");
	FILE *file = fopen(part, "we");
	bool ok = file && fprintf(file, "%u\n", net_port(daemon->net)) > 0;
	if (file)
		ok = !fclose(file) && ok;
	if (ok && !rename(part, path))
		return;
	log_warning("cannot write %.160s: %s; programs that look for the port there must be told "
	            "it",
	        path, strerror(errno));
	unlink(part);
	unlink(path); /* an earlier daemon's */
}

static void watchdog_fired(void *context)
{
	struct daemon *daemon = context;

	notify_alive();
	loop_timer_set(daemon->watchdog, daemon->watchdog_ns / 2);
}

static int start_announcing(struct daemon *daemon, struct error *err)
{
	(void)err;
	write_port(daemon);
	daemon->watchdog_ns = notify_watchdog_ns();
	if (daemon->watchdog_ns) {
		int r = loop_timer_create(daemon->loop, watchdog_fired, daemon, &daemon->watchdog);
		if (r)
			return r;
		watchdog_fired(daemon);
	}
	log_info("listening on http://127.0.0.1:%u/", net_port(daemon->net));
	notify_ready();
	return 0;
}

static void stop_announcing(struct daemon *daemon)
{
	char path[4200];

	loop_timer_destroy(daemon->watchdog);
	port_path(daemon, path, sizeof path, "");
	unlink(path);
}

/* net stands after api, and api after tune: a peer goes before what it subscribed to. */
static const struct part {
	const char *name;
	int (*start)(struct daemon *daemon, struct error *err);
	void (*stop)(struct daemon *daemon); /* NULL: nothing to undo; accepts a failed start */
} parts[] = {
        {"process", start_process, NULL},
        {"store", start_store, stop_store},
        {"loop", start_loop, stop_loop},
        {"signals", start_signals, stop_signals},
        {"origins", start_origins, stop_origins},
        {"tune", start_tune, stop_tune},
        {"check", start_check, stop_check},
        {"api", start_api, stop_api},
        {"net", start_net, stop_net},
        {"local", start_local, stop_local},
        {"announcing", start_announcing, stop_announcing},
};
#define PARTS (sizeof parts / sizeof *parts)

int daemon_run(const struct options *options)
{
	struct daemon daemon = {.options = options, .signal_fd = -1};
	size_t started = 0;
	int r = 0;

	while (started < PARTS && !r) {
		struct error err = {0};
		const struct part *part = &parts[started++];
		r = part->start(&daemon, &err);
		if (r)
			log_error("%s: %s; the daemon does not start", part->name,
			        *err.text ? err.text : strerror(-r));
	}
	if (!r)
		r = loop_run(daemon.loop);
	while (started--)
		if (parts[started].stop)
			parts[started].stop(&daemon);
	return r;
}
