/* SPDX-License-Identifier: Apache-2.0
 *
 * The commands about the daemon as a whole: status, devices, list.
 */
#include "clients/ctl/ctl.h"

#include "device/limits.h"

#include <string.h>

/* Prints JSON and answers true where that was asked for. */
static bool printed_json(const struct ctl *ctl, const json_t *object)
{
	if (ctl->json)
		print_json(object);
	return ctl->json;
}

static void print_status(const json_t *status)
{
	const json_t *tuning = json_object_get(status, "tuning");
	const json_t *store = json_object_get(status, "store");

	printf("nnjitd %s, up for %.0f s\n", text_at(status, "version"),
	        number_at(status, "uptime_s"));
	printf("  devices   %.0f%s\n", number_at(status, "devices"),
	        json_is_true(json_object_get(status, "enumerated")) ? "" : " (still looking)");
	printf("  tuning    %.0f running, %.0f queued, %.0f finished, %.0f failed; %.0f trials\n",
	        number_at(tuning, "jobs_running"), number_at(tuning, "jobs_queued"),
	        number_at(tuning, "jobs_finished"), number_at(tuning, "jobs_failed"),
	        number_at(tuning, "trials"));
	printf("  workers   %.0f running, restarted %.0f times\n", number_at(tuning, "workers"),
	        number_at(tuning, "worker_restarts"));
	printf("  store     %.0f kernels, %.0f trials, %.0f bytes\n", number_at(store, "kernels"),
	        number_at(store, "trials"), number_at(store, "bytes"));
	printf("  clients   %.0f WebSockets open, %.0f calls\n", number_at(status, "websockets"),
	        number_at(status, "calls"));
}

int command_status(const struct ctl *ctl)
{
	json_t *status;
	int answer = ask(ctl, METHOD_STATUS, ask_params(ctl, METHOD_STATUS), &status);

	if (answer)
		return answer;
	if (!printed_json(ctl, status))
		print_status(status);
	json_decref(status);
	return CTL_DONE;
}

static void add_device(struct table *table, const json_t *device)
{
	const json_t *facts = json_object_get(device, "facts");
	const json_t *driver = json_object_get(device, "driver");

	table_add(table, text_at(device, "id"));
	table_addf(table, "%s%s", text_at(device, "name"),
	        json_is_false(json_object_get(device, "present")) ? " (absent)" : "");
	table_add(table, text_at(device, "kind"));
	table_addf(table, "%s %s", text_at(driver, "name"), text_at(driver, "version"));
	table_addf(table, "%.1f", number_at(facts, "fma_gflops"));
	table_addf(table, "%.1f", number_at(facts, "memory_gbps"));
}

static void add_measure(struct table *table, const char *name, double value, const char *unit)
{
	if (value <= 0)
		return;
	table_add(table, name);
	table_addf(table, value < 100 ? "%.3g" : "%.0f", value);
	table_add(table, unit);
}

/* What the probe measured, row by row of facts.def; what is unknown is left out. */
static void print_facts(const json_t *device)
{
	static const char *const headers[] = {"MEASURED", ">VALUE", "UNIT"};
	const json_t *facts = json_object_get(device, "facts"), *cache;
	struct table *table = table_create(headers, 3);
	char name[48];
	size_t i;

	for (i = 0; i < FACT_COUNT; i++)
		add_measure(table, fact_infos[i].name, number_at(facts, fact_infos[i].name),
		        fact_infos[i].unit);
	json_array_foreach(json_object_get(facts, "caches"), i, cache)
	{
		snprintf(name, sizeof name, "cache up to %.0f KiB",
		        number_at(cache, "bytes") / 1024);
		add_measure(table, name, number_at(cache, "gbps"), "GB/s");
	}
	printf("\n%s\n", text_at(device, "name"));
	table_print(table);
}

static void print_devices(const json_t *devices)
{
	static const char *const headers[] = {"ID", "NAME", "KIND", "DRIVER", ">GFLOP/S", ">GB/S"};
	struct table *table = table_create(headers, 6);
	const json_t *device;
	size_t i;

	json_array_foreach(devices, i, device) add_device(table, device);
	table_print(table);
	json_array_foreach(devices, i, device)
	{
		if (number_at(json_object_get(device, "facts"), "fma_gflops") > 0)
			print_facts(device);
	}
}

static int refuse_none(bool enumerated)
{
	fputs(enumerated ? "nnjitctl: the daemon knows no device; install a Vulkan driver "
	                   "(mesa-vulkan-drivers has a software one) and restart nnjitd\n"
	                 : "nnjitctl: the devices are still being looked for; ask again in a "
	                   "second\n",
	        stderr);
	return CTL_FAILED;
}

int command_devices(const struct ctl *ctl)
{
	json_t *object;
	int answer = ask(ctl, METHOD_DEVICES, ask_params(ctl, METHOD_DEVICES), &object);

	if (answer)
		return answer;
	const json_t *devices = json_object_get(object, "devices");
	bool enumerated = json_is_true(json_object_get(object, "enumerated"));
	bool none = !json_array_size(devices);
	if (!printed_json(ctl, object) && !none)
		print_devices(devices);
	if (!ctl->json && !none && !enumerated)
		puts("(still looking for devices)");
	json_decref(object);
	return none ? refuse_none(enumerated) : CTL_DONE;
}

static void add_kernel(struct table *table, const json_t *kernel)
{
	const json_t *timing = json_object_get(kernel, "timing");
	double median_ns = number_at(timing, "median_ns"),
	       baseline_ns = number_at(timing, "baseline_ns");
	const char *name = text_at(kernel, "name");
	char text[TIME_TEXT_BYTES];

	table_add(table, text_at(kernel, "op"));
	table_addf(table, "%.28s", *name ? name : text_at(kernel, "device"));
	table_add(table, text_at(kernel, "status"));
	table_add(table, baseline_ns > 0 ? time_text(baseline_ns, text) : "");
	table_add(table, time_text(median_ns, text));
	if (baseline_ns > 0 && median_ns > 0)
		table_addf(table, "%.2fx", baseline_ns / median_ns);
	else
		table_add(table, "");
	table_addf(table, "%.1f", number_at(timing, "gflops"));
	table_addf(table, "%.0f%%", 100 * number_at(timing, "roofline"));
}

int command_list(const struct ctl *ctl)
{
	static const char *const headers[] = {"OPERATOR", "DEVICE", "STATUS", ">DEFAULT", ">TUNED",
	        ">SPEEDUP", ">GFLOP/S", ">ROOFLINE"};
	json_t *object, *kernel;
	size_t i;
	int answer = ask(ctl, METHOD_KERNELS, ask_params(ctl, METHOD_KERNELS), &object);

	if (answer)
		return answer;
	if (!printed_json(ctl, object)) {
		struct table *table = table_create(headers, 8);
		json_array_foreach(json_object_get(object, "kernels"), i, kernel)
		        add_kernel(table, kernel);
		table_print(table);
	}
	json_decref(object);
	return CTL_DONE;
}
