/* SPDX-License-Identifier: Apache-2.0
 *
 * The meaning of each operator in plain C and double, one element at a time: slow, obvious, and
 * what every kernel is compared with. Operators here are static: of a dynamic one, what op_at
 * makes of it.
 */
#pragma once

#include "op/op.h"

/* What a reference is computed from. */
struct reference {
	const struct op *op;
	struct tensor tensors[OP_TENSORS_MAX];
	void *const *buffers; /* as tensors lie in memory (dtype.def) */
};
/* Element `element` (linear, row-major) of the output. */
double reference_element(const struct op *op, void *const buffers[], uint64_t element);
/* Of `count` elements, ascending: what neighbours share is computed once. */
void reference_elements(const struct op *op, void *const buffers[], const uint64_t *elements,
        uint32_t count, double *ret_values);

/* Family by family. */
typedef double reference_of(const struct reference *r, uint64_t element);
reference_of reference_contraction, reference_convolution, reference_reduction, reference_map,
        reference_attention;
/* At least the first of the elements, and how many: those that share the row of the first. */
uint32_t reference_attention_row(
        const struct reference *r, const uint64_t *elements, uint32_t count, double *ret_values);

/* Element `index` of tensor n, as a number. */
double reference_at(const struct reference *r, uint32_t tensor, uint64_t index);
/* The same of any buffer, and the other way round: rounded to nearest, kept in range. */
double reference_read(enum dtype dtype, const void *buffer, uint64_t index);
void reference_write(enum dtype dtype, void *buffer, uint64_t index, double value);
/* Index of the tensor of that name, or OP_TENSORS_MAX. */
uint32_t reference_find(const struct reference *r, const char *name);
double reference_scalar(enum scalar function, double a, double b, double c);
/* The activations of the ACTS field at op.value[value], one after another. */
double reference_acts(const struct op *op, uint32_t value, double x);

/* ---- Trying a kernel out. */
/* Element `index` of the input `tensor`, random but for what the operator asks of it (indices are
 * in range, scales are small); depends on nothing but its arguments and fits the element type. */
double reference_input(const struct op *op, uint32_t tensor, uint64_t seed, uint64_t index);
/* Fills tensor's whole buffer (tensor_bytes of it) so. */
void reference_fill(const struct op *op, uint32_t tensor, uint64_t seed, void *buffer);
/* Only the elements from `from` to before `to`, multiples of 32 but for the end: others may fill
 * the rest meanwhile. What is no element stays as it is. */
struct reference_span {
	uint64_t from, to;
};
void reference_fill_some(const struct op *op, uint32_t tensor, uint64_t seed, void *buffer,
        struct reference_span span);
/* Puts numbers that are not ordinary in the place of some of what reference_fill filled in
 * (special.c). NAN: NaNs are among them, which a device may not keep. */
enum reference_special { REFERENCE_ORDINARY, REFERENCE_SPECIAL, REFERENCE_SPECIAL_NAN };
void reference_make_special(const struct op *op, uint32_t tensor, uint64_t seed,
        enum reference_special kind, void *buffer);
/* Whether a type's greatest and least numbers are among them: one answer alone is then right. */
bool reference_takes_extremes(const struct op *op);

/* The greatest error of a right kernel, relative to the output's scale: the largest magnitude among
 * the outputs looked at, and no less than reference_scale (what such outputs typically are). 0:
 * outputs are exact. */
double reference_tolerance(const struct op *op);
double reference_scale(const struct op *op);
/* Steps that one element's meaning takes, for budgets; and those that elements of one row of the
 * last dimension share beside them, 0 in most families. */
double reference_steps(const struct op *op);
double reference_shared_steps(const struct op *op);

/* ---- Comparing (compare.c). */
struct reference_rule {
	enum dtype dtype; /* of the output */
	double scale;     /* what errors are relative to */
	double tolerance; /* the greatest error of a right kernel */
	bool each;        /* errors are relative to the element, where that is more than `scale` */
};
/* Of a static operator over such inputs; then each reference that is looked at is shown to it. */
struct reference_rule reference_rule(const struct op *op, enum reference_special inputs);
void reference_rule_see(struct reference_rule *rule, double want);
/* How far `got` is from `want`: infinity where it is another infinity, or no number where there
 * must be one. A right kernel's are at most the rule's tolerance. */
double reference_error(const struct reference_rule *rule, double want, double got);
