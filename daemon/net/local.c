/* SPDX-License-Identifier: Apache-2.0
 *
 * The owner's door. Who comes in is said by the kernel (SO_PEERCRED, SO_PEERGROUPS), not by the
 * request: heads are read by the same strict reader as everybody's, but Host and Origin decide
 * nothing here. Must not do what a method does. Invariant: a visitor is on the list until its
 * descriptor is closed, and nobody is asked before its credentials were looked at.
 */
#include "daemon/net/local.h"

#include "base/buffer.h"
#include "daemon/api/api.h"
#include "daemon/log.h"
#include "daemon/loop/loop.h"
#include "daemon/net/answer.h"
#include "daemon/net/head.h"
#include "daemon/net/query.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define VISITORS_MAX 32
#define GROUPS_MAX   256
#define VISIT_NS     10000000000ull
#define WRITE_PAUSE  2000000ull /* until a full socket is tried again */
#define LISTEN_QUEUE 16

struct visitor {
	struct local *local;
	struct visitor *next, **link;
	struct loop_watch *watch;
	struct loop_timer *timer;
	int fd;
	uid_t user;
	uint64_t until_ns;
	struct buffer in, out;
	size_t sent;
};
struct local {
	struct loop *loop;
	struct api *api;
	struct loop_watch *watch;
	struct visitor *visitors;
	uint32_t count;
	int fd;
	gid_t group;
	struct sockaddr_un address;
};

/* ---- Who may come in. */

bool local_admits(const struct local_peer *peer, uid_t own, gid_t group)
{
	if (peer->user == 0 || peer->user == own)
		return true;
	for (size_t i = 0; group != (gid_t)-1 && i < peer->group_count; i++)
		if (peer->groups[i] == group)
			return true;
	return false;
}

/* Groups beyond GROUPS_MAX are not looked at: the kernel answers ERANGE, and nobody is let in. */
static bool admitted(const struct local *local, int fd, uid_t *ret_user)
{
	gid_t groups[GROUPS_MAX + 1];
	socklen_t bytes = sizeof(struct ucred), group_bytes = GROUPS_MAX * sizeof *groups;
	struct ucred who;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &bytes))
		return false;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &group_bytes))
		group_bytes = 0;
	size_t count = group_bytes / sizeof *groups;
	groups[count++] = who.gid;
	const struct local_peer peer = {who.uid, groups, count};
	*ret_user = who.uid;
	return local_admits(&peer, geteuid(), local->group);
}

/* ---- A visit. */

static void visitor_free(struct visitor *visitor)
{
	*visitor->link = visitor->next;
	if (visitor->next)
		visitor->next->link = visitor->link;
	visitor->local->count--;
	loop_unwatch(visitor->watch);
	loop_timer_destroy(visitor->timer);
	close(visitor->fd);
	buffer_free(&visitor->in);
	buffer_free(&visitor->out);
	free(visitor);
}

/* A secret may be in it, so nobody keeps the answer. */
static void write_answer(struct visitor *visitor, struct answer *answer)
{
	buffer_printf(&visitor->out,
	        "HTTP/1.1 %u Answer\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
	        "Cache-Control: no-store\r\nConnection: close\r\n\r\n",
	        answer->status, answer->type, answer->length);
	if (answer->body)
		buffer_append(&visitor->out, answer->body, answer->length);
	answer_free(answer);
}

static int find_method(
        const struct head *head, enum method *ret_method, struct problem *ret_problem)
{
	char path[64];
	struct head_text target = head_path(head);

	if (target.length >= sizeof path)
		return problem_set(ret_problem, PROBLEM_NOT_FOUND, "",
		        "there is nothing at this address; the methods are under /v1/");
	memcpy(path, target.at, target.length);
	path[target.length] = '\0';
	*ret_method = method_by_path(path);
	if (*ret_method == METHOD_COUNT)
		return problem_set(ret_problem, PROBLEM_NOT_FOUND, "",
		        "there is nothing at %s; the methods are under /v1/, as /v1/health", path);
	if (!head_is(head->method, methods[*ret_method].verb))
		return problem_set(ret_problem, PROBLEM_METHOD_NOT_ALLOWED, "",
		        "%.20s is not served here; use %s", head->method.at,
		        methods[*ret_method].verb);
	return 0;
}

static void answer_head(struct visitor *visitor, const struct head *head)
{
	const struct caller caller = caller_owner(visitor->user);
	struct call call = {.caller = &caller};
	struct problem problem = {0};
	json_t *params = NULL;
	struct answer answer;
	int r = head_check_body(head, &problem);

	if (!r)
		r = find_method(head, &call.method, &problem);
	if (!r)
		r = query_params(head->target, &params, &problem);
	call.params = params;
	if (r)
		answer_problem(&problem, &answer);
	else
		answer_method(visitor->local->api, &call, answer_form(head->accept), &answer);
	json_decref(params);
	write_answer(visitor, &answer);
}

static void visitor_write(struct visitor *visitor)
{
	while (!visitor->out.failed && visitor->sent < visitor->out.length) {
		ssize_t n = send(visitor->fd, visitor->out.data + visitor->sent,
		        visitor->out.length - visitor->sent, MSG_NOSIGNAL);
		if (n > 0) {
			visitor->sent += (size_t)n;
			continue;
		}
		if (errno != EAGAIN && errno != EINTR)
			break;
		loop_timer_set(visitor->timer, WRITE_PAUSE);
		return;
	}
	visitor_free(visitor);
}

static void visitor_read(struct visitor *visitor)
{
	struct problem problem = {0};
	struct answer answer;
	struct head head;
	char part[4096];
	ssize_t n = recv(visitor->fd, part, sizeof part, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		buffer_append(&visitor->in, part, (size_t)n);
	if (n <= 0 || visitor->in.failed) {
		visitor_free(visitor);
		return;
	}
	int r = head_parse(visitor->in.data, visitor->in.length, &head, &problem);
	if (r == HEAD_PARTIAL)
		return;
	loop_unwatch(visitor->watch);
	visitor->watch = NULL;
	if (r) {
		answer_problem(&problem, &answer);
		write_answer(visitor, &answer);
	} else {
		answer_head(visitor, &head);
	}
	visitor_write(visitor);
}

static void visitor_readable(void *context)
{
	visitor_read(context);
}

/* Late, or there may be room to write by now. */
static void visitor_timer(void *context)
{
	struct visitor *visitor = context;

	if (loop_now_ns() >= visitor->until_ns || !visitor->out.length)
		visitor_free(visitor);
	else
		visitor_write(visitor);
}

static void visitor_create(struct local *local, int fd, uid_t user)
{
	struct visitor *visitor = calloc(1, sizeof *visitor);

	if (!visitor) {
		close(fd);
		return;
	}
	visitor->local = local;
	visitor->fd = fd;
	visitor->user = user;
	visitor->until_ns = loop_now_ns() + VISIT_NS;
	visitor->next = local->visitors;
	visitor->link = &local->visitors;
	if (visitor->next)
		visitor->next->link = &visitor->next;
	local->visitors = visitor;
	local->count++;
	int r = loop_timer_create(local->loop, visitor_timer, visitor, &visitor->timer);
	if (!r)
		r = loop_watch(local->loop, fd, visitor_readable, visitor, &visitor->watch);
	if (r)
		visitor_free(visitor);
	else
		loop_timer_set(visitor->timer, VISIT_NS);
}

static void local_readable(void *context)
{
	struct local *local = context;
	uid_t user = 0;
	int fd = accept4(local->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return;
	if (local->count < VISITORS_MAX && admitted(local, fd, &user)) {
		visitor_create(local, fd, user);
		return;
	}
	log_warning("local: user %u is not of the group " LOCAL_GROUP ", or too many ask at once; "
	            "the connection was closed",
	        (unsigned)user);
	close(fd);
}

/* ---- The socket. */

/* What a daemon that was killed left behind goes; what answers, or is no socket, stays. */
static int clear_the_way(const struct local *local)
{
	const struct sockaddr *address = (const struct sockaddr *)&local->address;
	struct stat st;

	if (lstat(local->address.sun_path, &st))
		return errno == ENOENT ? 0 : -errno;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool dead = fd >= 0 && S_ISSOCK(st.st_mode) &&
	            connect(fd, address, sizeof local->address) && errno == ECONNREFUSED;
	if (fd >= 0)
		close(fd);
	if (!dead)
		return -EADDRINUSE;
	return unlink(local->address.sun_path) ? -errno : 0;
}

/* The mode holds from the first moment on; the group is changed where this user may do so. */
static int open_socket(struct local *local)
{
	const struct sockaddr *address = (const struct sockaddr *)&local->address;
	int r = clear_the_way(local);

	if (r)
		return r;
	local->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (local->fd < 0)
		return -errno;
	mode_t mask = umask(0117);
	r = bind(local->fd, address, sizeof local->address) ? -errno : 0;
	umask(mask);
	if (!r && local->group != (gid_t)-1 &&
	        lchown(local->address.sun_path, (uid_t)-1, local->group))
		log_info("local: the socket cannot be given to the group " LOCAL_GROUP
		         " (%s); its members cannot use it",
		        strerror(errno));
	if (!r && listen(local->fd, LISTEN_QUEUE))
		r = -errno;
	return r ? r : loop_watch(local->loop, local->fd, local_readable, local, &local->watch);
}

int local_create(struct loop *loop, struct api *api, const char *path, struct local **ret_local,
        struct error *err)
{
	const struct group *group = getgrnam(LOCAL_GROUP);
	struct local *local = calloc(1, sizeof *local);

	if (!local)
		return -ENOMEM;
	local->loop = loop;
	local->api = api;
	local->fd = -1;
	local->group = group ? group->gr_gid : (gid_t)-1;
	local->address.sun_family = AF_UNIX;
	int n = snprintf(local->address.sun_path, sizeof local->address.sun_path, "%s", path);
	int r = (size_t)n < sizeof local->address.sun_path ? open_socket(local) : -ENAMETOOLONG;
	if (!r) {
		*ret_local = local;
		return 0;
	}
	if (!local->watch)
		local->address.sun_path[0] = '\0'; /* not ours to remove */
	local_destroy(local);
	return error_set(err, r, "socket",
	        "cannot listen on the unix socket %.120s: %s; give another with --socket", path,
	        strerror(-r));
}

void local_destroy(struct local *local)
{
	if (!local)
		return;
	while (local->visitors)
		visitor_free(local->visitors);
	loop_unwatch(local->watch);
	if (local->fd >= 0)
		close(local->fd);
	if (*local->address.sun_path)
		unlink(local->address.sun_path);
	free(local);
}
