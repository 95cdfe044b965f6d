/* SPDX-License-Identifier: Apache-2.0
 *
 * The commands of the device's owner: `origins`, which lists the web pages' origins and decides
 * about them, and `admin`, which opens the page that does the same.
 */
#include "clients/ctl/ctl.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const struct {
	const char *verb;
	enum method method;
	const char *said; /* of the origin that stands before it */
} verbs[] = {
        {"approve", METHOD_APPROVE, "is approved"},
        {"deny", METHOD_DENY, "is denied"},
        {"revoke", METHOD_REVOKE, "is revoked"},
};
#define VERBS (sizeof verbs / sizeof *verbs)

/* ---- The list. */

static void add_origin(struct table *table, const json_t *origin)
{
	bool pending = !strcmp(text_at(origin, "status"), "pending");
	time_t seconds = (time_t)number_at(origin, pending ? "heard_s" : "since_s");
	char when[32] = "";
	struct tm local;

	if (localtime_r(&seconds, &local))
		strftime(when, sizeof when, "%Y-%m-%d %H:%M", &local);
	table_add(table, text_at(origin, "origin"));
	table_add(table, text_at(origin, "status"));
	table_add(table, text_at(origin, "kept"));
	table_add(table, when);
	if (pending)
		table_addf(table, "%.0f", number_at(origin, "requests"));
	else
		table_add(table, "");
}

static int list(const struct ctl *ctl)
{
	static const char *const headers[] = {"ORIGIN", "STATUS", "KEPT", "WHEN", ">REQUESTS"};
	json_t *object, *origin;
	size_t i;
	int answer = ask(ctl, METHOD_ORIGINS, ask_params(ctl, METHOD_ORIGINS), &object);

	if (answer)
		return answer;
	const json_t *origins = json_object_get(object, "origins");
	if (ctl->json) {
		print_json(object);
	} else if (!json_array_size(origins)) {
		puts("no page has asked yet");
	} else {
		struct table *table = table_create(headers, 5);
		json_array_foreach(origins, i, origin) add_origin(table, origin);
		table_print(table);
	}
	json_decref(object);
	return CTL_DONE;
}

/* ---- Decisions. */

static int decide(const struct ctl *ctl, size_t verb, const char *origin)
{
	json_t *result, *params = json_pack("{s:s}", "origin", origin);

	if (ctl->once)
		json_object_set_new(params, "once", json_string("1"));
	int answer = ask(ctl, verbs[verb].method, params, &result);
	if (answer)
		return answer;
	if (ctl->json)
		print_json(result);
	else
		printf("%s %s%s\n", text_at(result, "origin"), verbs[verb].said,
		        ctl->once ? " until the daemon ends" : "");
	json_decref(result);
	return CTL_DONE;
}

static int usage(void)
{
	fputs("nnjitctl: origins takes nothing, or approve, deny or revoke and one origin, as: "
	      "nnjitctl origins approve https://app.example\n",
	        stderr);
	return CTL_USAGE;
}

int command_origins(const struct ctl *ctl)
{
	const char *space = strchr(ctl->words, ' ');

	if (!*ctl->words)
		return ctl->once ? usage() : list(ctl);
	for (size_t i = 0; space && i < VERBS; i++) {
		size_t length = (size_t)(space - ctl->words);
		bool named = length == strlen(verbs[i].verb) &&
		             !memcmp(ctl->words, verbs[i].verb, length);
		if (named && (!ctl->once || verbs[i].method == METHOD_APPROVE))
			return decide(ctl, i, space + 1);
	}
	return usage();
}

/* ---- The page. */

static bool has_desktop(void)
{
	return isatty(STDOUT_FILENO) && (getenv("DISPLAY") || getenv("WAYLAND_DISPLAY"));
}

/* In vain where no browser is there: the address is printed all the same. */
static void open_browser(const char *address)
{
	pid_t child = fork();

	if (!child) {
		execlp("xdg-open", "xdg-open", address, (char *)NULL);
		_exit(127);
	}
	if (child > 0)
		waitpid(child, NULL, 0);
}

int command_admin(const struct ctl *ctl)
{
	char address[160];
	json_t *result;
	int answer = ask(ctl, METHOD_ADMIN, json_object(), &result);

	if (answer)
		return answer;
	snprintf(address, sizeof address, "http://localhost:%.0f/admin#%s",
	        number_at(result, "port"), text_at(result, "secret"));
	if (ctl->json)
		print_json(result);
	else
		puts(address);
	json_decref(result);
	fflush(stdout);
	if (!ctl->json && has_desktop())
		open_browser(address);
	return CTL_DONE;
}
