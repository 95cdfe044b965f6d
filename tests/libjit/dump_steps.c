/* SPDX-License-Identifier: Apache-2.0
 *
 * Prints the steps of operators as JSON lines, one artifact each, as the daemon would send it, for
 * Dawn and Chromium to run:
 *   dump_steps cut BYTES [OP ...]       cut to bindings of so many bytes, with cases (print_case.h)
 *   dump_steps plan BYTES [OP ...]      the same without cases: what models take is large
 *   dump_steps relaid INPUT [OP ...]    with that input laid out anew, with cases
 * Of each operator the kernels that are predicted best on a GPU stand first, then those on a
 * processor, then the plainest, which compile soonest. Exits with 1 where an operator cannot be had
 * in this way.
 */
#include "base/cleanup.h"
#include "base/error.h"
#include "print_case.h"
#include "protocol/artifact/artifact.h"
#include "space/space.h"

#include <stdlib.h>

#define KERNELS_MAX OP_WAY_STEPS_MAX

static void fail(const char *op, const char *why)
{
	fprintf(stderr, "dump_steps: %s: %s\n", op, why);
	exit(1);
}

/* The kernel predicted best by these facts; without them the plainest. */
static struct artifact artifact_of(const struct op *op, const struct facts *facts)
{
	struct artifact artifact = {.op = *op, .target = TARGET_WGSL};
	struct limits limits = limits_web_default;
	struct space space;
	struct error err;
	char text[OP_TEXT_BYTES];

	op_print(op, text);
	if (!facts) {
		artifact.schedule = space_plainest(op, &limits);
		return artifact;
	}
	if (space_enumerate(op, &limits, facts, &space, &err))
		fail(text, err.text);
	artifact.schedule = space.candidates[0].schedule;
	return artifact;
}

/* The number of the step's kernel, made if there is none yet. */
static uint32_t kernel_of(struct artifact kernels[], uint32_t *count, const struct op_step *step,
        const struct facts *facts)
{
	uint32_t i = 0;

	while (i < *count && memcmp(&kernels[i].op, &step->op, sizeof step->op) != 0)
		i++;
	if (i == *count)
		kernels[(*count)++] = artifact_of(&step->op, facts);
	return i;
}

static void print_way(struct nnjit *nnjit, const struct op *op, const struct op_way *way,
        const struct facts *facts)
{
	static struct artifact kernels[KERNELS_MAX];
	struct artifact_step steps[OP_WAY_STEPS_MAX];
	const struct artifact whole = {.op = *op, .target = TARGET_WGSL};
	struct artifact_steps all = {&whole, kernels, 0, steps, way->count, way->scratch_bytes};
	AUTO(buffer_free) struct buffer text = {0};

	for (uint32_t i = 0; i < way->count; i++) {
		steps[i].repeat = way->steps[i].repeat;
		steps[i].once = way->steps[i].once;
		memcpy(steps[i].places, way->steps[i].places, sizeof steps[i].places);
		steps[i].kernel = kernel_of(kernels, &all.kernel_count, &way->steps[i], facts);
	}
	if (artifact_steps_write(nnjit, &all, ARTIFACT_ALL_DIGITS, &text))
		exit(1);
	puts(text.data);
}

static void print_operator(struct nnjit *nnjit, const char *how, const char *with, const char *text)
{
	struct op_way way;
	struct error err;
	struct op op;

	if (op_parse(text, &op, &err))
		fail(text, err.text);
	if (strcmp(how, "relaid") ? op_split(&op, strtoull(with, NULL, 10), &way, &err)
	                          : op_relaid(&op, with, &way, &err))
		fail(text, err.text);
	if (strcmp(how, "plan"))
		print_cases(&op);
	for (size_t f = 0; f < CASE_FACTS; f++)
		print_way(nnjit, &op, &way, &case_facts[f]);
	print_way(nnjit, &op, &way, NULL);
}

int main(int argc, char **argv)
{
	struct nnjit *nnjit;

	if (argc < 3 || nnjit_create(&nnjit))
		return 1;
	for (int i = 3; i < argc; i++)
		print_operator(nnjit, argv[1], argv[2], argv[i]);
	nnjit_destroy(nnjit);
	return 0;
}
