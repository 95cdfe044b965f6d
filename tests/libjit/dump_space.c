/* SPDX-License-Identifier: Apache-2.0
 *
 * Prints the kernels of a space as JSON lines, one artifact each, as the daemon would send it, for
 * Dawn and Chromium to judge:
 *   dump_space [gpu|cpu|both] [OP ...]      without operators: the shapes of shapes.h
 *   dump_space schedule SCHEDULE OP         that one kernel
 *   dump_space list                         those that property_test --list printed, from stdin
 * Before an operator's first kernel stand its cases (print_case.h), one for each choice of
 * dimensions that it is tried with.
 */
#include "base/buffer.h"
#include "base/error.h"
#include "print_case.h"
#include "shapes.h"
#include "space/space.h"

#include "base/cleanup.h"
#include "protocol/artifact/artifact.h"

#include <stdio.h>
#include <string.h>

static void print_kernel(struct nnjit *nnjit, const struct op *op, const struct schedule *schedule)
{
	const struct artifact artifact = {.op = *op,
	        .schedule = *schedule,
	        .target = TARGET_WGSL,
	        .status = ARTIFACT_PREDICTED};
	AUTO(buffer_free) struct buffer text = {0};

	if (artifact_write(nnjit, &artifact, ARTIFACT_ALL_DIGITS, &text))
		exit(1);
	puts(text.data);
}

static void parse_or_exit(const char *text, struct op *op)
{
	struct error err;

	if (op_parse(text, op, &err)) {
		fprintf(stderr, "dump_space: %s\n", err.text);
		exit(2);
	}
}

static void enumerate(const struct op *op, const struct facts *facts, struct space *ret_space)
{
	struct limits limits = case_limits();
	struct error err;

	if (space_enumerate(op, &limits, facts, ret_space, &err)) {
		fprintf(stderr, "dump_space: %s\n", err.text);
		exit(1);
	}
}

static bool holds(const struct space *space, const struct schedule *schedule)
{
	for (uint32_t i = 0; i < space->count; i++)
		if (!memcmp(&space->candidates[i].schedule, schedule, sizeof *schedule))
			return true;
	return false;
}

/* What both machines' spaces have is printed once. */
static void print_operator(struct nnjit *nnjit, const char *which, const char *text)
{
	struct space space = {0}, printed = {0};
	struct op op;

	parse_or_exit(text, &op);
	print_cases(&op);
	for (size_t f = 0; f < CASE_FACTS; f++) {
		if (!strcmp(which, case_facts[f].cpu ? "gpu" : "cpu"))
			continue;
		enumerate(&op, &case_facts[f], &space);
		for (uint32_t i = 0; i < space.count; i++)
			if (!holds(&printed, &space.candidates[i].schedule))
				print_kernel(nnjit, &op, &space.candidates[i].schedule);
		printed = space;
	}
}

static int print_one(struct nnjit *nnjit, const char *axes, const char *text)
{
	struct schedule schedule;
	struct error err;
	struct op op;

	parse_or_exit(text, &op);
	if (schedule_parse(axes, &schedule, &err) || space_check(&op, &schedule, NULL, &err)) {
		fprintf(stderr, "dump_space: %s\n", err.text);
		return 2;
	}
	print_cases(&op);
	print_kernel(nnjit, &op, &schedule);
	return 0;
}

/* A line: operator, schedule and what follows, with tabs between. */
static int print_list(struct nnjit *nnjit)
{
	char line[OP_TEXT_BYTES + SCHEDULE_TEXT_BYTES + 128];
	int status = 0;

	while (!status && fgets(line, sizeof line, stdin)) {
		const char *text = strtok(line, "\t"), *axes = strtok(NULL, "\t\n");
		status = text && axes ? print_one(nnjit, axes, text) : 2;
	}
	return status;
}

int main(int argc, char **argv)
{
	const char *which = argc > 1 ? argv[1] : "both";
	struct nnjit *nnjit;
	int status = 0;

	if (nnjit_create(&nnjit))
		return 1;
	if (!strcmp(which, "schedule") && argc == 4) {
		status = print_one(nnjit, argv[2], argv[3]);
	} else if (!strcmp(which, "list")) {
		status = print_list(nnjit);
	} else {
		for (size_t i = 0; i < (argc > 2 ? (size_t)argc - 2 : SHAPES); i++)
			print_operator(nnjit, which, argc > 2 ? argv[i + 2] : shapes[i]);
	}
	nnjit_destroy(nnjit);
	return status;
}
