/* SPDX-License-Identifier: Apache-2.0
 *
 * The daemon's one event loop, single-threaded, on libwebsockets' poll loop (so that sockets it
 * does not know, the worker's pipe and our timers share it). Everything in the daemon runs as a
 * callback from here; a callback must return within a few milliseconds.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct loop;
int loop_create(struct loop **ret_loop); /* -ENOMEM, -EIO */
void loop_destroy(struct loop *loop);
int loop_run(struct loop *loop);   /* until loop_stop; 0 */
void loop_stop(struct loop *loop); /* async-signal-unsafe: call it from a callback */
/* More is expected within microseconds: for the next 100 us look again instead of sleeping, because
 * waking a sleeping core takes as long as a whole answer. */
void loop_linger(struct loop *loop);
uint64_t loop_now_ns(void); /* CLOCK_MONOTONIC */

/* Calls `readable` whenever fd can be read or has hung up. The loop watches a duplicate: the
 * caller keeps its descriptor, closes it itself, and unwatches first. -ENOMEM, -EIO. */
struct loop_watch;
int loop_watch(struct loop *loop, int fd, void (*readable)(void *context), void *context,
        struct loop_watch **ret_watch);
void loop_unwatch(struct loop_watch *watch); /* NULL is fine; safe inside its own callback */

/* One-shot timer, owned by the caller; setting it again moves it. */
struct loop_timer;
int loop_timer_create(struct loop *loop, void (*fired)(void *context), void *context,
        struct loop_timer **ret_timer);
void loop_timer_set(struct loop_timer *timer, uint64_t after_ns);
void loop_timer_stop(struct loop_timer *timer);
void loop_timer_destroy(struct loop_timer *timer); /* NULL is fine */

struct lws_context;
struct lws_context *loop_lws(struct loop *loop); /* for daemon/net only */
