/* SPDX-License-Identifier: Apache-2.0
 *
 * Prints the kernels of a space as JSON lines, one artifact each (the members the web tests need),
 * for Dawn and Chromium to judge:
 *   dump_space [gpu|cpu|both] [OP ...]      without operators: the shapes of shapes.h
 *   dump_space schedule SCHEDULE OP         that one kernel
 */
#include "kernel_cases.h"
#include "shapes.h"

#include <stdio.h>
#include <string.h>

static void print_code(const char *code)
{
	putchar('"');
	for (; *code; code++) {
		if (*code == '\n')
			fputs("\\n", stdout);
		else if (*code == '\t')
			fputs("\\t", stdout);
		else if (*code == '"' || *code == '\\')
			printf("\\%c", *code);
		else
			putchar(*code);
	}
	putchar('"');
}

static void print_bindings(const struct kernel *kernel)
{
	for (uint32_t i = 0; i < kernel->tensor_count; i++) {
		const struct tensor *t = &kernel->tensors[i];
		printf("%s{\"binding\":%u,\"name\":\"%s\",\"type\":\"%s\",\"dtype\":\"%s\","
		       "\"shape\":[",
		        i ? "," : "", i, t->name, t->output ? "storage" : "read-only-storage",
		        dtype_name(t->dtype));
		for (uint32_t d = 0; d < t->rank; d++)
			printf("%s%u", d ? "," : "", t->shape[d]);
		printf("],\"bytes\":%llu}",
		        (unsigned long long)t->elements * dtype_bytes(t->dtype));
	}
}

static void print_kernel(struct nnjit *nnjit, const struct op *op, const struct schedule *schedule)
{
	char text[OP_TEXT_BYTES], axes[SCHEDULE_TEXT_BYTES];
	struct kernel k;

	if (nnjit_generate(nnjit, op, schedule, NNJIT_WGSL, &k))
		exit(1);
	op_print(op, text);
	schedule_print(schedule, axes);
	printf("{\"op\":\"%s\",\"schedule\":\"%s\",\"target\":\"wgsl\",\"entry_point\":\"%s\","
	       "\"code\":",
	        text, axes, k.entry_point);
	print_code(k.code);
	printf(",\"workgroup_size\":[%u,%u,%u],\"workgroups\":[%u,%u,%u],\"required_features\":[%s]"
	       ",\"bindings\":[",
	        k.workgroup_size[0], k.workgroup_size[1], k.workgroup_size[2], k.workgroups[0],
	        k.workgroups[1], k.workgroups[2],
	        k.features & FEATURE_SUBGROUPS ? "\"subgroups\"" : "");
	print_bindings(&k);
	puts("]}");
}

static void parse_or_exit(const char *text, struct op *op)
{
	struct error err;

	if (op_parse(text, op, &err)) {
		fprintf(stderr, "dump_space: %s\n", err.text);
		exit(2);
	}
}

static void print_space(struct nnjit *nnjit, const char *text, const struct facts *facts)
{
	struct limits limits = case_limits();
	struct space space;
	struct op op;

	parse_or_exit(text, &op);
	if (space_enumerate(&op, &limits, facts, &space, NULL))
		exit(1);
	for (uint32_t i = 0; i < space.count; i++)
		print_kernel(nnjit, &op, &space.candidates[i].schedule);
}

int main(int argc, char **argv)
{
	const char *which = argc > 1 ? argv[1] : "both";
	struct nnjit *nnjit;

	if (nnjit_create(&nnjit))
		return 1;
	if (!strcmp(which, "schedule") && argc == 4) {
		struct schedule schedule;
		struct op op;
		parse_or_exit(argv[3], &op);
		if (schedule_parse(argv[2], &schedule, NULL))
			return 2;
		print_kernel(nnjit, &op, &schedule);
	} else {
		for (size_t f = 0; f < CASE_FACTS; f++) {
			if (strcmp(which, case_facts[f].cpu ? "gpu" : "cpu") == 0)
				continue;
			for (size_t i = 0; i < (argc > 2 ? (size_t)argc - 2 : SHAPES); i++)
				print_space(
				        nnjit, argc > 2 ? argv[i + 2] : shapes[i], &case_facts[f]);
		}
	}
	nnjit_destroy(nnjit);
	return 0;
}
