/* SPDX-License-Identifier: Apache-2.0
 *
 * A trial's buffers, its run, and the comparison. The output starts as the opposite of what is
 * expected, bit by bit, and behind each buffer lies a guard.
 */
#include "trial.h"

#include "base/cleanup.h"
#include "nnjit_eval.h"
#include "reference/reference.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GUARD_BYTES 16
#define GUARD       0x5a

struct run {
	struct op op; /* static */
	uint32_t count;
	struct tensor tensors[OP_TENSORS_MAX];
	void *buffers[OP_TENSORS_MAX];
	double *want; /* of every output element */
	struct reference_rule rule;
};

static void run_free(struct run *run)
{
	for (uint32_t i = 0; i < run->count; i++)
		free(run->buffers[i]);
	free(run->want);
}

static const struct tensor *out_of(const struct run *run)
{
	return &run->tensors[run->count - 1];
}

/* Behind the end of each row of a wider matrix: others' elements. */
static bool is_behind(const struct op *op, uint64_t element)
{
	uint32_t n, pitch;

	switch (op->kind) {
	case OP_MATMUL:
		n = op->value[MATMUL_N];
		pitch = op->value[MATMUL_PITCH];
		break;
	case OP_MATMUL_NBITS:
		n = op->value[MATMUL_NBITS_N];
		pitch = op->value[MATMUL_NBITS_PITCH];
		break;
	default:
		return false;
	}
	return pitch && element % pitch >= n;
}

/* Rows of a table that this part of it does not have. */
static bool is_elsewhere(const struct run *run, uint64_t element)
{
	return run->op.kind == OP_GATHER && run->op.value[GATHER_OF] &&
	       isnan(reference_element(&run->op, run->buffers, element));
}

/* Not to be touched. */
static bool is_beside(const struct run *run, uint64_t element)
{
	return is_behind(&run->op, element) || is_elsewhere(run, element);
}

static void expect(struct run *run, enum reference_special special)
{
	const struct tensor *out = out_of(run);

	run->want = calloc(out->elements, sizeof *run->want);
	run->rule = reference_rule(&run->op, special);
	for (uint64_t e = 0; e < out->elements; e++) {
		if (is_beside(run, e))
			continue;
		run->want[e] = reference_element(&run->op, run->buffers, e);
		reference_rule_see(&run->rule, run->want[e]);
	}
}

static void poison(struct run *run)
{
	const struct tensor *out = out_of(run);
	uint8_t *bytes = run->buffers[run->count - 1];

	for (uint64_t e = 0; e < out->elements; e++)
		reference_write(out->dtype, bytes, e, run->want[e]);
	for (uint64_t i = 0; i < tensor_bytes(out); i++)
		bytes[i] = (uint8_t)~bytes[i];
}

/* Indices as a page might send them. */
static void fill_wildly(const struct tensor *tensor, int32_t *indices)
{
	static const int32_t wild[] = {
	        INT32_MIN, INT32_MAX, -1, 1 << 30, -(1 << 30), 0, 65536, -65537, 2, -3, 1000};

	for (uint64_t i = 0; i < tensor->elements; i++)
		indices[i] = wild[i % (sizeof wild / sizeof *wild)];
}

static void fill_in(const struct run *run, const struct trial *t, uint32_t i)
{
	reference_fill(&run->op, i, t->inputs, run->buffers[i]);
	reference_make_special(&run->op, i, t->inputs, t->special, run->buffers[i]);
}

static struct run make(const struct trial *t)
{
	struct run run = {.op = op_at(&t->op, t->dims)};

	run.count = op_tensors(&run.op, run.tensors);
	for (uint32_t i = 0; i < run.count; i++) {
		uint64_t bytes = tensor_bytes(&run.tensors[i]);
		run.buffers[i] = calloc(1, bytes + GUARD_BYTES);
		memset((char *)run.buffers[i] + bytes, GUARD, GUARD_BYTES);
		if (i + 1 < run.count)
			fill_in(&run, t, i);
		if (t->wild && !strcmp(run.tensors[i].name, "indices"))
			fill_wildly(&run.tensors[i], run.buffers[i]);
	}
	expect(&run, t->special);
	poison(&run);
	return run;
}

/* ---- Afterwards. */

static bool guards_stand(const struct run *run)
{
	for (uint32_t i = 0; i < run->count; i++)
		for (uint64_t b = 0; b < GUARD_BYTES; b++)
			if (((uint8_t *)run->buffers[i])[tensor_bytes(&run->tensors[i]) + b] !=
			        GUARD)
				return false;
	return true;
}

/* The number that is there; of a truth its byte, which must be 0 or 1. */
static double read_out(const struct run *run, uint64_t e)
{
	enum dtype dtype = out_of(run)->dtype;

	return reference_read(
	        dtype == DTYPE_BOOL ? DTYPE_U8 : dtype, run->buffers[run->count - 1], e);
}

/* What stands beside the output must be the opposite of 0 still. */
static double error_of(const struct run *run, uint64_t e, double got)
{
	enum dtype dtype = out_of(run)->dtype;

	if (is_beside(run, e)) {
		uint64_t zero = 0, ones = ~zero;
		double kept = reference_read(dtype, &ones, 0);
		return got == kept || (isnan(got) && isnan(kept)) ? 0 : INFINITY;
	}
	return reference_error(&run->rule, run->want[e], got);
}

static void compare(const struct run *run, struct verdict *v)
{
	v->tolerance = run->rule.tolerance;
	for (uint64_t e = 0; e < out_of(run)->elements; e++) {
		double got = read_out(run, e), error = error_of(run, e, got);
		if (error <= v->error)
			continue;
		v->error = error;
		v->element = e;
		v->got = got;
		v->want = run->want[e];
	}
	v->right = v->error <= v->tolerance;
	snprintf(v->text, sizeof v->text, "right");
	if (!v->right)
		snprintf(v->text, sizeof v->text,
		        "element %llu is %.9g, should be %.9g: off by %.2g of the output's scale, "
		        "%.2g is allowed",
		        (unsigned long long)v->element, v->got, v->want, v->error, v->tolerance);
}

static void complain(struct verdict *v, const char *text)
{
	v->right = false;
	v->error = INFINITY;
	snprintf(v->text, sizeof v->text, "%s", text);
}

struct verdict trial_run(struct nnjit *nnjit, const struct trial *trial)
{
	AUTO(run_free) struct run run = make(trial);
	struct verdict v = {0};
	struct nnjit_eval_params params = {run.buffers, trial->dims, trial->subgroup, &v.turns};
	int r = nnjit_eval(nnjit, &trial->op, &trial->schedule, &params);

	if (r == -EFAULT)
		complain(&v, "it reads or writes out of bounds");
	else if (r)
		complain(&v, "the generator refuses the schedule");
	else if (!guards_stand(&run))
		complain(&v, "it writes behind a buffer");
	else
		compare(&run, &v);
	return v;
}
