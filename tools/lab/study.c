/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs a study: the search over the lite space as the daemon would run it, then what it left
 * unmeasured, then a sample of the full space, then, if asked to, a climb from the best; at last
 * those that matter all side by side. Invariant: what is compared was measured beside the pick, so
 * that a machine that drifts does not decide.
 */
#include "tools/lab/study.h"

#include "base/error.h"
#include "clients/ctl/print.h"
#include "cost/roofline.h"
#include "search/search.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define GUEST_SLOT     SEARCH_CANDIDATES_MAX /* of whoever is neither; finalists follow */
#define ROUGH          2.0 /* times the pick: from here a rough time is good enough */
#define SAMPLES        5   /* of one beside the pick */
#define FINALISTS      8   /* besides the lite space's best, the pick and the prediction */
#define FINALISTS_LITE 3
#define FINAL_SAMPLES  21
#define BETTER         0.98 /* times the best so far: worth climbing to */

double study_now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool is_over(const struct study *study)
{
	return study->lab->broken || study_now_s() > study->deadline_s;
}

static bool is_half_over(const struct study *study)
{
	return study_now_s() > (study->begun_s + study->deadline_s) / 2;
}

static void show(const struct study *study, const char *what, double done, double of)
{
	if (!isatty(STDERR_FILENO))
		return;
	print_bar(done, of);
	fprintf(stderr, " %s: %s\033[K", study->lab->op_text, what);
}

/* ---- What is tried. */

static struct tried *find(struct study *study, const struct schedule *schedule)
{
	for (uint32_t i = 0; i < study->count; i++)
		if (!memcmp(&study->tried[i].schedule, schedule, sizeof *schedule))
			return &study->tried[i];
	return NULL;
}

/* The one with this schedule, added if there is none; NULL: out of memory. */
static struct tried *take(struct study *study, const struct schedule *schedule)
{
	struct tried *known = find(study, schedule);

	if (known)
		return known;
	if (study->count == study->room) {
		uint32_t room = study->room ? 2 * study->room : 256;
		struct tried *more = realloc(study->tried, room * sizeof *more);
		if (!more)
			return NULL;
		study->tried = more;
		study->room = room;
	}
	known = &study->tried[study->count++];
	*known = (struct tried){.schedule = *schedule};
	return known;
}

/* twin: so that where its code lies does not matter; for what decides. */
static bool build_as(struct study *study, struct tried *tried, uint32_t slot, bool twin)
{
	char why[GPU_WHY_BYTES] = "";
	bool right = lab_build(study->lab, slot, &tried->schedule, why) &&
	             (!twin || lab_twin(study->lab, slot, why));

	tried->failed |= !right;
	snprintf(tried->why, sizeof tried->why, "%.79s", right ? "" : why);
	return right;
}

static bool build(struct study *study, struct tried *tried, uint32_t slot)
{
	return build_as(study, tried, slot, false);
}

/* ---- The search, as the daemon drives it (daemon/tune/candidates.c, measure.c). It numbers what
 * was tried as it stands in `tried`, where nothing else is yet. */

struct batch {
	uint32_t member[SEARCH_BATCH_MAX], count, samples;
};

/* Builds those that are not held; the rest are out. */
static void build_batch(struct study *study, struct search *search, struct batch *batch)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < batch->count; i++) {
		uint32_t candidate = batch->member[i];
		if (build_as(study, &study->tried[candidate], candidate, search_in_finals(search)))
			batch->member[count++] = candidate;
		else
			search_tell(search, candidate, SEARCH_REJECTED, NULL, 0);
	}
	batch->count = count;
}

/* A build that was a worker's end took the others' kernels with it: they are asked for again. */
static bool holds_batch(const struct study *study, const struct batch *batch)
{
	for (uint32_t i = 0; i < batch->count; i++)
		if (!study->lab->holds[batch->member[i]])
			return false;
	return batch->count > 0;
}

static void time_batch(struct study *study, struct search *search, const struct batch *batch)
{
	double ns[SEARCH_BATCH_MAX * 64];
	uint32_t samples = batch->samples < 64 ? batch->samples : 64;
	uint32_t rounds = lab_time(study->lab, batch->member, batch->count, samples, ns);

	for (uint32_t i = 0; i < batch->count; i++) {
		if (rounds)
			search_tell(
			        search, batch->member[i], SEARCH_TIMED, &ns[i * samples], rounds);
		else if (batch->count == 1)
			search_tell(search, batch->member[i], SEARCH_REJECTED, NULL, 0);
	}
	if (rounds || batch->count == 1)
		return;
	for (uint32_t i = 0; i < batch->count; i++) { /* whose fault was it? */
		struct batch alone = {{batch->member[i]}, 1, batch->samples};
		build_batch(study, search, &alone);
		if (holds_batch(study, &alone))
			time_batch(study, search, &alone);
	}
}

/* The neighbours of a leader. */
static int expand(struct study *study, struct search *search)
{
	struct lab *lab = study->lab;
	struct candidate near[SPACE_NEIGHBOURS_MAX];
	uint32_t leader = search_expand(search);

	if (leader >= study->count)
		return 0;
	uint32_t count = space_neighbours(
	        &lab->op, &lab->limits, &lab->facts, &study->tried[leader].schedule, near);
	for (uint32_t i = 0;
	        i < count && i < SEARCH_NEIGHBOURS_MAX && study->count < SEARCH_CANDIDATES_MAX;
	        i++) {
		struct tried *known = find(study, &near[i].schedule);
		if (known) {
			search_prefer(search, (uint32_t)(known - study->tried));
			continue;
		}
		if (!(known = take(study, &near[i].schedule)) ||
		        search_add(search, near[i].predicted_ns))
			return -ENOMEM;
		known->from |= FROM_SEARCH;
	}
	return 0;
}

static int drive(struct study *study, struct search *search)
{
	struct batch batch;
	int r;

	while (!(r = expand(study, search)) && !study->lab->broken &&
	        (batch.count = search_ask(search, batch.member, &batch.samples))) {
		show(study, "search", search_measured(search), search_goal(search));
		build_batch(study, search, &batch);
		if (holds_batch(study, &batch))
			time_batch(study, search, &batch);
		if (is_half_over(study))
			search_hurry(search);
	}
	return r;
}

static void take_times(struct study *study, struct search *search)
{
	study->trials = search_measured(search);
	study->pick = search_best(search);
	if (study->pick == study->count) {
		study->pick = UINT32_MAX;
		return;
	}
	study->pick_ns = search_timing(search, study->pick).median_ns;
	for (uint32_t i = 0; i < study->count; i++) {
		struct search_timing timing = search_timing(search, i);
		study->tried[i].measured = timing.samples;
		study->tried[i].ratio = timing.median_ns / study->pick_ns;
	}
}

static int search(struct study *study)
{
	struct search *search;
	int r = search_create(study->space.count, study->space.baseline, &search);

	if (r)
		return r;
	search_bound(search, study->plan->trials, roofline_ns(&study->lab->op, &study->lab->facts));
	for (uint32_t i = 0; i < study->space.count; i++)
		search_expect(search, i, study->space.candidates[i].predicted_ns);
	r = drive(study, search);
	take_times(study, search);
	search_destroy(search);
	return r;
}

/* ---- One beside the pick. */

static bool hold_pick(struct study *study)
{
	char why[GPU_WHY_BYTES];

	return lab_build(study->lab, study->pick, &study->tried[study->pick].schedule, why);
}

static void compare(struct study *study, struct tried *tried, uint32_t slot)
{
	uint32_t slots[2] = {study->pick, slot};
	double ns[2 * SAMPLES];
	uint32_t rounds = lab_time(study->lab, slots, 2, SAMPLES, ns);

	tried->measured = rounds;
	tried->failed |= !rounds;
	if (!rounds) {
		snprintf(tried->why, sizeof tried->why, "%.79s", study->lab->why);
		return;
	}
	study->pick_ns = lab_typical(ns, rounds);
	tried->ratio = lab_typical(&ns[SAMPLES], rounds) / study->pick_ns;
}

static void weigh(struct study *study, struct tried *tried, uint32_t slot)
{
	if (tried->failed || tried == &study->tried[study->pick] ||
	        (tried->measured && tried->ratio > ROUGH))
		return;
	if (!build(study, tried, slot))
		return;
	tried->measured = true;
	tried->ratio = study->lab->pilot_ns[slot] / study->pick_ns;
	if (tried->ratio < ROUGH && hold_pick(study) && build(study, tried, slot))
		compare(study, tried, slot);
}

static void weigh_lite(struct study *study)
{
	for (uint32_t i = 0; i < study->space.count && !is_over(study); i++) {
		show(study, "lite space", i, study->space.count);
		weigh(study, &study->tried[i], i);
	}
}

static int weigh_sample(struct study *study)
{
	struct full_walk walk = {.full = study->full, .seed = study->plan->seed};
	struct schedule schedule;

	while (walk.legal < study->plan->sample) {
		study->cut = is_over(study);
		if (study->cut)
			return 0;
		study->exhausted = full_next(&walk, &schedule) == -ENOENT;
		if (study->exhausted)
			return 0;
		struct tried *tried = take(study, &schedule);
		if (!tried)
			return -ENOMEM;
		tried->from |= FROM_SAMPLE;
		show(study, "full space", (double)walk.legal, (double)study->plan->sample);
		if (!tried->measured)
			weigh(study, tried, GUEST_SLOT);
	}
	return 0;
}

/* ---- The climb: from the best to a better neighbour, for as long as there is one. */

static uint32_t best_ratio(const struct study *study)
{
	uint32_t best = study->pick;

	for (uint32_t i = 0; i < study->count; i++)
		if (study->tried[i].measured && !study->tried[i].failed &&
		        study->tried[i].ratio < study->tried[best].ratio)
			best = i;
	return best;
}

/* The neighbours of `from` in an order that the seed decides, until one is better. */
static int climb_from(struct study *study, uint32_t from, uint32_t *left, bool *ret_better)
{
	double goal = BETTER * study->tried[from].ratio;
	uint64_t at = study->plan->seed;

	*ret_better = false;
	for (uint32_t i = 0; i < FULL_NEIGHBOURS && *left && !is_over(study); i++) {
		struct schedule schedule;
		at = (at + 419) % FULL_NEIGHBOURS; /* 419 is prime to it: each once */
		if (full_neighbour(
		            study->full, &study->tried[from].schedule, (uint32_t)at, &schedule) ||
		        find(study, &schedule))
			continue;
		struct tried *tried = take(study, &schedule);
		if (!tried)
			return -ENOMEM;
		tried->from |= FROM_CLIMB;
		(*left)--;
		show(study, "climb", study->plan->climb - *left, study->plan->climb);
		weigh(study, tried, GUEST_SLOT);
		*ret_better = tried->measured && !tried->failed && tried->ratio < goal;
		if (*ret_better)
			return 0;
	}
	return 0;
}

static int climb(struct study *study)
{
	uint32_t left = study->plan->climb;
	bool better = left > 0;
	int r = 0;

	while (!r && better)
		r = climb_from(study, best_ratio(study), &left, &better);
	return r;
}

/* ---- The last comparison. */

#define FINAL_MAX (FINALISTS + FINALISTS_LITE + 3)
struct final {
	uint32_t member[FINAL_MAX], slot[FINAL_MAX], count;
};

/* The pick's slot is its own; the others stand behind the guest's. */
static void nominate(const struct study *study, struct final *final, uint32_t member)
{
	for (uint32_t i = 0; i < final->count; i++)
		if (final->member[i] == member)
			return;
	final->slot[final->count] = member == study->pick ? member : GUEST_SLOT + 1 + final->count;
	final->member[final->count++] = member;
}

/* The `most` best of those that come from `from`. */
static void nominate_best(
        const struct study *study, struct final *final, uint32_t most, uint32_t from)
{
	double above = -1;

	for (uint32_t n = 0; n < most; n++) {
		uint32_t best = study->count;
		for (uint32_t i = 0; i < study->count; i++) {
			const struct tried *t = &study->tried[i];
			if (t->measured && !t->failed && t->from & from && t->ratio > above &&
			        (best == study->count || t->ratio < study->tried[best].ratio))
				best = i;
		}
		if (best == study->count)
			return;
		above = study->tried[best].ratio;
		nominate(study, final, best);
	}
}

/* Twice, because a worker may die over one of the last and take the first with it. */
static void build_final(struct study *study, struct final *final)
{
	for (uint32_t again = 0; again < 2; again++) {
		uint32_t count = 0;
		for (uint32_t i = 0; i < final->count; i++) {
			uint32_t member = final->member[i], slot = final->slot[i];
			if (!build_as(study, &study->tried[member], slot, true))
				continue;
			final->slot[count] = slot;
			final->member[count++] = member;
		}
		final->count = count;
	}
}

static int compare_all(struct study *study)
{
	struct final final = {.count = 0};
	double ns[FINAL_MAX * FINAL_SAMPLES];

	nominate(study, &final, study->pick);
	nominate_best(study, &final, FINALISTS, UINT32_MAX);
	nominate_best(study, &final, FINALISTS_LITE, FROM_LITE);
	for (uint32_t i = 0; i < 2; i++) {
		uint32_t extra = i ? study->space.baseline : 0; /* 0: predicted best */
		if (extra < study->space.count && study->tried[extra].measured)
			nominate(study, &final, extra);
	}
	build_final(study, &final);
	uint32_t rounds = lab_time(study->lab, final.slot, final.count, FINAL_SAMPLES, ns);
	for (uint32_t i = 0; i < final.count && rounds; i++)
		study->tried[final.member[i]].final_ns = lab_typical(
		        &ns[i * FINAL_SAMPLES], rounds);
	return rounds ? 0 : -EIO;
}

uint32_t study_best(const struct study *study, uint32_t from)
{
	uint32_t best = study->count;

	for (uint32_t i = 0; i < study->count; i++) {
		const struct tried *t = &study->tried[i];
		if (t->final_ns > 0 && t->from & from &&
		        (best == study->count || t->final_ns < study->tried[best].final_ns))
			best = i;
	}
	return best;
}

/* ---- All of it. */

static int failed(const struct study *study, const char *why)
{
	fprintf(stderr, "nnjit-lab: %s: %s\n", study->lab->op_text, why);
	return LAB_FAILED;
}

static int prepare(struct study *study)
{
	struct lab *lab = study->lab;
	struct error err = {0};
	int r = space_enumerate(&lab->op, &lab->limits, &lab->facts, &study->space, &err);

	if (r)
		return failed(study, err.text);
	r = full_create(&lab->op, &lab->limits, SPACE_INSTRUCTIONS_MAX, &study->full);
	for (uint32_t i = 0; !r && i < study->space.count; i++) {
		struct tried *tried = take(study, &study->space.candidates[i].schedule);
		if (tried)
			tried->from |= FROM_LITE;
		else
			r = -ENOMEM;
	}
	return r ? failed(study, strerror(-r)) : LAB_DONE;
}

int study_run(struct study *study)
{
	int answer = lab_load(study->lab, study->asked);

	study->begun_s = study_now_s();
	study->deadline_s = study->begun_s + study->plan->budget_s;
	if (!answer)
		answer = prepare(study);
	if (answer)
		return answer;
	int r = search(study);
	if (!r && study->pick == UINT32_MAX)
		return failed(study, "none of the lite space's schedules could be measured");
	if (!r)
		weigh_lite(study);
	if (!r)
		r = weigh_sample(study);
	if (!r)
		r = climb(study);
	if (!r)
		r = compare_all(study);
	if (isatty(STDERR_FILENO))
		clear_line();
	if (study->lab->broken)
		return failed(study, study->lab->why);
	return r ? failed(study, strerror(-r)) : LAB_DONE;
}

void study_free(struct study *study)
{
	full_destroy(study->full);
	free(study->tried);
}
