/* SPDX-License-Identifier: Apache-2.0
 *
 * Successive halving (Jamieson and Talwalkar, AISTATS 2016) with the screening order given by the
 * caller and a local search on top: whoever leads may bring its neighbours. Nothing is random: what
 * is asked next follows from what was told. Leaders are found anew at every ask from the medians of
 * that moment, so that a candidate whose rivals slowed down comes back into play by itself.
 * Invariant: a rejected candidate is never asked for again.
 */
#include "search/finals.h"
#include "search/median.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define SAMPLES_MAX      64 /* kept of one candidate, the newest ones */
#define SCREEN_SAMPLES   3
#define SCREEN_KEPT      6    /* while screening: the best is measured with every newcomer */
#define BASELINE_SAMPLES 12   /* speedups are stated against it: it must be known well */
#define STEP_SAMPLES     8    /* at most so many between two looks at who still leads */
#define CONTEND_SAMPLES  12   /* before spreads are trusted to tell two apart */
#define ASKS_MAX         32   /* of one candidate after screening, whatever the tells bring */
#define TIE              1.02 /* as close to the best as this, more samples are always worth it */
#define EXPAND_AFTER     6    /* newcomers in predicted order between two leaders' neighbours */
#define EXPAND_WITHIN    1.1  /* of the best: whose neighbours are looked at in the end */
#define TRUST_AFTER      12   /* timed ones before predictions may end the screening */
#define TRUST            0.8  /* of the best ratio of measured to predicted seen: what may come */
#define FLOOR_ABOVE      1.05 /* as close to the floor as this, nothing is left to gain */
#define FLOOR_BELOW      0.9  /* faster than this, the floor is none */

/* After the screening: who is within `factor` of the best is measured until `samples`. */
static const struct round {
	double factor;
	uint32_t samples;
} rounds[] = {{1.5, 6}, {1.2, 12}, {1.08, 20}};
#define ROUNDS       (sizeof rounds / sizeof rounds[0])
#define OTHER_SPEED  1.15 /* no noise makes all samples of a batch so much longer or shorter */
#define FINAL_WITHIN 1.08 /* of the best: who is runs in the finals, the best of them */

struct entry {
	enum { UNTRIED, TIMED, REJECTED } state;
	bool asked;     /* in the batch under way and not told yet */
	bool preferred; /* screened before those in predicted order */
	bool expanded;  /* its neighbours were asked for */
	uint32_t asks, samples, oldest;
	double predicted; /* 0: unknown */
	double median, mad, least;
	double sample[SAMPLES_MAX];
	bool final; /* its times are those of the finals */
};

struct search {
	uint32_t count, baseline, batch_samples;
	uint32_t trials;    /* candidates measured at most */
	uint32_t since;     /* newcomers in predicted order since a leader was expanded */
	uint32_t round;     /* index into rounds; ROUNDS: the finals */
	uint32_t reference; /* of the batch under way, or UINT32_MAX */
	double scale;       /* what its samples are kept times */
	double floor;
	uint32_t final_asks;
	bool hurried, refining, done;
	struct finals finals;
	struct entry *entries;
};

/* ---- The candidates. */

int search_create(uint32_t count, uint32_t baseline, struct search **ret_search)
{
	struct search *search = calloc(1, sizeof *search);

	if (search)
		search->entries = calloc(count ? count : 1, sizeof *search->entries);
	if (!search || !search->entries) {
		free(search);
		return -ENOMEM;
	}
	search->count = count;
	search->baseline = baseline == count ? UINT32_MAX : baseline;
	search->trials = search->reference = UINT32_MAX;
	search->scale = 1;
	*ret_search = search;
	return 0;
}

void search_destroy(struct search *search)
{
	if (search)
		free(search->entries);
	free(search);
}

void search_expect(struct search *search, uint32_t candidate, double predicted_ns)
{
	if (candidate < search->count && isfinite(predicted_ns) && predicted_ns > 0)
		search->entries[candidate].predicted = predicted_ns;
}

void search_bound(struct search *search, uint32_t trials, double floor_ns)
{
	search->trials = trials ? trials : UINT32_MAX;
	search->floor = isfinite(floor_ns) && floor_ns > 0 ? floor_ns : 0;
}

int search_add(struct search *search, double predicted_ns)
{
	struct entry *entries = realloc(
	        search->entries, (search->count + 1) * sizeof *search->entries);

	if (!entries)
		return -ENOMEM;
	search->entries = entries;
	entries[search->count] = (struct entry){.preferred = true};
	search_expect(search, search->count++, predicted_ns);
	return 0;
}

void search_prefer(struct search *search, uint32_t candidate)
{
	if (candidate < search->count)
		search->entries[candidate].preferred = true;
}

/* ---- What is told. */

static void summarise(struct entry *entry)
{
	double values[SAMPLES_MAX];

	memcpy(values, entry->sample, entry->samples * sizeof *values);
	entry->median = median(values, entry->samples);
	entry->least = values[0]; /* median sorts */
	for (uint32_t i = 0; i < entry->samples; i++)
		values[i] = fabs(entry->sample[i] - entry->median);
	entry->mad = median(values, entry->samples);
}

static void rescale(struct search *search, double factor)
{
	for (uint32_t i = 0; i < search->count; i++) {
		struct entry *entry = &search->entries[i];
		for (uint32_t n = 0; n < entry->samples; n++)
			entry->sample[n] *= factor;
		entry->median *= factor;
		entry->mad *= factor;
		entry->least *= factor;
	}
}

/* The reference is the best before; where all its samples of a batch are far from what it took, the
 * device's speed has changed. Times are kept as at the highest speed seen: slow ones are scaled as
 * they come, and when it turns out to be faster, what is there. */
static void note_speed(struct search *search, const double *samples_ns, uint32_t samples)
{
	double usual_ns = search->entries[search->reference].median, least = INFINITY, most = 0;

	for (uint32_t i = 0; i < samples; i++) {
		least = fmin(least, samples_ns[i]);
		most = fmax(most, samples_ns[i]);
	}
	if (samples < SCREEN_SAMPLES || !(least > 0) || !(usual_ns > 0))
		return;
	if (most * OTHER_SPEED < usual_ns)
		rescale(search, most / usual_ns);
	else if (least > OTHER_SPEED * usual_ns)
		search->scale = usual_ns / least;
}

static void keep(struct entry *entry, double sample_ns, uint32_t limit)
{
	if (!isfinite(sample_ns) || sample_ns < 0)
		return;
	if (entry->samples < limit) {
		entry->sample[entry->samples++] = sample_ns;
		return;
	}
	entry->sample[entry->oldest] = sample_ns;
	entry->oldest = (entry->oldest + 1) % limit;
}

void search_tell(struct search *search, uint32_t candidate, enum search_outcome outcome,
        const double *samples_ns, uint32_t samples)
{
	if (candidate >= search->count)
		return;
	struct entry *entry = &search->entries[candidate];
	entry->asked = false;
	if (outcome == SEARCH_REJECTED) {
		entry->state = REJECTED;
		finals_leave(&search->finals, candidate);
	}
	if (entry->state == REJECTED)
		return;
	finals_tell(&search->finals, candidate, samples_ns, samples);
	if (candidate == search->reference)
		note_speed(search, samples_ns, samples);
	for (uint32_t i = 0; i < samples; i++)
		keep(entry, samples_ns[i] * search->scale,
		        search->refining ? SAMPLES_MAX : SCREEN_KEPT);
	entry->state = entry->samples ? TIMED : REJECTED;
	if (entry->samples)
		summarise(entry);
}

struct search_timing search_timing(const struct search *search, uint32_t candidate)
{
	if (candidate >= search->count || search->entries[candidate].state != TIMED)
		return (struct search_timing){0};
	const struct entry *entry = &search->entries[candidate];
	return (struct search_timing){entry->median, entry->mad, entry->samples, entry->final};
}

/* Finalists before all others: only their times are of the same moments. */
static bool better(const struct entry *a, const struct entry *b)
{
	return a->final != b->final ? a->final : a->median < b->median;
}

uint32_t search_best(const struct search *search)
{
	uint32_t best = search->count;

	for (uint32_t i = 0; i < search->count; i++) {
		const struct entry *entry = &search->entries[i];
		if (entry->state != TIMED)
			continue;
		if (best == search->count || better(entry, &search->entries[best]))
			best = i;
	}
	return best;
}

uint32_t search_measured(const struct search *search)
{
	uint32_t measured = 0;

	for (uint32_t i = 0; i < search->count; i++)
		measured += search->entries[i].state != UNTRIED;
	return measured;
}

uint32_t search_goal(const struct search *search)
{
	return search->count < search->trials ? search->count : search->trials;
}

void search_hurry(struct search *search)
{
	search->hurried = true;
	for (uint32_t i = 0; search_best(search) < search->count && i < search->count; i++)
		if (search->entries[i].state == UNTRIED)
			search->entries[i].asked = false;
}

bool search_in_finals(const struct search *search)
{
	return search->final_asks && !search->done;
}

bool search_done(const struct search *search)
{
	return search->done;
}

/* What the last batch still owes. */
static uint32_t untold(const struct search *search, uint32_t batch[static SEARCH_BATCH_MAX])
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < search->count && count < SEARCH_BATCH_MAX; i++)
		if (search->entries[i].asked)
			batch[count++] = i;
	return count;
}

/* ---- Screening. */

static bool untried(const struct search *search, uint32_t candidate)
{
	return candidate < search->count && search->entries[candidate].state == UNTRIED;
}

/* A floor that was passed by far was none: what stays in a cache beats the bound of memory. */
static bool at_floor(const struct search *search)
{
	uint32_t best = search_best(search);
	double least = best < search->count ? search->entries[best].median : 0;

	return search->floor > 0 && least >= FLOOR_BELOW * search->floor &&
	       least <= FLOOR_ABOVE * search->floor;
}

/* The least that a prediction has been off by, too much being below 1; 0 while little is known. */
static double optimism(const struct search *search)
{
	double least = INFINITY;
	uint32_t known = 0;

	for (uint32_t i = 0; i < search->count; i++) {
		const struct entry *entry = &search->entries[i];
		if (entry->state != TIMED || !entry->predicted)
			continue;
		known++;
		least = fmin(least, entry->least / entry->predicted);
	}
	return known < TRUST_AFTER ? 0 : least;
}

/* Even if it beat its prediction by as much as any did, and a bit more. */
static bool hopeless(const struct search *search, uint32_t candidate)
{
	uint32_t best = search_best(search);
	double predicted = search->entries[candidate].predicted;

	return best < search->count &&
	       predicted * TRUST * optimism(search) > search->entries[best].median;
}

/* Candidates measured, and those out to be. */
static uint32_t tried(const struct search *search)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < search->count; i++)
		count += search->entries[i].state != UNTRIED || search->entries[i].asked;
	return count;
}

/* Never while there is nothing to serve yet. */
static bool screening_over(const struct search *search)
{
	return search_best(search) < search->count &&
	       (search->hurried || at_floor(search) || tried(search) >= search->trials);
}

/* The next one never measured: neighbours of a leader first, then in predicted order. The last
 * eighth of the trials is for neighbours. count: none is worth it. */
static uint32_t newcomer(const struct search *search)
{
	uint32_t none = search->count;
	uint32_t kept = search->trials == UINT32_MAX ? 0 : search->trials / 8;

	if (screening_over(search))
		return none;
	for (uint32_t i = 0; i < search->count; i++)
		if (untried(search, i) && !search->entries[i].asked && search->entries[i].preferred)
			return i;
	if (search_best(search) < none && tried(search) + kept >= search->trials)
		return none;
	for (uint32_t i = 0; i < search->count; i++)
		if (untried(search, i) && !search->entries[i].asked && i != search->baseline)
			return hopeless(search, i) ? none : i;
	return none;
}

uint32_t search_next(const struct search *search)
{
	return newcomer(search);
}

/* The fastest of those near the best whose neighbours were not asked for, or count. */
static uint32_t next_leader(const struct search *search, double most)
{
	uint32_t next = search->count;

	for (uint32_t i = 0; i < search->count; i++) {
		const struct entry *entry = &search->entries[i];
		if (entry->state == TIMED && !entry->expanded && entry->median <= most &&
		        (next == search->count || entry->median < search->entries[next].median))
			next = i;
	}
	return next;
}

uint32_t search_expand(struct search *search)
{
	uint32_t best = search_best(search), next = newcomer(search), none = search->count;

	if (best == none || screening_over(search) || search->refining ||
	        untold(search, (uint32_t[SEARCH_BATCH_MAX]){0}))
		return none;
	if (next < none && (search->entries[next].preferred || search->since < EXPAND_AFTER ||
	                           search->entries[best].expanded))
		return none;
	uint32_t leader = next_leader(search, EXPAND_WITHIN * search->entries[best].median);
	if (leader == none)
		return none;
	search->entries[leader].expanded = true;
	search->since = 0;
	return leader;
}

/* Everything is measured side by side with the best so far, which comes first. */
static uint32_t with_best(uint32_t batch[static SEARCH_BATCH_MAX], uint32_t count, uint32_t best)
{
	uint32_t at = 0;

	while (at < count && batch[at] != best)
		at++;
	if (at == count && count < SEARCH_BATCH_MAX)
		count++;
	for (at = at < count ? at : count - 1; at; at--)
		batch[at] = batch[at - 1];
	batch[0] = best;
	return count;
}

/* The next newcomer, side by side with the best so far: it costs a build, which is far dearer than
 * a few samples more, and so what is known of it is known as soon as it is built. The baseline
 * comes with the first. */
static uint32_t screen(struct search *search, uint32_t batch[static SEARCH_BATCH_MAX])
{
	uint32_t best = search_best(search), next = newcomer(search), count = 0;

	if (search->hurried && best < search->count)
		return 0;
	if (next < search->count) {
		batch[count++] = next;
		search->since += !search->entries[next].preferred;
	}
	if (untried(search, search->baseline))
		batch[count++] = search->baseline;
	search->batch_samples = SCREEN_SAMPLES;
	return count && best < search->count ? with_best(batch, count, best) : count;
}

/* ---- Telling the leaders apart. */

/* Whether `entry` could still turn out to be the best: they tie or their spreads overlap. */
static bool contends(const struct entry *entry, const struct entry *best)
{
	if (entry->samples < CONTEND_SAMPLES || best->samples < CONTEND_SAMPLES)
		return true;
	return entry->median <= TIE * best->median ||
	       entry->median - entry->mad <= best->median + best->mad;
}

static bool leads(const struct search *search, uint32_t candidate, uint32_t best)
{
	const struct entry *entry = &search->entries[candidate], *first = &search->entries[best];

	return entry->state == TIMED && contends(entry, first) &&
	       entry->least <= rounds[search->round].factor * first->median;
}

/* Once nobody contends with the best any more, further samples of it tell nothing. */
static uint32_t wanted_samples(
        const struct search *search, uint32_t candidate, uint32_t best, uint32_t leaders)
{
	uint32_t samples = rounds[search->round].samples;

	if (leads(search, candidate, best))
		return leaders > 1 ? samples : rounds[0].samples;
	if (candidate == search->baseline && search->entries[candidate].state == TIMED)
		return samples < BASELINE_SAMPLES ? samples : BASELINE_SAMPLES;
	return 0;
}

static bool wanted(const struct search *search, uint32_t candidate, uint32_t best, uint32_t leaders)
{
	const struct entry *entry = &search->entries[candidate];

	return entry->asks < ASKS_MAX &&
	       entry->samples < wanted_samples(search, candidate, best, leaders);
}

/* The leaders that lack samples, those with the fewest first. */
static uint32_t refine(struct search *search, uint32_t batch[static SEARCH_BATCH_MAX])
{
	uint32_t best = search_best(search), leaders = 0, count = 0;

	for (uint32_t i = 0; best < search->count && i < search->count; i++)
		leaders += leads(search, i, best);
	for (uint32_t have = 0; leaders && have < SAMPLES_MAX; have++)
		for (uint32_t i = 0; i < search->count && count < SEARCH_BATCH_MAX - 1; i++)
			if (search->entries[i].samples == have && wanted(search, i, best, leaders))
				batch[count++] = i;
	if (!count)
		return 0;
	search->refining = true;
	uint32_t lack = wanted_samples(search, batch[0], best, leaders) -
	                search->entries[batch[0]].samples;
	search->batch_samples = lack < STEP_SAMPLES ? lack : STEP_SAMPLES;
	for (uint32_t i = 0; i < count; i++)
		search->entries[batch[i]].asks++;
	return with_best(batch, count, best);
}

/* ---- The finals. */

/* The best so far that has not entered, as long as it is near the best of all. */
static uint32_t next_finalist(const struct search *search, double most)
{
	uint32_t next = search->count;

	for (uint32_t i = 0; i < search->count; i++) {
		const struct entry *entry = &search->entries[i];
		bool entered = false;
		for (uint32_t f = 0; f < search->finals.count; f++)
			entered |= search->finals.candidate[f] == i;
		if (entry->state == TIMED && !entered && entry->median <= most &&
		        (next == search->count || entry->median < search->entries[next].median))
			next = i;
	}
	return next;
}

static void choose_finalists(struct search *search)
{
	uint32_t best = search_best(search), next;
	double most = best < search->count ? FINAL_WITHIN * search->entries[best].median : 0;
	double sum_ns = 0;

	while (search->finals.count < SEARCH_BATCH_MAX &&
	        (next = next_finalist(search, most)) < search->count) {
		finals_enter(&search->finals, next);
		sum_ns += search->entries[next].median;
	}
	finals_begin(&search->finals, sum_ns);
}

/* What did not run in the finals is told as it would have been then. */
static void conclude(struct search *search)
{
	const struct finals *finals = &search->finals;
	double scale = 1;

	for (uint32_t f = 0; f < finals->count; f++) {
		struct search_timing timing = finals_timing(finals, f);
		struct entry *entry = &search->entries[finals->candidate[f]];
		if (!timing.samples)
			return;
		if (!f)
			scale = timing.median_ns / entry->median;
		entry->median = timing.median_ns;
		entry->mad = timing.mad_ns;
		entry->final = true;
	}
	for (uint32_t i = 0; i < search->count; i++) {
		struct entry *entry = &search->entries[i];
		entry->median *= entry->final ? 1 : scale;
		entry->mad *= entry->final ? 1 : scale;
	}
}

static uint32_t finals(struct search *search, uint32_t batch[static SEARCH_BATCH_MAX])
{
	uint32_t count = 0;

	if (search->done)
		return 0;
	if (!search->finals.count)
		choose_finalists(search);
	if (search->final_asks++ < FINALS_ROUNDS_MAX)
		count = finals_ask(&search->finals, batch, &search->batch_samples);
	if (!count) {
		conclude(search);
		search->done = true;
	}
	return count;
}

static void refer(
        struct search *search, const uint32_t batch[static SEARCH_BATCH_MAX], uint32_t count)
{
	uint32_t best = search_best(search);

	search->reference = UINT32_MAX;
	search->scale = 1;
	if (count && batch[0] == best)
		search->reference = best;
}

uint32_t search_ask(
        struct search *search, uint32_t ret_batch[static SEARCH_BATCH_MAX], uint32_t *ret_samples)
{
	uint32_t count = untold(search, ret_batch);

	if (!count)
		count = screen(search, ret_batch);
	while (!count && search->round < ROUNDS)
		if (!(count = refine(search, ret_batch)))
			search->round++;
	if (!count)
		count = finals(search, ret_batch);
	refer(search, ret_batch, count);
	for (uint32_t i = 0; i < count; i++)
		search->entries[ret_batch[i]].asked = true;
	if (count)
		*ret_samples = search->batch_samples;
	return count;
}
