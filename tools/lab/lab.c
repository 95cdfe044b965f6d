/* SPDX-License-Identifier: Apache-2.0
 *
 * The lab: a worker, its device and its operator, restored whenever a kernel was the end of it.
 * Invariant: `holds` says what the worker that runs now has built, and nothing of one before it.
 */
#include "tools/lab/lab.h"

#include "base/error.h"
#include "base/statistics.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
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
	return wire_write_open(&(struct wire_open){.device = lab->id, .profile = lab->profile});
}

static json_t *load_request(const struct lab *lab)
{
	return wire_write_load(&(struct wire_load){.op = lab->op_text, .seed = SEED});
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

static uint32_t rank_of(const struct wire_device *device)
{
	static const char *const kinds[] = {"discrete", "integrated", "virtual", "cpu"};
	uint32_t rank = 0;

	while (rank < 4 && strcmp(device->kind, kinds[rank]))
		rank++;
	return rank;
}

static void print_id(const struct wire_device *device, char text[static 17])
{
	snprintf(text, 17, "%016" PRIx64, device->id);
}

static bool is_meant(const struct lab_options *options, const struct wire_device *device)
{
	char id[17];

	print_id(device, id);
	return !options->device || !strcasecmp(id, options->device) ||
	       strcasestr(device->name, options->device);
}

/* The best of those that are meant: of its kind, the first one listed. False where there is none.
 */
static bool choose(
        const struct lab_options *options, const json_t *devices, struct wire_device *ret_best)
{
	struct wire_device device;
	const json_t *object;
	bool found = false;
	size_t i;

	json_array_foreach(devices, i, object)
	{
		if (wire_read_device(object, &device, NULL) || !is_meant(options, &device) ||
		        (found && rank_of(&device) >= rank_of(ret_best)))
			continue;
		*ret_best = device;
		found = true;
	}
	return found;
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
static struct limits limits_for(const struct limits *own, uint32_t features)
{
	struct limits limits = limits_meet(own, &limits_web_default);

	limits.features = own->features & features;
	bool subgroups = limits.features & FEATURE_SUBGROUPS;
	limits.subgroup_min = subgroups ? own->subgroup_min : 0;
	limits.subgroup_max = subgroups ? own->subgroup_max : 0;
	return limits;
}

static int take_facts(struct lab *lab, const struct wire_device *device)
{
	struct wire_probed probed = {0};
	json_t *ok = NULL, *request = wire_write_probe(&(struct wire_probe){});
	struct error err = {0};
	int r = ask_lab(lab, request, PROBE_S, &ok, lab->why) == GPU_OK ? 0 : -EIO;

	if (!r && wire_read_probed(ok, &probed, &err)) {
		snprintf(lab->why, sizeof lab->why, "%.*s", GPU_WHY_BYTES - 1, err.text);
		r = -EBADMSG;
	}
	json_decref(ok);
	lab->facts = probed.facts;
	lab->facts.cpu = rank_of(device) == 3;
	return r;
}

static int open_device(const struct lab_options *options, struct lab *lab, const json_t *devices)
{
	struct wire_device device;
	uint32_t features;

	int answer = read_features(options->features, &features);
	if (answer)
		return answer;
	if (!choose(options, devices, &device)) {
		fprintf(stderr, "nnjit-lab: no device here%s%s\n",
		        options->device ? " is named like " : "",
		        options->device ? options->device : "");
		return LAB_FAILED;
	}
	lab->id = device.id;
	print_id(&device, lab->device);
	snprintf(lab->name, sizeof lab->name, "%s", device.name);
	lab->limits = limits_for(&device.limits, features);
	if (told(lab, open_request(lab), LIST_S) && !take_facts(lab, &device))
		return LAB_DONE;
	fprintf(stderr, "nnjit-lab: %s: %s\n", lab->name, lab->why);
	return LAB_FAILED;
}

int lab_open(const struct lab_options *options, struct lab *ret_lab)
{
	const struct wire_list message = {};
	struct wire_listed listed = {0};
	json_t *ok = NULL;
	int answer = LAB_FAILED;

	ret_lab->profile = wire_profile_by_name(options->profile ? options->profile : "web");
	if (ret_lab->profile == WIRE_PROFILE_COUNT) {
		fprintf(stderr, "nnjit-lab: profile must be web or native\n");
		return LAB_USAGE;
	}
	int r = gpu_start(&ret_lab->gpu);
	if (r)
		snprintf(ret_lab->why, sizeof ret_lab->why, "%s", strerror(-r));
	if (r || ask_lab(ret_lab, wire_write_list(&message), LIST_S, &ok, ret_lab->why) ||
	        wire_read_listed(ok, &listed, NULL))
		fprintf(stderr, "nnjit-lab: no worker (nnjit-gpu): %s\n", ret_lab->why);
	else
		answer = open_device(options, ret_lab, listed.devices);
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
        const json_t *ok, char why[static GPU_WHY_BYTES])
{
	struct wire_built verdict;
	struct error err = {0};
	bool heard = !wire_read_built(ok, &verdict, &err);

	snprintf(why, GPU_WHY_BYTES, "%.*s", GPU_WHY_BYTES - 1, heard ? verdict.why : err.text);
	lab->holds[slot] = heard && verdict.right;
	lab->held[slot] = *schedule;
	lab->pilot_ns[slot] = heard ? verdict.pilot_ns : 0;
	return lab->holds[slot];
}

static bool ask_build(struct lab *lab, uint32_t slot, const struct schedule *schedule, bool twin,
        char why[static GPU_WHY_BYTES])
{
	char text[SCHEDULE_TEXT_BYTES];
	const struct wire_build message = {.candidate = slot, .schedule = text, .twin = twin};
	json_t *ok = NULL;

	lab->holds[slot] = lab->twins[slot] = false;
	schedule_print(schedule, text);
	bool right = ask_lab(lab, wire_write_build(&message), BUILD_S, &ok, why) == GPU_OK &&
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

/* Each slot's times, one slot after the other: answers come in the order that was asked in. */
static uint32_t take_samples(const json_t *ok, uint32_t count, uint32_t samples, double *ret_ns)
{
	struct wire_timed timed = {0};

	if (wire_read_timed(ok, &timed, NULL))
		return 0;
	const struct wire_samples *all = &timed.samples_ns;
	uint32_t rounds = all->count != count ? 0 : all->rounds < samples ? all->rounds : samples;
	for (uint32_t i = 0; i < count; i++)
		for (uint32_t n = 0; n < rounds; n++)
			ret_ns[i * samples + n] = all->ns[n * count + i];
	wire_samples_free(&timed.samples_ns);
	return rounds;
}

uint32_t lab_time(
        struct lab *lab, const uint32_t slots[], uint32_t count, uint32_t samples, double *ret_ns)
{
	struct wire_time message = {.candidates.count = count, .samples = samples};
	json_t *ok = NULL;
	uint32_t rounds = 0;

	memcpy(message.candidates.at, slots, count * sizeof *slots);
	if (ask_lab(lab, wire_write_time(&message), TIME_S, &ok, lab->why) == GPU_OK)
		rounds = take_samples(ok, count, samples, ret_ns);
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
