/* SPDX-License-Identifier: Apache-2.0
 *
 * The lab: a worker, its device and its operator, restored whenever a kernel was the end of it.
 * Invariant: `holds` says what the worker that runs now has built, and nothing of one before it.
 */
#include "tools/lab/lab.h"

#include "base/error.h"
#include "base/statistics.h"
#include "clients/ctl/print.h"

#include <inttypes.h>
#include <string.h>

#define LIST_S       70 /* drivers may take long to say what there is */
#define PROBE_S      120
#define LOAD_S       120 /* the reference's sampled elements are among it */
#define BUILD_S      30  /* a kernel that takes longer would serve nobody */
#define TIME_S       60
#define SEED         6174
#define REVIVALS_MAX 3 /* in a row */

static enum gpu_answer ask_lab(struct lab *lab, json_t *request, uint32_t patience_s,
        json_t **ret_ok, char why[static GPU_WHY_BYTES])
{
	enum gpu_answer answer = gpu_ask(&lab->gpu, request, patience_s, ret_ok, why);

	if (answer != GPU_LOST)
		return answer;
	lab->deaths++;
	memset(lab->holds, 0, sizeof lab->holds);
	memset(lab->twins, 0, sizeof lab->twins);
	return answer;
}

/* Whose answer does not matter. */
static bool told(struct lab *lab, json_t *request, uint32_t patience_s)
{
	json_t *ok = NULL;
	bool done = ask_lab(lab, request, patience_s, &ok, lab->why) == GPU_OK;

	json_decref(ok);
	return done;
}

static json_t *open_request(const struct lab *lab)
{
	return json_pack(
	        "{s:s, s:s, s:s}", "do", "open", "device", lab->device, "profile", lab->profile);
}

static json_t *load_request(const struct lab *lab)
{
	return json_pack("{s:s, s:s, s:i}", "do", "load", "op", lab->op_text, "seed", SEED);
}

/* A new worker where the last one left off. */
static void revive(struct lab *lab)
{
	for (uint32_t i = 0; !lab->gpu.pid && i < REVIVALS_MAX; i++)
		if (!gpu_start(&lab->gpu) && told(lab, open_request(lab), LIST_S))
			told(lab, load_request(lab), LOAD_S);
	lab->broken = !lab->gpu.pid;
}

/* ---- The device. */

static uint32_t rank_of(const json_t *device)
{
	static const char *const kinds[] = {"discrete", "integrated", "virtual", "cpu"};
	uint32_t rank = 0;

	while (rank < 4 && strcmp(text_at(device, "kind"), kinds[rank]))
		rank++;
	return rank;
}

static bool is_meant(const struct lab_options *options, const json_t *device)
{
	return !options->device || !strcasecmp(text_at(device, "id"), options->device) ||
	       strcasestr(text_at(device, "name"), options->device);
}

/* The best of those that are meant: of its kind, the first one listed. */
static const json_t *choose(const struct lab_options *options, const json_t *devices)
{
	const json_t *best = NULL, *device;
	size_t i;

	json_array_foreach((json_t *)devices, i, device)
	{
		if (is_meant(options, device) && (!best || rank_of(device) < rank_of(best)))
			best = device;
	}
	return best;
}

static int read_features(const char *text, uint32_t *ret_features)
{
	uint32_t features = 0;
	char word[48];

	if (!text || !strcmp(text, "none") || !strcmp(text, "all")) {
		*ret_features = text && *text == 'a' ? UINT32_MAX : 0;
		return LAB_DONE;
	}
	for (const char *p = text; p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL) {
		snprintf(word, sizeof word, "%.*s", (int)strcspn(p, ","), p);
		if (!wire_feature_parse(word)) {
			fprintf(stderr, "nnjit-lab: '%s' is no feature that kernels use\n", word);
			return LAB_USAGE;
		}
		features |= wire_feature_parse(word);
	}
	*ret_features = features;
	return LAB_DONE;
}

/* As the daemon takes them for a page with these features. */
static struct limits limits_for(const json_t *device, uint32_t features)
{
	struct limits own, limits;

	wire_limits_parse(
	        json_object_get(device, "limits"), json_object_get(device, "features"), &own);
	limits = limits_meet(&own, &limits_web_default);
	limits.features = own.features & features;
	bool subgroups = limits.features & FEATURE_SUBGROUPS;
	limits.subgroup_min = subgroups ? own.subgroup_min : 0;
	limits.subgroup_max = subgroups ? own.subgroup_max : 0;
	return limits;
}

static int open_device(const struct lab_options *options, struct lab *lab, const json_t *devices)
{
	const json_t *device = choose(options, devices);
	json_t *ok = NULL;
	uint32_t features;

	int answer = read_features(options->features, &features);
	if (answer)
		return answer;
	if (!device) {
		fprintf(stderr, "nnjit-lab: no device here%s%s\n",
		        options->device ? " is named like " : "",
		        options->device ? options->device : "");
		return LAB_FAILED;
	}
	snprintf(lab->device, sizeof lab->device, "%s", text_at(device, "id"));
	snprintf(lab->name, sizeof lab->name, "%s", text_at(device, "name"));
	lab->limits = limits_for(device, features);
	if (!told(lab, open_request(lab), LIST_S) ||
	        ask_lab(lab, json_pack("{s:s}", "do", "probe"), PROBE_S, &ok, lab->why) != GPU_OK) {
		fprintf(stderr, "nnjit-lab: %s: %s\n", lab->name, lab->why);
		return LAB_FAILED;
	}
	wire_facts_parse(json_object_get(ok, "facts"), &lab->facts);
	lab->facts.cpu = rank_of(device) == 3;
	json_decref(ok);
	return LAB_DONE;
}

int lab_open(const struct lab_options *options, struct lab *ret_lab)
{
	json_t *ok = NULL;
	int r = gpu_start(&ret_lab->gpu), answer = LAB_FAILED;

	ret_lab->profile = options->profile ? options->profile : "web";
	if (r)
		snprintf(ret_lab->why, sizeof ret_lab->why, "%s", strerror(-r));
	if (r || ask_lab(ret_lab, json_pack("{s:s}", "do", "list"), LIST_S, &ok, ret_lab->why))
		fprintf(stderr, "nnjit-lab: no worker (nnjit-gpu): %s\n", ret_lab->why);
	else
		answer = open_device(options, ret_lab, json_object_get(ok, "devices"));
	json_decref(ok);
	return answer;
}

void lab_close(struct lab *lab)
{
	gpu_stop(&lab->gpu);
}

int lab_load(struct lab *lab, const char *op_text)
{
	struct error err = {0};

	if (op_parse(op_text, &lab->op, &err)) {
		fprintf(stderr, "nnjit-lab: %s\n", err.text);
		return LAB_FAILED;
	}
	op_print(&lab->op, lab->op_text);
	memset(lab->holds, 0, sizeof lab->holds);
	memset(lab->twins, 0, sizeof lab->twins);
	if (!lab->gpu.pid)
		revive(lab);
	else if (!told(lab, load_request(lab), LOAD_S)) {
		fprintf(stderr, "nnjit-lab: %s: %s\n", lab->op_text, lab->why);
		return LAB_FAILED;
	}
	return lab->broken ? LAB_FAILED : LAB_DONE;
}

/* ---- Measuring. */

static bool take_build(struct lab *lab, uint32_t slot, const struct schedule *schedule,
        const json_t *verdict, char why[static GPU_WHY_BYTES])
{
	snprintf(why, GPU_WHY_BYTES, "%s", text_at(verdict, "why"));
	lab->holds[slot] = json_is_true(json_object_get(verdict, "right"));
	lab->held[slot] = *schedule;
	lab->pilot_ns[slot] = number_at(verdict, "pilot_ns");
	return lab->holds[slot];
}

static bool ask_build(struct lab *lab, uint32_t slot, const struct schedule *schedule, bool twin,
        char why[static GPU_WHY_BYTES])
{
	char text[SCHEDULE_TEXT_BYTES];
	json_t *ok = NULL;

	lab->holds[slot] = lab->twins[slot] = false;
	schedule_print(schedule, text);
	json_t *request = json_pack("{s:s, s:i, s:s, s:b}", "do", "build", "candidate", (int)slot,
	        "schedule", text, "twin", (int)twin);
	bool right = ask_lab(lab, request, BUILD_S, &ok, why) == GPU_OK &&
	             take_build(lab, slot, schedule, ok, why);
	json_decref(ok);
	if (!lab->gpu.pid)
		revive(lab);
	return right;
}

bool lab_build(struct lab *lab, uint32_t slot, const struct schedule *schedule,
        char why[static GPU_WHY_BYTES])
{
	if (lab->holds[slot] && !memcmp(&lab->held[slot], schedule, sizeof *schedule))
		return true;
	return ask_build(lab, slot, schedule, false, why);
}

bool lab_twin(struct lab *lab, uint32_t slot, char why[static GPU_WHY_BYTES])
{
	const struct schedule schedule = lab->held[slot];

	if (!lab->facts.cpu || lab->twins[slot])
		return true;
	bool right = ask_build(lab, slot, &schedule, true, why);
	lab->twins[slot] = right;
	return right;
}

static uint32_t take_samples(
        const json_t *ok, const uint32_t slots[], uint32_t count, uint32_t samples, double *ret_ns)
{
	const json_t *all = json_object_get(ok, "samples_ns");
	uint32_t rounds = samples;
	char name[16];

	for (uint32_t i = 0; i < count; i++) {
		snprintf(name, sizeof name, "%" PRIu32, slots[i]);
		const json_t *one = json_object_get(all, name);
		if (json_array_size(one) < rounds)
			rounds = (uint32_t)json_array_size(one);
		for (uint32_t n = 0; n < rounds; n++)
			ret_ns[i * samples + n] = json_number_value(json_array_get(one, n));
	}
	return rounds;
}

uint32_t lab_time(
        struct lab *lab, const uint32_t slots[], uint32_t count, uint32_t samples, double *ret_ns)
{
	json_t *array = json_array(), *ok = NULL;
	uint32_t rounds = 0;

	for (uint32_t i = 0; i < count; i++)
		json_array_append_new(array, json_integer(slots[i]));
	json_t *request = json_pack(
	        "{s:s, s:o, s:i}", "do", "time", "candidates", array, "samples", (int)samples);
	if (ask_lab(lab, request, TIME_S, &ok, lab->why) == GPU_OK)
		rounds = take_samples(ok, slots, count, samples, ret_ns);
	json_decref(ok);
	if (!lab->gpu.pid)
		revive(lab);
	return rounds;
}

double lab_typical(double samples_ns[], uint32_t count)
{
	statistics_sort(samples_ns, count);
	return samples_ns[count / 8];
}
