/* SPDX-License-Identifier: Apache-2.0
 *
 * Judges origins and keeps what was decided about them: sorted by text, so that a request of an
 * approved page costs one search. A denial goes before everything else, the configuration before
 * what is pending. Invariant: an origin is decided or pending, never both, and what is decided for
 * good is in the store before it counts.
 */
#include "daemon/origins/origins.h"

#include "base/cleanup.h"
#include "daemon/log.h"
#include "daemon/origins/pending.h"
#include "daemon/store/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DECISIONS_MAX  1024
#define LINES_A_MINUTE 8 /* of the log, about new origins */

struct decision {
	char *origin;
	bool approved;
	enum origin_kept kept;
	uint64_t since_s;
};
/* Sorted by origin. */
struct decisions {
	struct decision *all;
	uint32_t count;
};

struct origins {
	struct store *store;
	struct decisions configured, decided;
	struct pending *pending;
	struct secrets secrets;
	void (*lost)(void *context, const char *origin);
	void *lost_context;
	uint64_t line_minute;
	uint32_t lines;
};

static uint64_t now_s(void)
{
	return (uint64_t)time(NULL);
}

/* Goes on while the machine sleeps, and nobody can set it. */
static uint64_t uptime_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec;
}

/* ---- Decisions. */

static int compare_decisions(const void *a, const void *b)
{
	const struct decision *one = a, *other = b;

	return strcmp(one->origin, other->origin);
}

static struct decision *decisions_find(const struct decisions *in, const char *origin)
{
	const struct decision wanted = {.origin = (char *)(uintptr_t)origin};

	return in->count ? bsearch(&wanted, in->all, in->count, sizeof *in->all, compare_decisions)
	                 : NULL;
}

static int decisions_put(struct decisions *in, const char *origin, const struct decision *value)
{
	struct decision *known = decisions_find(in, origin);
	struct decision next = *value;

	if (known) {
		next.origin = known->origin;
		*known = next;
		return 0;
	}
	if (in->count == DECISIONS_MAX)
		return -ENOSPC;
	struct decision *all = reallocarray(in->all, in->count + 1, sizeof *all);
	if (!all)
		return -ENOMEM;
	in->all = all;
	next.origin = strdup(origin);
	if (!next.origin)
		return -ENOMEM;
	all[in->count++] = next;
	qsort(all, in->count, sizeof *all, compare_decisions);
	return 0;
}

static void decisions_remove(struct decisions *in, struct decision *decision)
{
	uint32_t at = (uint32_t)(decision - in->all);

	free(decision->origin);
	memmove(decision, decision + 1, (in->count - at - 1) * sizeof *decision);
	in->count--;
}

static void decisions_free(struct decisions *in)
{
	for (uint32_t i = 0; i < in->count; i++)
		free(in->all[i].origin);
	free(in->all);
}

/* ---- Beginning and end. */

static int read_configured(struct origins *origins, const char *configured, struct error *err)
{
	AUTO(free_pointer) char *text = configured ? strdup(configured) : NULL;
	char *rest = text;

	for (char *word; rest && (word = strsep(&rest, " "));) {
		struct origin origin;
		if (!*word)
			continue;
		if (origin_read(word, strlen(word), &origin) != ORIGIN_SECURE)
			return error_set(err, -EINVAL, "origin",
			        "'%.120s' is no https origin; write it as https://app.example, "
			        "without a path",
			        word);
		const struct decision value = {
		        .approved = true, .kept = ORIGIN_KEPT_CONFIGURED, .since_s = now_s()};
		int r = decisions_put(&origins->configured, origin.text, &value);
		if (r)
			return error_set(err, r, "origin", "too many origins are configured");
	}
	return 0;
}

static bool take_stored(void *context, const char *text, const struct store_origin *stored)
{
	struct origins *origins = context;
	const struct decision value = {.approved = stored->approved, .since_s = stored->decided_s};
	struct origin origin;

	if (origin_read(text, strlen(text), &origin) == ORIGIN_UNFIT)
		return true;
	return !decisions_put(&origins->decided, origin.text, &value);
}

static int start(struct origins *origins, const char *configured, struct error *err)
{
	int r = pending_create(&origins->pending);

	if (!r)
		r = read_configured(origins, configured, err);
	if (!r && origins->store)
		r = store_each_origin(origins->store, take_stored, origins);
	return r;
}

int origins_create(struct store *store, const char *configured, struct origins **ret_origins,
        struct error *err)
{
	struct origins *origins = calloc(1, sizeof *origins);

	if (!origins)
		return -ENOMEM;
	origins->store = store;
	int r = start(origins, configured, err);
	if (r) {
		origins_destroy(origins);
		return r;
	}
	*ret_origins = origins;
	return 0;
}

void origins_destroy(struct origins *origins)
{
	if (!origins)
		return;
	pending_destroy(origins->pending);
	decisions_free(&origins->configured);
	decisions_free(&origins->decided);
	explicit_bzero(&origins->secrets, sizeof origins->secrets);
	free(origins);
}

void origins_listen(
        struct origins *origins, void (*lost)(void *context, const char *origin), void *context)
{
	origins->lost = lost;
	origins->lost_context = context;
}

/* ---- Judging. */

/* Without what asking brings about: ORIGIN_PENDING is whatever may ask. */
static enum origin_verdict verdict_of(const struct origins *origins, const struct origin *origin)
{
	const struct decision *decided = decisions_find(&origins->decided, origin->text);

	if (decided)
		return decided->approved ? ORIGIN_SERVED : ORIGIN_DENIED;
	if (origin->kind == ORIGIN_LOCAL || decisions_find(&origins->configured, origin->text))
		return ORIGIN_SERVED;
	return ORIGIN_PENDING;
}

bool origins_serves(const struct origins *origins, const char *text)
{
	struct origin origin;

	return origin_read(text, strlen(text), &origin) != ORIGIN_UNFIT &&
	       verdict_of(origins, &origin) == ORIGIN_SERVED;
}

/* A flood of new origins must not become a flood of lines. */
static void log_new(struct origins *origins, const char *text)
{
	uint64_t minute = uptime_s() / 60;

	if (minute != origins->line_minute)
		origins->lines = 0;
	origins->line_minute = minute;
	if (origins->lines++ < LINES_A_MINUTE)
		log_info("origins: pages of %s ask; they wait until `nnjitctl origins approve %s`",
		        text, text);
}

enum origin_verdict origins_judge(struct origins *origins, const char *text, size_t length)
{
	struct origin origin;

	if (origin_read(text, length, &origin) == ORIGIN_UNFIT)
		return ORIGIN_NEVER;
	enum origin_verdict verdict = verdict_of(origins, &origin);
	if (verdict == ORIGIN_PENDING) {
		if (pending_ask(origins->pending, &origin, now_s()))
			log_new(origins, origin.text);
	}
	return verdict;
}

/* ---- Deciding. */

static int revoke(struct origins *origins, const struct origin *origin)
{
	struct decision *decided = decisions_find(&origins->decided, origin->text);
	int r = 0;

	if (!decided)
		return decisions_find(&origins->configured, origin->text) ? -EPERM : -ENOENT;
	if (origins->store) /* a denial stays there while an approval for once covers it */
		r = store_delete_origin(origins->store, origin->text);
	if (!r)
		decisions_remove(&origins->decided, decided);
	return r;
}

static int keep(struct origins *origins, const struct origin *origin, enum origin_decision decision)
{
	const struct decision value = {
	        .approved = decision != ORIGIN_DENY,
	        .kept = decision == ORIGIN_APPROVE_ONCE ? ORIGIN_KEPT_ONCE : ORIGIN_KEPT_ALWAYS,
	        .since_s = now_s(),
	};
	const struct store_origin stored = {value.approved, value.since_s};
	const struct decision *known = decisions_find(&origins->decided, origin->text);
	int r = 0;

	if (!known && origins->decided.count == DECISIONS_MAX)
		return -ENOSPC;
	if (origins->store && value.kept == ORIGIN_KEPT_ALWAYS)
		r = store_put_origin(origins->store, origin->text, &stored);
	else if (origins->store && known && known->kept == ORIGIN_KEPT_ALWAYS && known->approved)
		r = store_delete_origin(origins->store, origin->text);
	return r ? r : decisions_put(&origins->decided, origin->text, &value);
}

int origins_decide(struct origins *origins, const char *text, enum origin_decision decision)
{
	struct origin origin;

	if (origin_read(text, strlen(text), &origin) == ORIGIN_UNFIT)
		return -EINVAL;
	bool served = verdict_of(origins, &origin) == ORIGIN_SERVED;
	int r = decision == ORIGIN_REVOKE ? revoke(origins, &origin)
	                                  : keep(origins, &origin, decision);
	if (r)
		return r;
	if (decision != ORIGIN_REVOKE)
		pending_forget(origins->pending, origin.text);
	if (served && verdict_of(origins, &origin) != ORIGIN_SERVED && origins->lost)
		origins->lost(origins->lost_context, origin.text);
	return 0;
}

/* ---- Showing. */

struct showing {
	void (*each)(void *context, const struct origin_row *row);
	void *context;
};

static void show_pending(void *context, const struct pending_row *pending)
{
	const struct showing *to = context;

	to->each(to->context, &(struct origin_row){
	                              .origin = pending->text,
	                              .status = ORIGIN_IS_PENDING,
	                              .since_s = pending->asked_s,
	                              .heard_s = pending->heard_s,
	                              .requests = pending->requests,
	                      });
}

static void show_decision(const struct showing *to, const struct decision *decision)
{
	to->each(to->context,
	        &(struct origin_row){
	                .origin = decision->origin,
	                .status = decision->approved ? ORIGIN_IS_APPROVED : ORIGIN_IS_DENIED,
	                .kept = decision->kept,
	                .since_s = decision->since_s,
	        });
}

void origins_each(struct origins *origins,
        void (*each)(void *context, const struct origin_row *row), void *context)
{
	struct showing to = {each, context};

	pending_each(origins->pending, now_s(), show_pending, &to);
	for (uint32_t i = 0; i < origins->decided.count; i++)
		show_decision(&to, &origins->decided.all[i]);
	for (uint32_t i = 0; i < origins->configured.count; i++)
		if (!decisions_find(&origins->decided, origins->configured.all[i].origin))
			show_decision(&to, &origins->configured.all[i]);
}

/* ---- The secret. */

int origins_secret_create(struct origins *origins, char ret_text[static SECRET_TEXT_BYTES])
{
	return secrets_create(&origins->secrets, uptime_s(), ret_text);
}

bool origins_secret_check(const struct origins *origins, const char *text, size_t length)
{
	return secrets_check(&origins->secrets, uptime_s(), text, length);
}
