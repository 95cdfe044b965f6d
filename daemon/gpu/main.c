/* SPDX-License-Identifier: Apache-2.0
 *
 * nnjit-gpu, the GPU worker: the only program that opens a GPU. nnjitd starts it with a socket as
 * descriptor 3 and ends it by hanging up; people may run it with --list or --probe. Logs go to
 * stderr, one line each. Invariant: it never outlives the process that started it for long.
 */
#include <config.h>

#include "daemon/gpu/allocator.h"
#include "daemon/gpu/answer.h"
#include "daemon/gpu/describe.h"
#include "daemon/gpu/probe.h"
#include "daemon/gpu/serve.h"
#include "protocol/descriptors.h"
#include "protocol/wire/wire.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>

static const char help[] =
        "Usage: nnjit-gpu [--list | --probe] [--json]\n"
        "\n"
        "The GPU worker of nnjitd: builds, verifies and times kernels on a device.\n"
        "Without an option it serves nnjitd on descriptor 3.\n"
        "\n"
        "  --list     print the devices and exit\n"
        "  --probe    measure every device, print the results and exit\n"
        "  --json     with --list or --probe: print JSON\n"
        "  --version  print the version and exit\n"
        "  --help     print this and exit\n";

static int find(struct adapters *adapters)
{
	struct error err;
	int answer = adapters_find(adapters, &err);

	if (answer)
		fprintf(stderr, "nnjit-gpu: %s\n", err.text);
	return answer;
}

static int list(bool as_json)
{
	struct adapters adapters;

	if (find(&adapters))
		return 1;
	if (as_json) {
		json_t *devices = describe_adapters(&adapters);
		json_t *object = wire_write_listed(&(struct wire_listed){.devices = devices});
		json_decref(devices);
		json_dumpf(object, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(object);
	} else {
		describe_print(&adapters);
	}
	adapters_free(&adapters);
	return fflush(stdout) ? 1 : 0;
}

static void print_facts(const struct facts *facts, bool as_json)
{
	json_t *object = wire_facts_json(facts);

	if (as_json)
		json_dumpf(object, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
	for (uint32_t i = 0; !as_json && i < FACT_COUNT; i++)
		printf("  %-15s %12.4g  %-11s %s\n", fact_infos[i].name,
		        fact_value(facts, (enum fact)i), fact_infos[i].unit, fact_infos[i].doc);
	for (uint32_t i = 0; !as_json && i < FACTS_CACHES && facts->caches[i].bytes > 0; i++)
		printf("  cache           %12.4g  GB/s        what fits in %.0f KiB\n",
		        facts->caches[i].gbps, facts->caches[i].bytes / 1024);
	if (as_json)
		putchar('\n');
	json_decref(object);
}

/* As nnjitd has it probed: opened as a browser would. */
static int probe_one(const struct adapter *adapter, bool as_json)
{
	struct device *device;
	struct facts facts;
	struct error err;
	int answer = device_open(adapter, PROFILE_WEB, &device, &err);

	if (!as_json)
		printf("%s\n", adapter->name);
	if (!answer) {
		answer = probe_facts(device, as_json ? NULL : stdout, &facts, &err);
		if (answer != ANSWER_DEVICE_LOST)
			device_close(device);
	}
	if (answer)
		fprintf(stderr, "nnjit-gpu: %s: %s\n", adapter->name, err.text);
	else
		print_facts(&facts, as_json);
	return answer;
}

static int probe(bool as_json)
{
	struct adapters adapters;
	int failed = 0;

	if (find(&adapters))
		return 1;
	for (uint32_t i = 0; i < adapters.count; i++)
		failed |= probe_one(adapters.all[i], as_json) != 0;
	adapters_free(&adapters);
	return fflush(stdout) || failed;
}

static bool is_stream_socket(int fd)
{
	int type;
	socklen_t size = sizeof type;

	return !getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) && type == SOCK_STREAM;
}

static int work(char *argv[])
{
	if (!is_stream_socket(WIRE_FD)) {
		fputs("nnjit-gpu: descriptor 3 is no stream socket; nnjitd starts this program, "
		      "try --list\n",
		        stderr);
		return 2;
	}
	allocator_without_cache(argv);
	signal(SIGPIPE, SIG_IGN); /* nobody may be reading the log */
	/* A worker stuck in a driver must not stay behind when nnjitd is killed. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL))
		fprintf(stderr, "nnjit-gpu: cannot follow its parent's end: %s\n", strerror(errno));
	return serve(WIRE_FD);
}

/* Drivers keep compiled kernels on disk; a compile time read from there would be a lie. What the
 * user has set stands. */
static void turn_off_caches(void)
{
	setenv("MESA_SHADER_CACHE_DISABLE", "true", 0);
	setenv("MESA_GLSL_CACHE_DISABLE", "true", 0);
	setenv("__GL_SHADER_DISK_CACHE", "0", 0);
}

int main(int argc, char *argv[])
{
	static const struct option options[] = {
	        {"list", no_argument, NULL, 'l'},
	        {"probe", no_argument, NULL, 'p'},
	        {"json", no_argument, NULL, 'j'},
	        {"version", no_argument, NULL, 'v'},
	        {"help", no_argument, NULL, 'h'},
	        {0},
	};
	bool listing = false, probing = false, as_json = false;

	if (descriptors_secure())
		return 1;

	for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		if (option == 'v')
			return puts("nnjit-gpu " PACKAGE_VERSION) < 0;
		if (option == 'h')
			return fputs(help, stdout) < 0;
		if (option == '?')
			return 2;
		listing |= option == 'l';
		probing |= option == 'p';
		as_json |= option == 'j';
	}
	if (optind < argc || (as_json && !listing && !probing)) {
		fputs("nnjit-gpu: see --help for how to call it\n", stderr);
		return 2;
	}
	turn_off_caches();
	return listing ? list(as_json) : probing ? probe(as_json) : work(argv);
}
