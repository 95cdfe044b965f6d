/* SPDX-License-Identifier: Apache-2.0
 *
 * What a study found, as text and as JSON: how large the spaces are, how the sample's times are
 * spread, and where the lite space's best, the search's pick and the prediction fall. Ratios are to
 * the best found, whatever found it.
 */
#include "tools/lab/study.h"

#include "base/statistics.h"
#include "clients/ctl/print.h"

#include <string.h>

#define COUNT_VISITS (1u << 21) /* of the full space, to say how many are legal */

struct report {
	const struct study *study;
	uint32_t best, lite;
	double scale;   /* from ratios to the pick to ratios to the best */
	double *spread; /* of the sample: ratios to the best, ascending */
	uint32_t spread_count;
};

static double ratio_of(const struct report *report, const struct tried *tried)
{
	double best_ns = report->study->tried[report->best].final_ns;

	return tried->final_ns > 0 ? tried->final_ns / best_ns : tried->ratio * report->scale;
}

static struct report make_report(const struct study *study)
{
	struct report report = {.study = study,
	        .best = study_best(study, UINT32_MAX),
	        .lite = study_best(study, FROM_LITE),
	        .spread = calloc(study->count + 1, sizeof *report.spread)};

	report.scale = study->tried[study->pick].final_ns / study->tried[report.best].final_ns;
	for (uint32_t i = 0; report.spread && i < study->count; i++) {
		const struct tried *tried = &study->tried[i];
		if (tried->from & FROM_SAMPLE && tried->measured && !tried->failed)
			report.spread[report.spread_count++] = ratio_of(&report, tried);
	}
	if (report.spread)
		statistics_sort(report.spread, report.spread_count);
	return report;
}

/* Which part of the sample is faster. */
static double share_faster(const struct report *report, double ratio)
{
	uint32_t faster = 0;

	while (faster < report->spread_count && report->spread[faster] < ratio)
		faster++;
	return report->spread_count ? (double)faster / report->spread_count : 0;
}

static double quantile(const struct report *report, double part)
{
	return report->spread[(uint32_t)(part * (report->spread_count - 1) + 0.5)];
}

struct counts {
	uint32_t measured, failed;
};
static struct counts count(const struct study *study, uint32_t from)
{
	struct counts counts = {0};

	for (uint32_t i = 0; i < study->count; i++) {
		const struct tried *tried = &study->tried[i];
		if (!(tried->from & from))
			continue;
		counts.failed += tried->failed;
		counts.measured += tried->measured && !tried->failed;
	}
	return counts;
}

/* Who takes part in the comparison's table. */
enum rival { RIVAL_BEST, RIVAL_LITE, RIVAL_PICK, RIVAL_COLD, RIVAL_DEFAULT, RIVALS };
static const struct {
	const char *name, *doc;
} rivals[RIVALS] = {[RIVAL_BEST] = {"best", "best found"},
        [RIVAL_LITE] = {"lite", "lite space's best"},
        [RIVAL_PICK] = {"pick", "search's pick"},
        [RIVAL_COLD] = {"cold", "prediction"},
        [RIVAL_DEFAULT] = {"default", "default kernel"}};

/* study->count where it was not measured, or is not in the space. */
static uint32_t member_of(const struct report *report, enum rival rival)
{
	const struct study *study = report->study;
	const uint32_t members[RIVALS] = {[RIVAL_BEST] = report->best,
	        [RIVAL_LITE] = report->lite,
	        [RIVAL_PICK] = study->pick,
	        [RIVAL_COLD] = 0,
	        [RIVAL_DEFAULT] = study->space.baseline};
	uint32_t member = members[rival];

	return member < study->count && study->tried[member].measured &&
	                       !study->tried[member].failed &&
	                       (rival != RIVAL_DEFAULT || member < study->space.count)
	               ? member
	               : study->count;
}

static double ns_of(const struct report *report, const struct tried *tried)
{
	return ratio_of(report, tried) * report->study->tried[report->best].final_ns;
}

static const double parts[] = {0, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 1};
#define PARTS (sizeof parts / sizeof *parts)

/* ---- As text. */

static void print_size(const struct study *study)
{
	bool exact;
	double legal = full_count(study->full, COUNT_VISITS, &exact);

	printf("%s on %s\n", study->lab->op_text, study->lab->name);
	printf("  full space: %.0f schedules, %s%.0f of them legal and of at most %u "
	       "instructions\n",
	        (double)full_size(study->full), exact ? "" : "about ", legal,
	        SPACE_INSTRUCTIONS_MAX);
}

static void print_counts(const struct study *study)
{
	struct counts lite = count(study, FROM_LITE), sampled = count(study, FROM_SAMPLE),
	              climbed = count(study, FROM_CLIMB);

	printf("  measured: %u of the %u of the lite space (the search: %u); %u of the full one",
	        lite.measured, study->space.count, study->trials, sampled.measured);
	if (study->exhausted)
		fputs(", which is all of it", stdout);
	else
		printf(" at random (seed %llu)%s", (unsigned long long)study->plan->seed,
		        study->cut ? ", when time was over" : "");
	if (study->plan->climb)
		printf("; %u climbing", climbed.measured);
	printf("\n  failed: %u of the lite space, %u of the sample; workers lost: %u; %.0f s\n",
	        lite.failed, sampled.failed, study->lab->deaths, study_now_s() - study->begun_s);
}

static void print_spread(const struct report *report)
{
	if (!report->spread_count)
		return;
	fputs("  the sample's times over the best's:", stdout);
	for (size_t i = 0; i < PARTS; i++)
		printf(" %.0f%% %.2f", 100 * parts[i], quantile(report, parts[i]));
	putchar('\n');
}

static void print_rivals(const struct report *report)
{
	static const char *const headers[] = {"", ">time", ">ratio", ">faster", "schedule"};
	struct table *table = table_create(headers, 5);

	for (size_t i = 0; i < RIVALS; i++) {
		char time[TIME_TEXT_BYTES], schedule[SCHEDULE_TEXT_BYTES];
		uint32_t member = member_of(report, i);
		if (member == report->study->count)
			continue;
		const struct tried *tried = &report->study->tried[member];
		schedule_print(&tried->schedule, schedule);
		table_add(table, rivals[i].doc);
		table_add(table, time_text(ns_of(report, tried), time));
		table_addf(table, "%.2f", ratio_of(report, tried));
		table_addf(table, "%.1f%%", 100 * share_faster(report, ratio_of(report, tried)));
		table_add(table, schedule);
	}
	table_print(table);
}

/* ---- As JSON. */

static json_t *rival_json(const struct report *report, uint32_t member)
{
	char schedule[SCHEDULE_TEXT_BYTES];

	if (member == report->study->count)
		return json_null();
	const struct tried *tried = &report->study->tried[member];
	double ratio = ratio_of(report, tried);
	schedule_print(&tried->schedule, schedule);
	return json_pack("{s:s, s:f, s:f, s:f}", "schedule", schedule, "ns", ns_of(report, tried),
	        "ratio", ratio, "faster", share_faster(report, ratio));
}

static json_t *tried_json(const struct report *report)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < report->study->count; i++) {
		const struct tried *tried = &report->study->tried[i];
		char text[SCHEDULE_TEXT_BYTES];
		if (!tried->measured && !tried->failed)
			continue;
		schedule_print(&tried->schedule, text);
		json_t *one = json_pack("{s:s, s:b, s:b, s:b, s:b}", "schedule", text, "lite",
		        (int)(tried->from & FROM_LITE), "sampled", (int)(tried->from & FROM_SAMPLE),
		        "climbed", (int)(tried->from & FROM_CLIMB), "final", tried->final_ns > 0);
		if (tried->failed)
			json_object_set_new(one, "why", json_string(tried->why));
		else
			json_object_set_new(one, "ratio", json_real(ratio_of(report, tried)));
		json_array_append_new(array, one);
	}
	return array;
}

static json_t *spread_json(const struct report *report)
{
	json_t *object = json_object();
	char name[8];

	for (size_t i = 0; report->spread_count && i < PARTS; i++) {
		snprintf(name, sizeof name, "%.0f", 100 * parts[i]);
		json_object_set_new(object, name, json_real(quantile(report, parts[i])));
	}
	return object;
}

static json_t *report_json(const struct report *report)
{
	const struct study *study = report->study;
	struct counts lite = count(study, FROM_LITE), sampled = count(study, FROM_SAMPLE);
	bool exact;
	double legal = full_count(study->full, COUNT_VISITS, &exact);

	json_t *object = json_pack("{s:s, s:s, s:s, s:{s:f, s:f, s:b}, s:{s:i, s:i, s:i},"
	                           " s:{s:i, s:i, s:I, s:b}, s:{s:i}, s:f, s:i, s:o, s:o}",
	        "op", study->lab->op_text, "device", study->lab->device, "device_name",
	        study->lab->name, "full", "size", (double)full_size(study->full), "legal", legal,
	        "exact", exact, "lite_space", "count", (int)study->space.count, "measured",
	        (int)lite.measured, "failed", (int)lite.failed, "sample", "measured",
	        (int)sampled.measured, "failed", (int)sampled.failed, "seed",
	        (json_int_t)study->plan->seed, "exhaustive", study->exhausted, "search", "trials",
	        (int)study->trials, "elapsed_s", study_now_s() - study->begun_s, "workers_lost",
	        (int)study->lab->deaths, "spread", spread_json(report), "tried",
	        tried_json(report));
	json_object_set_new(object, "asked", json_string(study->asked));
	for (size_t i = 0; i < RIVALS; i++)
		json_object_set_new(
		        object, rivals[i].name, rival_json(report, member_of(report, i)));
	return object;
}

void study_print(const struct study *study, bool json)
{
	struct report report = make_report(study);

	if (json) { /* a line an operator */
		json_t *object = report_json(&report);
		json_dumpf(object, stdout, JSON_COMPACT);
		putchar('\n');
		json_decref(object);
	} else {
		print_size(study);
		print_counts(study);
		print_spread(&report);
		print_rivals(&report);
	}
	fflush(stdout);
	free(report.spread);
}
