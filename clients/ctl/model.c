/* SPDX-License-Identifier: Apache-2.0
 *
 * The commands about models: the list, one with what is known of its operators, and tuning all of
 * a model under one budget.
 */
#include "clients/ctl/ctl.h"

#include "base/buffer.h"
#include "base/cleanup.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- A model as a table. */

static void add_row(struct table *table, const json_t *op)
{
	table_add(table, text_at(op, "op"));
	table_addf(table, "%.0f", number_at(op, "times"));
	if (strcmp(text_at(op, "status"), "refused")) {
		table_addf(table, "%.3f", number_at(op, "default_ns") / 1e6);
		table_addf(table, "%.3f", number_at(op, "tuned_ns") / 1e6);
		table_addf(table, "%.2fx", number_at(op, "speedup"));
		table_addf(table, "%.1f%%", 100 * number_at(op, "share"));
	} else {
		for (int i = 0; i < 4; i++)
			table_add(table, "");
	}
	table_add(table, text_at(op, "status"));
	table_add(table, text_at(op, "name"));
}

static void print_refused(const json_t *ops)
{
	json_t *op;
	size_t i;

	json_array_foreach((json_t *)ops, i, op)
	{
		if (!strcmp(text_at(op, "status"), "refused"))
			printf("  left out: %s: %s\n", text_at(op, "op"), text_at(op, "why"));
	}
}

/* "batch=1 seq=128" */
static void print_inputs(const json_t *inputs)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)inputs, name, value)
	        printf(" %s=%.0f", name, json_number_value(value));
}

static void print_totals(const json_t *model)
{
	const json_t *total = json_object_get(model, "total");
	char before[TIME_TEXT_BYTES], after[TIME_TEXT_BYTES];
	double ops = number_at(total, "ops") - number_at(total, "refused");

	printf("%s, %s,", text_at(model, "model"), text_at(model, "dtype"));
	print_inputs(json_object_get(model, "inputs"));
	printf(" on %s: %.0f of %.0f operators tuned\n", text_at(model, "device_name"),
	        number_at(total, "tuned"), ops);
	printf("  %s with default kernels, %s tuned: %.2fx%s\n",
	        time_text(number_at(total, "default_ns"), before),
	        time_text(number_at(total, "tuned_ns"), after), number_at(total, "speedup"),
	        number_at(total, "tuned") < ops ? " (predicted where not measured)" : "");
}

static void print_model(const json_t *model)
{
	static const char *const headers[] = {"OPERATOR", ">TIMES", ">DEFAULT ms", ">TUNED ms",
	        ">SPEEDUP", ">SHARE", "STATUS", "NAME"};
	const json_t *ops = json_object_get(model, "ops");
	struct table *table = table_create(headers, 8);
	json_t *op;
	size_t i;

	json_array_foreach((json_t *)ops, i, op) add_row(table, op);
	table_print(table);
	print_refused(ops);
	print_totals(model);
}

/* ---- models */

static void add_model(struct table *table, const json_t *model)
{
	AUTO(buffer_free) struct buffer inputs = {0};
	const char *name, *error = text_at(model, "error");
	json_t *value;

	json_object_foreach(json_object_get(model, "inputs"), name, value) buffer_printf(
	        &inputs, "%s%s=%.0f", inputs.length ? " " : "", name, json_number_value(value));
	table_add(table, text_at(model, "name"));
	table_addf(table, "%.0f", number_at(model, "parameters"));
	table_add(table, inputs.data ? inputs.data : "");
	table_add(table, *error ? error : text_at(model, "title"));
}

static int list_models(const struct ctl *ctl)
{
	static const char *const headers[] = {"NAME", ">PARAMETERS", "INPUTS", "TITLE"};
	json_t *object, *model;
	size_t i;
	int answer = ask(ctl, METHOD_MODELS, ask_params(ctl, METHOD_MODELS), &object);

	if (answer)
		return answer;
	if (ctl->json) {
		print_json(object);
	} else {
		struct table *table = table_create(headers, 4);
		json_array_foreach(json_object_get(object, "models"), i, model)
		        add_model(table, model);
		table_print(table);
	}
	json_decref(object);
	return CTL_DONE;
}

static int show_model(const struct ctl *ctl)
{
	json_t *model, *params = ask_params(ctl, METHOD_MODEL);

	json_object_set_new(params, "model", json_string(ctl->words));
	int answer = ask(ctl, METHOD_MODEL, params, &model);
	if (answer)
		return answer;
	if (ctl->json)
		print_json(model);
	else
		print_model(model);
	json_decref(model);
	return CTL_DONE;
}

int command_models(const struct ctl *ctl)
{
	return *ctl->words ? show_model(ctl) : list_models(ctl);
}

/* ---- tune --model */

struct tuning {
	const struct ctl *ctl;
	bool bar, lines; /* how progress is shown */
	double began_s, done, of;
	uint32_t failed;
	char op[OP_TEXT_BYTES]; /* that ended last */
};

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void show(const struct tuning *tuning)
{
	if (!tuning->bar || tuning->of <= 0)
		return;
	print_bar(tuning->done, tuning->of);
	fprintf(stderr, "  %.0f s  %.60s\033[K", now_s() - tuning->began_s, tuning->op);
	fflush(stderr);
}

static void take_progress(struct tuning *tuning, const json_t *message)
{
	const json_t *progress = json_object_get(message, "progress");
	const json_t *error = json_object_get(message, "error");

	tuning->done = number_at(progress, "done");
	tuning->failed = (uint32_t)number_at(progress, "failed");
	snprintf(tuning->op, sizeof tuning->op, "%s", text_at(progress, "op"));
	if (error) {
		if (tuning->bar)
			clear_line();
		fprintf(stderr, "nnjitctl: %s: %s\n", tuning->op, text_at(error, "detail"));
	} else if (tuning->lines) {
		fprintf(stderr, "%.0f of %.0f, %.1f s: %s\n", tuning->done, tuning->of,
		        now_s() - tuning->began_s, tuning->op);
	}
}

static int hear(void *context, const json_t *message)
{
	struct tuning *tuning = context;
	const char *event = text_at(message, "event");

	if (!strcmp(event, "finished"))
		return CTL_DONE;
	if (!strcmp(event, "progress"))
		take_progress(tuning, message);
	else if (message)
		tuning->of = number_at(json_object_get(message, "result"), "of");
	show(tuning);
	return -1;
}

static int print_result(const struct tuning *tuning)
{
	json_t *model;
	double elapsed_s = now_s() - tuning->began_s;
	int answer = ask(tuning->ctl, METHOD_MODEL, ask_params(tuning->ctl, METHOD_MODEL), &model);

	if (answer)
		return answer;
	if (tuning->ctl->json) {
		json_object_set_new(model, "elapsed_s", json_real(elapsed_s));
		json_object_set_new(model, "failed", json_integer(tuning->failed));
		print_json(model);
	} else {
		print_model(model);
		printf("  in %.1f s\n", elapsed_s);
	}
	json_decref(model);
	return tuning->failed ? CTL_FAILED : CTL_DONE;
}

int tune_model(const struct ctl *ctl)
{
	struct tuning tuning = {.ctl = ctl, .bar = isatty(STDERR_FILENO), .began_s = now_s()};

	tuning.lines = !tuning.bar && !ctl->json;
	int answer = follow(ctl, METHOD_PREFETCH, ask_params(ctl, METHOD_PREFETCH), hear, &tuning);
	if (tuning.bar)
		clear_line();
	if (answer == CTL_INTERRUPTED)
		fprintf(stderr,
		        "nnjitctl: cancelled after %.0f of %.0f operators; what was "
		        "measured is kept\n",
		        tuning.done, tuning.of);
	return answer == CTL_DONE ? print_result(&tuning) : answer;
}
