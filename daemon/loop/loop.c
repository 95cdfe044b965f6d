/* SPDX-License-Identifier: Apache-2.0
 *
 * The event loop: libwebsockets' poll loop, with foreign descriptors adopted as "raw files" and
 * timers on its sorted list. Must not know what any descriptor is for. Invariant: a watch is freed
 * once, either by loop_unwatch or, if that was called from within the watch's own callback, when
 * libwebsockets lets go of the descriptor right after it.
 */
#include "daemon/loop/loop.h"

#include "base/cleanup.h"
#include "daemon/log.h"

#include <errno.h>
#include <fcntl.h>
#include <libwebsockets.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* libwebsockets keeps a table entry for each descriptor a process may open, so the limit is raised
 * from the usual 1,024 but not left at the 10^9 that some containers set. */
#define LOOP_FDS        4096u
#define LOOP_FDS_MAX    65536u
#define LINGER_NS       100000
#define LOOP_READ_BYTES 16384
#define LOOP_HEAD_BYTES \
	20480 /* request heads that libwebsockets reads: the gate's limit and room */

struct loop {
	struct lws_context *lws;
	struct lws_vhost *vhost;
	rlim_t fds;
	uint64_t linger_until_ns; /* loop_now_ns */
	bool stopping;
};

struct loop_watch {
	struct lws *wsi; /* NULL once libwebsockets let go of the descriptor */
	void (*readable)(void *context);
	void *context;
	bool inside;    /* in its own callback */
	bool unwatched; /* freed when that callback ends */
};

struct loop_timer {
	lws_sorted_usec_list_t entry; /* first: the callback is given its address */
	struct lws_context *lws;
	void (*fired)(void *context);
	void *context;
};

uint64_t loop_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- Watches. */

static int watch_call(struct loop_watch *watch)
{
	watch->inside = true;
	watch->readable(watch->context);
	watch->inside = false;
	return watch->unwatched ? -1 : 0; /* -1: libwebsockets closes the duplicate */
}

/* A descriptor that hung up with nothing to read is closed by libwebsockets without a read event:
 * the owner is told here, so that it finds the end of file by reading its own descriptor. */
static void watch_closed(struct loop_watch *watch)
{
	watch->wsi = NULL;
	if (!watch->unwatched)
		watch_call(watch);
	if (watch->unwatched)
		free(watch);
}

static int watch_event(
        struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t length)
{
	struct loop_watch *watch = lws_get_opaque_user_data(wsi);

	(void)user, (void)in, (void)length;
	if (!watch)
		return 0;
	if (reason == LWS_CALLBACK_RAW_RX_FILE)
		return watch_call(watch);
	if (reason == LWS_CALLBACK_RAW_CLOSE_FILE) {
		lws_set_opaque_user_data(wsi, NULL);
		watch_closed(watch);
	}
	return 0;
}

static const struct lws_protocols watch_protocols[] = {
        {.name = "watch", .callback = watch_event},
        {.name = NULL},
};

static int watch_adopt(struct loop *loop, int fd, struct loop_watch *watch)
{
	lws_adopt_desc_t adopt = {
	        .vh = loop->vhost,
	        .type = LWS_ADOPT_RAW_FILE_DESC,
	        .vh_prot_name = "watch",
	        .opaque = watch,
	};

	adopt.fd.filefd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (adopt.fd.filefd < 0)
		return -EIO;
	watch->wsi = (rlim_t)adopt.fd.filefd < loop->fds
	                     ? lws_adopt_descriptor_vhost_via_info(&adopt)
	                     : NULL;
	if (watch->wsi)
		return 0;
	close(adopt.fd.filefd);
	return -EIO;
}

int loop_watch(struct loop *loop, int fd, void (*readable)(void *context), void *context,
        struct loop_watch **ret_watch)
{
	AUTO(free_pointer) struct loop_watch *watch = calloc(1, sizeof *watch);

	if (!watch)
		return -ENOMEM;
	watch->readable = readable;
	watch->context = context;
	int r = watch_adopt(loop, fd, watch);
	if (r < 0)
		return r;
	*ret_watch = TAKE(watch);
	return 0;
}

void loop_unwatch(struct loop_watch *watch)
{
	if (!watch)
		return;
	watch->unwatched = true;
	if (watch->inside)
		return;
	if (watch->wsi)
		lws_set_timeout(watch->wsi, 1, LWS_TO_KILL_SYNC); /* comes back as watch_closed */
	else
		free(watch);
}

/* ---- Timers. */

static void timer_fired(lws_sorted_usec_list_t *entry)
{
	struct loop_timer *timer = (struct loop_timer *)entry;

	timer->fired(timer->context); /* may destroy the timer */
}

int loop_timer_create(struct loop *loop, void (*fired)(void *context), void *context,
        struct loop_timer **ret_timer)
{
	struct loop_timer *timer = calloc(1, sizeof *timer);

	if (!timer)
		return -ENOMEM;
	timer->lws = loop->lws;
	timer->fired = fired;
	timer->context = context;
	*ret_timer = timer;
	return 0;
}

void loop_timer_set(struct loop_timer *timer, uint64_t after_ns)
{
	uint64_t after_us = after_ns / 1000 + (after_ns % 1000 != 0);

	lws_sul_schedule(timer->lws, 0, &timer->entry, timer_fired, (lws_usec_t)after_us);
}

void loop_timer_stop(struct loop_timer *timer)
{
	lws_sul_cancel(&timer->entry);
}

void loop_timer_destroy(struct loop_timer *timer)
{
	if (!timer)
		return;
	loop_timer_stop(timer);
	free(timer);
}

/* ---- The loop. */

static void lws_line(int level, const char *line)
{
	int length = (int)strcspn(line, "\n");

	if (level & LLL_ERR)
		log_warning("libwebsockets: %.*s", length, line);
	else
		log_debug("libwebsockets: %.*s", length, line);
}

static rlim_t fds_allow(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return LOOP_FDS_MAX;
	if (limit.rlim_cur < LOOP_FDS)
		limit.rlim_cur = limit.rlim_max < LOOP_FDS ? limit.rlim_max : LOOP_FDS;
	if (limit.rlim_cur > LOOP_FDS_MAX)
		limit.rlim_cur = LOOP_FDS_MAX;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		getrlimit(RLIMIT_NOFILE, &limit);
	return limit.rlim_cur;
}

static int context_create(struct loop *loop)
{
	struct lws_context_creation_info info = {
	        .port = CONTEXT_PORT_NO_LISTEN,
	        .options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS,
	        .protocols = watch_protocols,
	        .vhost_name = "loop",
	        .max_http_header_data2 = LOOP_HEAD_BYTES,
	        .pt_serv_buf_size = LOOP_READ_BYTES,
	        .gid = (gid_t)-1,
	        .uid = (uid_t)-1,
	};

	lws_set_log_level(LLL_ERR | LLL_WARN, lws_line);
	loop->lws = lws_create_context(&info);
	if (!loop->lws)
		return -EIO;
	loop->vhost = lws_create_vhost(loop->lws, &info);
	return loop->vhost ? 0 : -EIO;
}

int loop_create(struct loop **ret_loop)
{
	struct loop *loop = calloc(1, sizeof *loop);

	if (!loop)
		return -ENOMEM;
	loop->fds = fds_allow();
	int r = context_create(loop);
	if (r < 0) {
		loop_destroy(loop);
		return r;
	}
	*ret_loop = loop;
	return 0;
}

void loop_destroy(struct loop *loop)
{
	if (!loop)
		return;
	if (loop->lws)
		lws_context_destroy(loop->lws);
	free(loop);
}

int loop_run(struct loop *loop)
{
	loop->stopping = false;
	while (!loop->stopping) {
		/* -1: do not wait; 0: wait as long as it takes. */
		bool lingering = loop->linger_until_ns && loop_now_ns() < loop->linger_until_ns;
		if (lws_service(loop->lws, lingering ? -1 : 0) < 0)
			return -EIO;
		if (!lingering)
			loop->linger_until_ns = 0;
	}
	return 0;
}

void loop_linger(struct loop *loop)
{
	loop->linger_until_ns = loop_now_ns() + LINGER_NS;
}

void loop_stop(struct loop *loop)
{
	loop->stopping = true;
	lws_cancel_service(loop->lws); /* a timer runs just before the wait: do not wait again */
}

struct lws_context *loop_lws(struct loop *loop)
{
	return loop->lws;
}
