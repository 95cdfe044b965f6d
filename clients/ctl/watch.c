/* SPDX-License-Identifier: Apache-2.0
 *
 * Watches one kernel being tuned: shows progress where a person looks on, and returns the tuned
 * artifact. A kernel that waits behind others may be silent for long.
 */
#include "clients/ctl/ctl.h"

#include <string.h>
#include <unistd.h>

struct watch {
	json_t *kernel; /* the last one heard of */
	bool show;
};

static void show_progress(const struct watch *watch, const json_t *progress)
{
	double measured = number_at(progress, "measured"), of = number_at(progress, "of");
	const json_t *timing = json_object_get(watch->kernel, "timing");
	char text[TIME_TEXT_BYTES];

	if (!watch->show || of <= 0)
		return;
	print_bar(measured, of);
	if (number_at(timing, "median_ns") > 0)
		fprintf(stderr, "  best %s\033[K", time_text(number_at(timing, "median_ns"), text));
	fflush(stderr);
}

static void keep_kernel(struct watch *watch, json_t *kernel)
{
	if (!kernel)
		return;
	json_decref(watch->kernel);
	watch->kernel = json_incref(kernel);
}

static int hear(void *context, const json_t *message)
{
	struct watch *watch = context;
	const char *event = text_at(message, "event");

	keep_kernel(watch, json_object_get(message, "result"));
	keep_kernel(watch, json_object_get(message, "kernel"));
	if (!strcmp(event, "tuned"))
		return CTL_DONE;
	if (strcmp(event, "failed")) {
		show_progress(watch, json_object_get(message, "progress"));
		return -1;
	}
	if (watch->show)
		clear_line();
	return refused(json_object_get(message, "error"));
}

int watch(const struct ctl *ctl, json_t *params, json_t **ret_kernel)
{
	struct watch state = {.show = isatty(STDERR_FILENO)};
	int answer = follow(ctl, METHOD_WATCH, params, hear, &state);

	if (state.show)
		clear_line();
	if (answer == CTL_DONE && state.kernel)
		*ret_kernel = json_incref(state.kernel);
	else if (answer == CTL_DONE)
		answer = CTL_FAILED;
	json_decref(state.kernel);
	return answer;
}
