/* SPDX-License-Identifier: Apache-2.0
 *
 * What a kernel left in its output: poisoned before, compared after. Outputs of every element type
 * are looked at as bits to find what nobody wrote, and as numbers to compare with the reference.
 */
#include "daemon/gpu/workload.h"

#include "reference/reference.h"

#include <math.h>
#include <string.h>

/* ---- Poison: a word full of what no right kernel writes; where every bit pattern is a number, one
 * for each of two rounds. */

static const struct poison {
	uint32_t rounds, words[2];
} poisons[DTYPE_COUNT] = {
        [DTYPE_F32] = {1, {0x7fc00001}}, /* NaNs that no arithmetic produces */
        [DTYPE_F16] = {1, {0x7e017e01}},
        [DTYPE_I32] = {1, {0x80000001}}, /* no sum of our inputs comes near */
        [DTYPE_BOOL] = {1, {0xffffffff}},
        [DTYPE_I8] = {2, {0x5a5a5a5a, 0xa5a5a5a5}},
        [DTYPE_U8] = {2, {0x5a5a5a5a, 0xa5a5a5a5}},
        [DTYPE_U4] = {2, {0x5a5a5a5a, 0xa5a5a5a5}},
};

static enum dtype dtype_of(const struct workload *workload)
{
	return workload->points[0].tensors[workload->output].dtype;
}

uint32_t workload_rounds(const struct workload *workload)
{
	return poisons[dtype_of(workload)].rounds;
}

int workload_poison(struct workload *workload, uint32_t round, struct error *err)
{
	return workload->device->api->buffer_fill(
	        workload->buffers[workload->output], poisons[dtype_of(workload)].words[round], err);
}

int workload_spoil(struct workload *workload, uint32_t point, struct error *err)
{
	const struct samples *samples = &workload->points[point].samples;
	enum dtype dtype = dtype_of(workload);
	uint32_t per_word = 32 / dtype_bits(dtype), at = samples->count / 2, word = 0;
	double right = samples->references[at];
	double wrong = dtype == DTYPE_BOOL ? right == 0 : right > 0 ? -100 : 100;

	reference_write(dtype, &word, samples->elements[at] % per_word, wrong);
	return workload->device->api->buffer_write(workload->buffers[workload->output],
	        4 * (samples->elements[at] / per_word), &word, sizeof word, err);
}

/* ---- Looking. */

/* An output as the host sees it: the whole of it, or one word for each sample. */
struct sight {
	const struct samples *samples;
	const uint32_t *words;
	enum dtype dtype;
	uint32_t bits, shift; /* of an element; 2^shift of them are a word */
	bool whole;           /* all elements are looked at, else the samples */
	bool by_element;      /* words holds all elements, else one word a sample */
};

/* Where among which words sample i lies. */
static uint64_t place(const struct sight *sight, uint32_t i, const uint32_t **ret_words)
{
	uint64_t element = sight->samples->elements[i];

	*ret_words = sight->by_element ? sight->words : sight->words + i;
	return sight->by_element ? element : element & ((1u << sight->shift) - 1);
}

static uint32_t bits_at(const struct sight *sight, const uint32_t *words, uint64_t index)
{
	uint32_t lane = (uint32_t)index & ((1u << sight->shift) - 1);

	return words[index >> sight->shift] >> sight->bits * lane &
	       (0xffffffffu >> (32 - sight->bits));
}

static void compare_samples(const struct sight *sight, struct comparison *comparison)
{
	const struct samples *samples = sight->samples;

	for (uint32_t i = 0; i < samples->count; i++) {
		const uint32_t *words;
		uint64_t index = place(sight, i, &words);
		double value = reference_read(sight->dtype, words, index);
		double error = reference_error(&samples->rule, samples->references[i], value);
		if (isnan(samples->references[i]) || error <= comparison->max_rel_err)
			continue;
		comparison->max_rel_err = error;
		comparison->worst = samples->elements[i];
		comparison->worst_value = value;
		comparison->worst_reference = samples->references[i];
	}
}

/* Whether element number i of those looked at still holds the round's poison; *ret_element is which
 * of the output's it is. */
static bool is_poisoned(
        const struct sight *sight, uint32_t round, uint64_t i, uint64_t *ret_element)
{
	const uint32_t *words = sight->words;
	uint64_t index = sight->whole ? i : place(sight, (uint32_t)i, &words);
	uint64_t lane = index & ((1u << sight->shift) - 1);

	*ret_element = sight->whole ? i : sight->samples->elements[i];
	return bits_at(sight, words, index) ==
	       bits_at(sight, &poisons[sight->dtype].words[round], lane);
}

/* After the first of two rounds nothing is known, as each element may hold a number that happens to
 * be the poison's; those that do are remembered. */
static void count_poison(struct workload *workload, const struct point *point,
        const struct sight *sight, uint32_t round, struct comparison *comparison)
{
	uint32_t rounds = poisons[sight->dtype].rounds;
	uint64_t count = sight->whole ? point->tensors[workload->output].elements
	                              : sight->samples->count;

	for (uint64_t i = 0, element; i < count; i++) {
		bool poisoned = is_poisoned(sight, round, i, &element);
		if (rounds > 1 && round == 0) {
			workload->first[i] = poisoned;
			continue;
		}
		poisoned &= rounds == 1 || workload->first[i];
		if (samples_between_rows(sight->samples, element))
			comparison->trespassed += !poisoned;
		else
			comparison->unwritten += poisoned;
	}
}

int workload_compare(struct workload *workload, uint32_t point, uint32_t round,
        struct comparison *ret_comparison, struct error *err)
{
	const struct point *at = &workload->points[point];
	const void *mapped = workload->buffers[workload->output]->mapped;
	enum dtype dtype = dtype_of(workload);
	struct sight sight = {.samples = &at->samples,
	        .words = mapped,
	        .dtype = dtype,
	        .bits = dtype_bits(dtype),
	        .shift = (uint32_t)__builtin_ctz(32 / dtype_bits(dtype)),
	        .whole = at->whole,
	        .by_element = mapped || at->whole};
	struct comparison comparison = {.checked = at->samples.count};

	if (!mapped) {
		int answer = workload->device->api->submit(at->collect, NULL, err);
		if (answer)
			return answer;
		sight.words = workload->results->mapped;
	}
	count_poison(workload, at, &sight, round, &comparison);
	compare_samples(&sight, &comparison);
	*ret_comparison = comparison;
	return 0;
}
