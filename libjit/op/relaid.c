/* SPDX-License-Identifier: Apache-2.0
 *
 * An operator some of whose inputs stay the same from run to run may have one of them laid out
 * anew, once: the same numbers in another order in memory, for which there may be a faster kernel.
 * The other operator and the one that lays the input out are operators like any other.
 */
#include "base/error.h"
#include "op/op.h"

#include <errno.h>
#include <string.h>

/* Inputs whose last two dimensions a flag swaps. */
static const struct {
	enum op_kind kind;
	const char *input;
	uint32_t flag;
} swaps[] = {
        {OP_MATMUL, "a", MATMUL_TRANS_A},
        {OP_MATMUL, "b", MATMUL_TRANS_B},
};

static int find_input(const struct op *op, const char *name, uint32_t *ret_number,
        struct tensor *ret_tensor, struct error *err)
{
	struct tensor tensors[OP_TENSORS_MAX];
	uint32_t count = op_tensors(op, tensors);
	char names[64] = "";

	for (uint32_t i = 0; i < count && !tensors[i].output; i++) {
		size_t at = strlen(names);
		snprintf(names + at, sizeof names - at, "%s%s", at ? ", " : "", tensors[i].name);
		if (strcmp(tensors[i].name, name))
			continue;
		*ret_number = i;
		*ret_tensor = tensors[i];
		return 0;
	}
	return error_set(err, -EINVAL, "constant", "there is no input '%.16s' here; inputs are %s",
	        name, names);
}

/* transpose of a tensor's last two dimensions */
static int swap_last(const struct tensor *t, struct op *ret_op)
{
	char text[OP_TEXT_BYTES];
	size_t at = (size_t)snprintf(
	        text, sizeof text, "transpose dtype=%s shape=", dtype_name(t->dtype));

	for (uint32_t i = 0; i < t->rank; i++)
		at += (size_t)snprintf(
		        text + at, sizeof text - at, "%s%u", i ? "," : "", t->shape[i]);
	at += (size_t)snprintf(text + at, sizeof text - at, " perm=");
	for (uint32_t i = 0; i < t->rank; i++) {
		uint32_t from = i + 2 == t->rank ? i + 1 : i + 1 == t->rank ? i - 1 : i;
		at += (size_t)snprintf(text + at, sizeof text - at, "%s%u", i ? "," : "", from);
	}
	return op_parse(text, ret_op, NULL);
}

/* The operator with the flag turned, and what turns the input. */
static int relaid_ops(const struct op *op, const struct tensor *t, uint32_t flag,
        struct op *ret_other, struct op *ret_preparation)
{
	if (op->dynamic_count || t->rank < 2 || t->shape[t->rank - 1] == 1 ||
	        t->shape[t->rank - 2] == 1 || swap_last(t, ret_preparation))
		return -ENOENT;
	*ret_other = *op;
	ret_other->value[flag] ^= 1;
	return op_validate(ret_other, NULL) ? -ENOENT : 0;
}

int op_relaid(const struct op *op, const char *input, struct op_way *ret_way, struct error *err)
{
	const struct op_place scratch = {.tensor = OP_SCRATCH};
	struct op other, preparation;
	struct tensor t = {0};
	uint32_t number = 0;
	int r = find_input(op, input, &number, &t, err);

	if (r)
		return r;
	for (size_t i = 0; i < sizeof swaps / sizeof *swaps; i++) {
		if (swaps[i].kind != op->kind || strcmp(swaps[i].input, input))
			continue;
		r = relaid_ops(op, &t, swaps[i].flag, &other, &preparation);
		if (r)
			return r;
		*ret_way = (struct op_way){.scratch_bytes = tensor_bytes(&t),
		        .count = 2,
		        .steps = {{preparation, 1, true, {{.tensor = number}, scratch}},
		                {other, 1, false, {{0}}}}};
		for (uint32_t n = 0; n < OP_TENSORS_MAX; n++)
			ret_way->steps[1].places[n].tensor = n;
		ret_way->steps[1].places[number] = scratch;
		return 0;
	}
	return -ENOENT;
}
