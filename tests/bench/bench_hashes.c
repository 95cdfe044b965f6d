/* SPDX-License-Identifier: Apache-2.0
 *
 * hashes: whether two trees generate the same code. Prints one hash a family over every kernel of
 * the catalogue for every target: code, sizes, dispatch, bindings. Argument `list` prints the
 * kernels instead, `OPERATOR<tab>SCHEDULE` a line; argument FILE reads such a list, so that both
 * trees hash the same kernels although they may choose others.
 * Last line: kernels, then one hash a family.
 */
#include "tests/bench/catalogue.h"

#include "base/error.h"
#include "base/hash.h"
#include "emit/spirv/spirv.h"
#include "emit/text/wgsl.h"
#include "tests/bench/emit_glsl.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct family_hash {
	size_t kernels;
	uint64_t hash;
};

static void print_list(const struct catalogue *c)
{
	char op[OP_TEXT_BYTES], schedule[SCHEDULE_TEXT_BYTES];

	for (size_t i = 0; i < c->kernel_count; i++) {
		op_print(&c->kernels[i].op, op);
		schedule_print(&c->kernels[i].schedule, schedule);
		printf("%s\t%s\n", op, schedule);
	}
}

/* Everything a client would see of the kernel, member by member: padding is nobody's. */
static uint64_t hash_kernel(uint64_t hash, const struct kernel *k)
{
	hash = hash_bytes(hash, k->code, k->code_bytes);
	hash = hash_bytes(hash, k->workgroup_size, sizeof k->workgroup_size);
	hash = hash_bytes(hash, k->workgroups, sizeof k->workgroups);
	for (uint32_t i = 0; i < 3; i++) {
		uint64_t extent[] = {
		        k->grid[i].times, k->grid[i].over, k->grid[i].most, k->grid[i].dims};
		hash = hash_bytes(hash, extent, sizeof extent);
	}
	uint32_t rest[] = {k->dimension_count, k->tensor_count, k->features, k->workgroup_bytes};
	return hash_bytes(hash, rest, sizeof rest);
}

static void add(struct nnjit *nnjit, const struct op *op, const struct schedule *schedule,
        struct family_hash hashes[OP_FAMILIES])
{
	static nnjit_emitter *const emitters[] = {
	        emit_wgsl, emit_spirv, emit_glsl, emit_spirv_web, emit_spirv_web_clamped};
	struct family_hash *of = &hashes[op_family(op->kind)];
	struct kernel kernel;

	for (size_t i = 0; i < sizeof emitters / sizeof *emitters; i++) {
		int r = nnjit_generate(nnjit, op, schedule, emitters[i], &kernel);
		if (r) /* cooperative matrices have no GLSL */
			of->hash = hash_bytes(of->hash, &r, sizeof r);
		else
			of->hash = hash_kernel(of->hash, &kernel);
	}
	of->kernels++;
}

static int hash_list(struct nnjit *nnjit, FILE *file, struct family_hash hashes[OP_FAMILIES])
{
	char line[OP_TEXT_BYTES + SCHEDULE_TEXT_BYTES + 2];

	while (fgets(line, sizeof line, file)) {
		struct schedule schedule;
		struct error err;
		struct op op;
		char *tab = strchr(line, '\t');
		line[strcspn(line, "\n")] = '\0';
		if (!tab)
			continue;
		*tab = '\0';
		if (op_parse(line, &op, &err) || schedule_parse(tab + 1, &schedule, &err)) {
			fprintf(stderr, "hashes: %s: %s: %s\n", line, tab + 1, err.text);
			return 2;
		}
		add(nnjit, &op, &schedule, hashes);
	}
	return 0;
}

static int print_hashes(const struct family_hash hashes[OP_FAMILIES])
{
	size_t kernels = 0;

	printf("%-14s %8s  hash\n", "family", "kernels");
	for (int i = 0; i < OP_FAMILIES; i++) {
		printf("%-14s %8zu  %016" PRIx64 "\n", op_family_name((enum op_family)i),
		        hashes[i].kernels, hashes[i].hash);
		kernels += hashes[i].kernels;
	}
	printf("kernels=%zu", kernels);
	for (int i = 0; i < OP_FAMILIES; i++)
		printf(" %s=%016" PRIx64, op_family_name((enum op_family)i), hashes[i].hash);
	putchar('\n');
	return 0;
}

int main(int argc, char **argv)
{
	struct family_hash hashes[OP_FAMILIES] = {0};
	struct catalogue c;
	struct nnjit *nnjit;
	int r = 0;

	if (nnjit_create(&nnjit))
		return 1;
	if (argc > 1 && strcmp(argv[1], "list") != 0) {
		FILE *file = fopen(argv[1], "r");
		if (!file) {
			perror(argv[1]);
			return 2;
		}
		r = hash_list(nnjit, file, hashes);
		fclose(file);
		return r ? r : print_hashes(hashes);
	}
	catalogue_collect(&c);
	if (argc > 1) {
		print_list(&c);
		return 0;
	}
	for (size_t i = 0; i < c.kernel_count; i++)
		add(nnjit, &c.kernels[i].op, &c.kernels[i].schedule, hashes);
	catalogue_free(&c);
	return print_hashes(hashes);
}
