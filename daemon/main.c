/* SPDX-License-Identifier: Apache-2.0
 *
 * nnjitd's entry: options, log, daemon. Exit status 0 after a clean end, 1 when it could not run,
 * 2 when it was called wrongly.
 */
#include "daemon/daemon.h"
#include "daemon/log.h"
#include "daemon/options.h"
#include "protocol/descriptors.h"

#include <config.h>

int main(int argc, char **argv)
{
	struct options options = {0};
	struct error err = {0};
	if (descriptors_secure())
		return 1;
	int answer = options_parse(argc, argv, &options, &err);

	if (answer == OPTIONS_HELP) {
		options_help(stdout);
		return 0;
	}
	if (answer == OPTIONS_VERSION) {
		puts("nnjitd " PACKAGE_VERSION);
		return 0;
	}
	if (answer) {
		fprintf(stderr, "nnjitd: %s\n", err.text);
		return 2;
	}
	log_open(options.level);
	int r = daemon_run(&options);
	options_free(&options);
	return r ? 1 : 0;
}
