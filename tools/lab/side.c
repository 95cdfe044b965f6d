/* SPDX-License-Identifier: Apache-2.0
 *
 * Times given schedules side by side: builds each into a slot of its own, then measures all in
 * interleaved rounds. Knows neither search nor space.
 */
#include "tools/lab/side.h"

#include "base/error.h"
#include "clients/ctl/print.h"

#include <errno.h>
#include <string.h>

#define SIDE_SAMPLES 31

int side_read(const char *text, struct side *ret_side)
{
	char one[SCHEDULE_TEXT_BYTES];
	struct side side = {.count = 0};
	struct error err = {0};

	for (const char *p = text; p; p = strchr(p, ';') ? strchr(p, ';') + 1 : NULL) {
		snprintf(one, sizeof one, "%.*s", (int)strcspn(p, ";"), p);
		if (side.count == SIDE_MAX)
			error_set(
			        &err, -E2BIG, "", "at most %d schedules go side by side", SIDE_MAX);
		else if (!schedule_parse(one, &side.schedule[side.count], &err))
			side.count++;
		if (*err.text) {
			fprintf(stderr, "nnjit-lab: %s\n", err.text);
			return LAB_USAGE;
		}
	}
	*ret_side = side;
	return LAB_DONE;
}

/* Those that are not right are told, and left out. */
static int build_all(struct lab *lab, struct side *side)
{
	char why[GPU_WHY_BYTES], text[SCHEDULE_TEXT_BYTES];
	uint32_t count = 0;

	for (uint32_t i = 0; i < side->count; i++) {
		const struct schedule schedule = side->schedule[i];
		if (lab_build(lab, count, &schedule, why) && lab_twin(lab, count, why)) {
			side->slot[count] = count;
			side->schedule[count++] = schedule;
			continue;
		}
		schedule_print(&schedule, text);
		fprintf(stderr, "nnjit-lab: %s: %s\n", text, why);
	}
	side->count = count;
	return count ? LAB_DONE : LAB_FAILED;
}

static void print_times(const struct side *side, double ns[], uint32_t rounds)
{
	for (uint32_t i = 0; i < side->count; i++) {
		char text[SCHEDULE_TEXT_BYTES], time[TIME_TEXT_BYTES];
		schedule_print(&side->schedule[i], text);
		printf("%10s  %s\n", time_text(lab_typical(ns + i * SIDE_SAMPLES, rounds), time),
		        text);
	}
}

static void print_times_json(
        const struct lab *lab, const struct side *side, double ns[], uint32_t rounds)
{
	json_t *times = json_array();

	for (uint32_t i = 0; i < side->count; i++) {
		char text[SCHEDULE_TEXT_BYTES];
		schedule_print(&side->schedule[i], text);
		json_array_append_new(times, json_pack("{s:s, s:f}", "schedule", text, "ns",
		                                     lab_typical(ns + i * SIDE_SAMPLES, rounds)));
	}
	json_t *object = json_pack("{s:s, s:s, s:s, s:o}", "op", lab->op_text, "device",
	        lab->device, "device_name", lab->name, "times", times);
	print_json(object);
	json_decref(object);
}

int side_run(struct lab *lab, const char *op_text, bool json, struct side *side)
{
	double ns[SIDE_MAX * SIDE_SAMPLES];
	int answer = lab_load(lab, op_text);

	if (!answer)
		answer = build_all(lab, side);
	if (answer)
		return answer;
	uint32_t rounds = lab_time(lab, side->slot, side->count, SIDE_SAMPLES, ns);
	if (!rounds) {
		fprintf(stderr, "nnjit-lab: %s: %s\n", lab->op_text, lab->why);
		return LAB_FAILED;
	}
	if (json)
		print_times_json(lab, side, ns, rounds);
	else
		print_times(side, ns, rounds);
	return LAB_DONE;
}
