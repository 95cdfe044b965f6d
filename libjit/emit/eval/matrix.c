/* SPDX-License-Identifier: Apache-2.0
 *
 * The interpreter's cooperative matrices. A subgroup (consecutive invocations) holds one matrix
 * whole, row by row, where an ordinary value has its rows; the subgroup's first invocation says
 * whether it is active, and at which index. Memory is taken as bytes: an array's element type says
 * only what index and stride count.
 */
#include "emit/eval/machine.h"

struct shape {
	uint32_t rows, columns;
	enum ir_scalar scalar;
};

static struct shape shape_of(const struct ir_module *m, ir_type type)
{
	const struct ir_matrices *of = &m->matrices;

	switch (ir_scalar_of(type)) {
	case IR_MATRIX_A:
		return (struct shape){of->m, of->k, IR_F16};
	case IR_MATRIX_B:
		return (struct shape){of->k, of->n, IR_F16};
	default:
		return (struct shape){of->m, of->n, IR_F32};
	}
}

static uint32_t subgroup_size(const struct machine *m)
{
	return m->run->subgroup_size ? m->run->subgroup_size : 1;
}

static uint32_t elements_of(const struct machine *m, ir_type type)
{
	struct shape shape = shape_of(m->module, type);

	return shape.rows * shape.columns;
}

size_t eval_words(const struct machine *m, ir_type type)
{
	uint32_t size = subgroup_size(m);

	if (ir_is_matrix(type))
		return (m->invocations + size - 1ul) / size * elements_of(m, type);
	return (size_t)ir_lanes_of(type) * m->invocations;
}

void eval_matrix_assign(const struct machine *m, ir_type type, uint32_t *to, const uint32_t *from)
{
	uint32_t elements = elements_of(m, type);

	for (uint32_t i = 0; i < m->invocations; i += subgroup_size(m)) {
		if (mask_of(m)[i])
			memcpy(to, from, elements * sizeof *to);
		to += elements;
		from += elements;
	}
}

/* A matrix in a workgroup array, whose elements may be vectors of its scalar. */
struct window {
	const struct ir_shared *array;
	void *memory;
	enum ir_scalar scalar;
	uint32_t at, stride; /* in elements of the array */
	bool by_columns;
};

/* The number of its element in the array, counted in scalars. */
static bool locate(struct machine *m, const struct window *w, uint32_t row, uint32_t column,
        size_t *ret_scalar)
{
	size_t bytes = ir_bytes_of(w->array->type), each = w->scalar == IR_F16 ? 2 : 4;
	size_t line = w->by_columns ? column : row, within = w->by_columns ? row : column;
	size_t byte = (w->at + line * w->stride) * bytes + within * each;

	if (byte + each > w->array->length * bytes) {
		m->run->out_of_bounds++;
		return false;
	}
	*ret_scalar = byte / each;
	return true;
}

static void move(struct machine *m, const struct window *w, struct shape shape, uint32_t *matrix,
        bool stores)
{
	for (uint32_t row = 0; row < shape.rows; row++) {
		for (uint32_t column = 0; column < shape.columns; column++, matrix++) {
			size_t scalar;
			bool inside = locate(m, w, row, column, &scalar);
			if (stores && inside)
				write_scalar(w->memory, shape.scalar, scalar, *matrix);
			else if (!stores)
				*matrix = inside ? read_scalar(w->memory, shape.scalar, scalar) : 0;
		}
	}
}

/* Every active subgroup's matrix, to or from workgroup memory. */
static void move_all(struct machine *m, const struct ir_inst *inst, ir_type type, uint32_t *matrix)
{
	bool stores = inst->op == IR_MATRIX_STORE;
	const uint32_t *index = operand(m, inst, 0), *arg = inst->arg + (stores ? 2 : 1);
	struct shape shape = shape_of(m->module, type);
	struct window window = {.array = &m->module->shared[arg[0]],
	        .memory = m->shared[arg[0]],
	        .scalar = shape.scalar,
	        .stride = arg[1],
	        .by_columns = !stores && arg[2]};

	for (uint32_t i = 0; i < m->invocations; i += subgroup_size(m)) {
		window.at = index[i];
		if (mask_of(m)[i])
			move(m, &window, shape, matrix, stores);
		matrix += shape.rows * shape.columns;
	}
}

void eval_matrix_store(struct machine *m, const struct ir_inst *inst)
{
	move_all(m, inst, IR_TYPE(IR_MATRIX_SUM, 1), m->values[inst->arg[1]]);
}

static void multiply(const struct ir_matrices *of, uint32_t *to, const uint32_t *a,
        const uint32_t *b, const uint32_t *c)
{
	for (uint32_t row = 0; row < of->m; row++) {
		for (uint32_t column = 0; column < of->n; column++) {
			float sum = float_of(c[row * of->n + column]);
			for (uint32_t k = 0; k < of->k; k++)
				sum += float_of(a[row * of->k + k]) *
				       float_of(b[k * of->n + column]);
			to[row * of->n + column] = float_bits(sum);
		}
	}
}

static void multiply_all(const struct machine *m, const struct ir_inst *inst, uint32_t *to)
{
	const struct ir_matrices *of = &m->module->matrices;
	const uint32_t *a = operand(m, inst, 0), *b = operand(m, inst, 1), *c = operand(m, inst, 2);

	for (uint32_t i = 0; i < m->invocations; i += subgroup_size(m)) {
		multiply(of, to, a, b, c);
		to += of->m * of->n;
		a += of->m * of->k;
		b += of->k * of->n;
		c += of->m * of->n;
	}
}

static void fill_all(const struct machine *m, const struct ir_inst *inst, uint32_t *to)
{
	uint32_t elements = elements_of(m, inst->type);

	for (uint32_t i = 0; i < m->invocations; i += subgroup_size(m))
		for (uint32_t e = 0; e < elements; e++)
			*to++ = operand(m, inst, 0)[i];
}

void eval_matrix_value(struct machine *m, const struct ir_inst *inst, uint32_t *to)
{
	if (inst->op == IR_MATRIX_LOAD)
		move_all(m, inst, inst->type, to);
	else if (inst->op == IR_MATRIX_FILL)
		fill_all(m, inst, to);
	else
		multiply_all(m, inst, to);
}
