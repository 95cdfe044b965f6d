/* SPDX-License-Identifier: Apache-2.0
 *
 * Properties of every kernel, on cases drawn at random: operators, element types, shapes, static
 * and dynamic, on devices of all kinds, each with one schedule of its space or near it. Of each:
 * - the operator's text and the schedule's text read back as what was printed;
 * - the space holds 1 to 64 candidates, all legal on the device, best predicted first;
 * - the kernel needs no feature and no more memory than the device has, and its SPIR-V is valid;
 * - run in the interpreter, each element of the output is what the reference says, and nothing is
 *   read or written out of bounds.
 *
 *   property_test [--seed S|random] [--cases N] [--shard I/N] [--only NAME] [--special 1]
 *   property_test --seed S --case N            that one, told in full
 *   property_test --list N [--seed S]          prints N cases for the devices at hand, a line each:
 *                                              operator, schedule, dimensions, with tabs between
 *   property_test --try OP SCHEDULE DIMS       that one; "-" where there are no dimensions
 * NAME: a family's or an operator's. NNJIT_CASES is another default for --cases. The last line of
 * output is Check's, each case a check.
 */
#include "base/error.h"
#include "draw.h"
#include "emit/spirv/spirv.h"
#include "emit/text/wgsl.h"
#include "lower/turns.h"
#include "shrink.h"
#include "space/space.h"
#include "tests/bench/emit_glsl.h"
#include "trial.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <spirv-tools/libspirv.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CASES_INITIAL 5000
#define FAILURES_MAX  20 /* told in full */

struct options {
	uint64_t seed, cases, list;
	uint64_t shard, shards;
	int64_t one;
	const char *only;
	bool special;
	char **attempt; /* operator, schedule, dimensions */
};

struct property_case {
	uint64_t number;
	struct draw_device device;
	struct space space;
	struct trial trial;
	bool refused; /* for want of f16, before the device got it */
};

struct property {
	struct options options;
	struct nnjit *nnjit;
	spv_context spirv;
	uint64_t checked, failed, refused;
	double loosest;      /* bound of turns, relative to the turns */
	double worst;        /* error, relative to the tolerance */
	uint64_t worst_case; /* its number */
	char text[512];
};

static char now[96]; /* the case at hand, for a signal handler */

/* Notes what is wrong; answers false. */
__attribute__((format(printf, 2, 3))) static bool wrong(struct property *p, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(p->text, sizeof p->text, format, args);
	va_end(args);
	return false;
}

/* ---- What is to hold. */

static bool text_reads_back(struct property *p, const struct op *op)
{
	char text[OP_TEXT_BYTES];
	struct error err = {0};
	struct op again;

	op_print(op, text);
	if (op_parse(text, &again, &err))
		return wrong(p, "its text is refused: %s", err.text);
	if (memcmp(op, &again, sizeof again))
		return wrong(p, "its text reads back as another operator");
	return true;
}

static bool has_half(const struct op *op)
{
	struct tensor tensors[OP_TENSORS_MAX];

	for (uint32_t i = 0, count = op_tensors(op, tensors); i < count; i++)
		if (tensors[i].dtype == DTYPE_F16)
			return true;
	return false;
}

/* Refused may be only what stores halves that share words with others', on a device that knows no
 * halves, and by that name. */
static bool space_exists(struct property *p, struct property_case *c)
{
	struct limits *limits = &c->device.limits;
	const struct op *op = &c->trial.op;
	struct error err = {0};

	int r = space_enumerate(op, limits, &c->device.facts, &c->space, &err);
	if (r && has_half(op) && !strcmp(err.field, "shader-f16")) {
		c->refused = true;
		limits->features |= FEATURE_F16;
		r = space_enumerate(op, limits, &c->device.facts, &c->space, &err);
	}
	return r ? wrong(p, "it has no space: %s", err.text) : true;
}

static bool space_is_sound(struct property *p, const struct property_case *c)
{
	const struct space *s = &c->space;
	struct error err = {0};

	if (!s->count || s->count > SPACE_MAX)
		return wrong(p, "its space holds %u candidates", s->count);
	for (uint32_t i = 0; i < s->count; i++) {
		const struct candidate *candidate = &s->candidates[i];
		if (space_check(&c->trial.op, &candidate->schedule, &c->device.limits, &err))
			return wrong(p, "candidate %u is not legal: %s", i, err.text);
		if (!(candidate->predicted_ns > 0) || !isfinite(candidate->predicted_ns) ||
		        (i && candidate[-1].predicted_ns > candidate->predicted_ns))
			return wrong(p, "candidate %u is predicted to take %g ns", i,
			        candidate->predicted_ns);
	}
	return true;
}

static bool schedule_reads_back(struct property *p, const struct schedule *schedule)
{
	char text[SCHEDULE_TEXT_BYTES];
	struct schedule again;

	schedule_print(schedule, text);
	if (schedule_parse(text, &again, NULL) || memcmp(schedule, &again, sizeof again))
		return wrong(p, "the schedule's text does not read back");
	return true;
}

static bool fits_device(struct property *p, const struct kernel *k, const struct limits *limits)
{
	uint64_t invocations = (uint64_t)k->workgroup_size[0] * k->workgroup_size[1] *
	                       k->workgroup_size[2];

	if (k->features & ~limits->features)
		return wrong(p, "it needs features %#x and the device has %#x", k->features,
		        limits->features);
	if (k->workgroup_bytes > limits->workgroup_bytes)
		return wrong(p, "it needs %u bytes of workgroup memory and the device has %u",
		        k->workgroup_bytes, limits->workgroup_bytes);
	if (invocations > limits->invocations)
		return wrong(p, "it needs %llu invocations a workgroup and the device allows %u",
		        (unsigned long long)invocations, limits->invocations);
	return true;
}

static bool spirv_is_valid(struct property *p, const struct kernel *k)
{
	struct spv_const_binary_t binary = {(const uint32_t *)k->code, k->code_bytes / 4};
	spv_diagnostic diagnostic = NULL;
	bool valid = spvValidate(p->spirv, &binary, &diagnostic) == SPV_SUCCESS;

	if (!valid)
		wrong(p, "its SPIR-V is not valid: %s", diagnostic ? diagnostic->error : "?");
	spvDiagnosticDestroy(diagnostic);
	return valid;
}

/* Drivers make subgroups of neighbours along x, and of others as they like. */
static bool subgroups_exist(struct property *p, const struct trial *t)
{
	struct geometry g;

	if (space_geometry(&t->op, &t->schedule, &g, NULL))
		return wrong(p, "it has no geometry");
	if (g.subgroup && g.workgroup_size[0] % g.subgroup)
		return wrong(p, "a subgroup of %u is no part of %u invocations along x", g.subgroup,
		        g.workgroup_size[0]);
	return true;
}

/* Every target takes it. */
static bool code_is_sound(struct property *p, const struct trial *t, const struct limits *limits)
{
	struct kernel k;
	int wgsl = nnjit_generate(p->nnjit, &t->op, &t->schedule, emit_wgsl, &k);
	bool foreign = !wgsl && k.features & FEATURE_MATRIX;

	if (wgsl || !k.code_bytes ||
	        nnjit_generate(p->nnjit, &t->op, &t->schedule, emit_glsl, &k) !=
	                (foreign ? -ENOTSUP : 0) ||
	        nnjit_generate(p->nnjit, &t->op, &t->schedule, emit_spirv, &k))
		return wrong(p, "the generator refuses the schedule");
	return fits_device(p, &k, limits) && (foreign || spirv_is_valid(p, &k));
}

static bool numbers_are_right(struct property *p, const struct trial *t, uint64_t number)
{
	struct verdict v = trial_run(p->nnjit, t);
	uint64_t most = 0;

	if (lower_turns(&t->op, &t->schedule, t->dims, &most) || v.turns > most)
		return wrong(p, "its loops turn %llu times, at most %llu were expected",
		        (unsigned long long)v.turns, (unsigned long long)most);
	struct work work;
	space_work(&t->op, &t->schedule, &work);
	if (!t->op.dynamic_count && most > work_turns_most(&work))
		return wrong(p,
		        "its loops turn up to %llu times, and %.0f are taken to be the most",
		        (unsigned long long)most, work_turns_most(&work));
	if (most > v.turns)
		p->loosest = fmax(p->loosest, (double)most / (double)(v.turns + 64));
	if (v.right && v.error > p->worst * v.tolerance) {
		p->worst = v.error / v.tolerance;
		p->worst_case = number;
	}
	return v.right ? true : wrong(p, "%s", v.text);
}

/* ---- A case. */

/* Half of the cases, or all where the command line says so. */
static enum reference_special special_of(const struct property *p, uint64_t bits)
{
	static const enum reference_special kinds[] = {
	        REFERENCE_SPECIAL, REFERENCE_SPECIAL_NAN, REFERENCE_ORDINARY, REFERENCE_ORDINARY};

	return kinds[(bits >> 62) % (p->options.special ? 2 : 4)];
}

/* Draws until the case is affordable; false: that the space is not as it should be came first. */
static bool make_case(struct property *p, uint64_t number, struct property_case *c)
{
	struct draw d = draw_begin(p->options.seed, number);

	do {
		*c = (struct property_case){.number = number};
		do
			draw_op(&d, &c->trial.op);
		while (!draw_dims(&d, &c->trial.op, c->trial.dims));
		if (p->options.list)
			draw_device_at_hand(&d, &c->device);
		else
			draw_device(&d, &c->device);
		c->trial.subgroup = c->device.subgroup;
		c->trial.inputs = draw_bits(&d);
		c->trial.wild = draw_one_in(&d, 4);
		c->trial.special = special_of(p, c->trial.inputs);
		if (!text_reads_back(p, &c->trial.op) || !space_exists(p, c) ||
		        !space_is_sound(p, c))
			return false;
	} while (!draw_schedule(
	        &d, &c->trial.op, &c->device.limits, &c->space, c->trial.dims, &c->trial.schedule));
	return true;
}

static bool holds(struct property *p, const struct property_case *c)
{
	return schedule_reads_back(p, &c->trial.schedule) && subgroups_exist(p, &c->trial) &&
	       code_is_sound(p, &c->trial, &c->device.limits) &&
	       numbers_are_right(p, &c->trial, c->number);
}

/* ---- Telling. */

static void print_dims(const struct trial *t)
{
	for (uint32_t i = 0; i < t->op.dynamic_count; i++)
		printf("%s%u", i ? "," : "", t->dims[i]);
	puts(t->op.dynamic_count ? "" : "-");
}

static void print_trial(const char *what, const struct trial *t)
{
	char op[OP_TEXT_BYTES], schedule[SCHEDULE_TEXT_BYTES];

	op_print(&t->op, op);
	schedule_print(&t->schedule, schedule);
	printf("  %-9s %s\n  schedule  %s\n  dims      ", what, op, schedule);
	print_dims(t);
}

static void print_device(const struct property_case *c)
{
	const struct limits *l = &c->device.limits;

	printf("  device    %s, %u invocations, %u bytes, subgroups of %u..%u, features",
	        c->device.facts.cpu ? "processor" : "GPU", l->invocations, l->workgroup_bytes,
	        l->subgroup_min, l->subgroup_max);
	for (uint32_t i = 0; i < FEATURE_COUNT; i++)
		if (l->features >> i & 1)
			printf(" %s", feature_info((enum feature_number)i)->name);
	printf("; run with subgroups of %u\n", c->device.subgroup);
}

static bool still_wrong(void *context, const struct trial *t)
{
	return !numbers_are_right(context, t, UINT64_MAX);
}

static void tell_failure(struct property *p, const struct property_case *c)
{
	struct trial smaller = c->trial;
	char first[sizeof p->text];

	if (p->failed > FAILURES_MAX)
		return;
	snprintf(first, sizeof first, "%s", p->text);
	printf("FAILED: property_test --seed %llu --case %llu\n",
	        (unsigned long long)p->options.seed, (unsigned long long)c->number);
	print_trial("operator", &c->trial);
	print_device(c);
	printf("  %s\n", first);
	if (!c->space.count || space_check(&smaller.op, &smaller.schedule, NULL, NULL) ||
	        numbers_are_right(p, &smaller, UINT64_MAX))
		return;
	shrink(&smaller, still_wrong, p);
	print_trial("shrunk", &smaller);
	numbers_are_right(p, &smaller, UINT64_MAX);
	printf("  %s\n", p->text);
}

/* ---- Runs. */

static bool is_wanted(const struct options *o, const struct op *op)
{
	return !o->only || !strcmp(o->only, op_name(op->kind)) ||
	       !strcmp(o->only, op_family_name(op_family(op->kind)));
}

static void run_case(struct property *p, uint64_t number)
{
	struct property_case c;

	snprintf(now, sizeof now, "\ndied in: property_test --seed %llu --case %llu\n",
	        (unsigned long long)p->options.seed, (unsigned long long)number);
	bool right = make_case(p, number, &c);
	if (!is_wanted(&p->options, &c.trial.op))
		return;
	p->checked++;
	p->refused += c.refused;
	if (right)
		right = holds(p, &c);
	p->failed += !right;
	if (!right)
		tell_failure(p, &c);
	else if (p->options.one >= 0) {
		print_trial("operator", &c.trial);
		print_device(&c);
	}
}

static void list_case(struct property *p, uint64_t number)
{
	char op[OP_TEXT_BYTES], schedule[SCHEDULE_TEXT_BYTES];
	struct property_case c;

	if (!make_case(p, number, &c) || c.refused || !is_wanted(&p->options, &c.trial.op))
		return;
	op_print(&c.trial.op, op);
	schedule_print(&c.trial.schedule, schedule);
	printf("%s\t%s\t", op, schedule);
	print_dims(&c.trial);
	p->checked++;
}

static int attempt(struct property *p)
{
	struct trial t = {.subgroup = 4, .inputs = p->options.seed};
	char *dims = p->options.attempt[2];
	struct error err = {0};

	if (op_parse(p->options.attempt[0], &t.op, &err) ||
	        schedule_parse(p->options.attempt[1], &t.schedule, &err) ||
	        space_check(&t.op, &t.schedule, NULL, &err)) {
		fprintf(stderr, "property_test: %s\n", err.text);
		return 2;
	}
	for (uint32_t i = 0; i < t.op.dynamic_count; i++, dims += *dims == ',')
		t.dims[i] = (uint32_t)strtoul(dims, &dims, 10);
	struct verdict v = trial_run(p->nnjit, &t);
	printf("%s (worst error %.2g, tolerance %.2g)\n", v.text, v.error, v.tolerance);
	return !v.right;
}

static int summary(const struct property *p)
{
	printf("bounds of turns at most %.1f times the turns\n", p->loosest);
	printf("%llu cases from seed %llu; %llu needed shader-f16 to have a kernel; worst error "
	       "%.2g "
	       "of the tolerance\n",
	        (unsigned long long)p->checked, (unsigned long long)p->options.seed,
	        (unsigned long long)p->refused, p->worst);
	printf("%llu%%: Checks: %llu, Failures: %llu, Errors: 0\n",
	        (unsigned long long)(p->checked ? (p->checked - p->failed) * 100 / p->checked : 0),
	        (unsigned long long)p->checked, (unsigned long long)p->failed);
	return p->failed || !p->checked;
}

static int run(struct property *p)
{
	const struct options *o = &p->options;

	if (o->attempt)
		return attempt(p);
	for (uint64_t number = 0; o->list && p->checked < o->list; number++)
		list_case(p, number);
	if (o->list)
		return 0;
	if (o->one >= 0)
		run_case(p, (uint64_t)o->one);
	for (uint64_t number = o->shard; o->one < 0 && number < o->cases; number += o->shards)
		run_case(p, number);
	return summary(p);
}

/* ---- The command line. */

static int usage(void)
{
	fputs("usage: property_test [--seed S] [--cases N | --case N | --list N] [--shard I/N] "
	      "[--only FAMILY|OPERATOR]\n"
	      "       property_test --try OP SCHEDULE DIMS\n",
	        stderr);
	return 2;
}

static bool take_number(const char *text, uint64_t *ret_value)
{
	char *end;
	unsigned long long value = strtoull(text, &end, 0);

	if (end == text || *end || *text == '-')
		return false;
	*ret_value = value;
	return true;
}

static bool take_shard(const char *text, struct options *o)
{
	unsigned long shard, shards;
	char rest;

	if (sscanf(text, "%lu/%lu%c", &shard, &shards, &rest) != 2 || shard >= shards)
		return false;
	o->shard = shard;
	o->shards = shards;
	return true;
}

static bool take_option(const char *name, const char *value, struct options *o)
{
	uint64_t one;

	if (!strcmp(name, "--seed") && !strcmp(value, "random")) {
		o->seed = (uint64_t)time(NULL);
		return true;
	}
	if (!strcmp(name, "--seed"))
		return take_number(value, &o->seed);
	if (!strcmp(name, "--cases"))
		return take_number(value, &o->cases);
	if (!strcmp(name, "--list"))
		return take_number(value, &o->list);
	if (!strcmp(name, "--shard"))
		return take_shard(value, o);
	if (!strcmp(name, "--special"))
		return o->special = true;
	if (!strcmp(name, "--only"))
		o->only = value;
	else if (!strcmp(name, "--case") && take_number(value, &one))
		o->one = (int64_t)one;
	else
		return false;
	return true;
}

static bool take_options(int argc, char **argv, struct options *o)
{
	const char *cases = getenv("NNJIT_CASES");

	if (cases && !take_number(cases, &o->cases))
		return false;
	if (argc == 5 && !strcmp(argv[1], "--try")) {
		o->attempt = argv + 2;
		return true;
	}
	for (int i = 1; i < argc; i += 2)
		if (i + 1 == argc || !take_option(argv[i], argv[i + 1], o))
			return false;
	return true;
}

static void die(int signal_number)
{
	if (write(STDOUT_FILENO, now, strlen(now)) < 0)
		_exit(3);
	signal(signal_number, SIG_DFL);
	raise(signal_number);
}

int main(int argc, char **argv)
{
	struct property p = {
	        .options = {.seed = 1, .cases = CASES_INITIAL, .shards = 1, .one = -1}};
	static const int deadly[] = {SIGSEGV, SIGABRT, SIGFPE, SIGBUS};

	if (!take_options(argc, argv, &p.options))
		return usage();
	for (size_t i = 0; i < sizeof deadly / sizeof *deadly; i++)
		signal(deadly[i], die);
	setvbuf(stdout, NULL, _IOLBF, 0);
	p.spirv = spvContextCreate(SPV_ENV_VULKAN_1_1);
	if (!p.spirv || nnjit_create(&p.nnjit))
		return 1;
	int status = run(&p);
	nnjit_destroy(p.nnjit);
	spvContextDestroy(p.spirv);
	return status;
}
