/* SPDX-License-Identifier: Apache-2.0
 *
 * Planted faults. The daemon must survive what drivers do, and can only be tested against a worker
 * that does it on demand.
 */
#include "daemon/gpu/fault.h"
#include "base/buffer.h"
#include "ir/ir.h"

#include <stdlib.h>
#include <string.h>

static const struct kind {
	const char *name;
	enum fault fault;
	bool of_candidate; /* its number is a candidate's */
} kinds[] = {
        {"hang:", FAULT_HANG, true},
        {"compile:", FAULT_COMPILE, true},
        {"crash:", FAULT_CRASH, true},
        {"lost:", FAULT_LOST, true},
        {"wrong:", FAULT_WRONG, true},
        {"even:", FAULT_EVEN, false},
        {"slow:", FAULT_SLOW, false},
        {"busy:", FAULT_BUSY, false},
        {"jump:", FAULT_JUMP, false},
        {"untimed:", FAULT_UNTIMED, false},
        {"lame:", FAULT_LAME, false},
        {"memory:", FAULT_MEMORY, false},
        {"ahead:", FAULT_AHEAD, false},
        {"asleep:", FAULT_ASLEEP, false},
};

/* The fault at `text`, up to the next comma, or NULL; *ret_number is UINT64_MAX for `*`. */
static const struct kind *parse_one(const char *text, uint64_t *ret_number)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		size_t length = strlen(kinds[i].name);
		if (strncmp(text, kinds[i].name, length))
			continue;
		*ret_number = text[length] == '*' ? UINT64_MAX : strtoull(text + length, NULL, 10);
		return &kinds[i];
	}
	return NULL;
}

static const char *next_one(const char *text)
{
	text = strchr(text, ',');
	return text ? text + 1 : NULL;
}

enum fault fault_of(uint32_t candidate)
{
	uint64_t number;

	for (const char *text = getenv("NNJIT_TEST_FAULT"); text; text = next_one(text)) {
		const struct kind *kind = parse_one(text, &number);
		if (kind && kind->of_candidate && (number == candidate || number == UINT64_MAX))
			return kind->fault;
	}
	return FAULT_NONE;
}

bool fault_planted(enum fault fault, uint64_t *ret_number)
{
	for (const char *text = getenv("NNJIT_TEST_FAULT"); text; text = next_one(text)) {
		const struct kind *kind = parse_one(text, ret_number);
		if (kind && kind->fault == fault)
			return true;
	}
	return false;
}

/* Counting by two from 0 never meets an odd bound: the counter wraps around, which is defined. The
 * store keeps compilers from taking the loop away. */
static int build_endless(struct ir_builder *b, const struct tensor tensors[], uint32_t count,
        const struct ir_module **ret_module)
{
	const uint32_t one[3] = {1, 1, 1};
	uint32_t target = 0;

	ir_begin(b, one);
	for (uint32_t i = 0; i < count; i++) {
		target = tensors[i].output ? i : target;
		ir_binding(b, tensors[i].name, IR_TYPE(IR_F32, 1), tensors[i].output,
		        (uint32_t)(tensor_bytes(&tensors[i]) / 4));
	}
	ir_id turn = ir_loop(b, ir_u32(b, 0), ir_u32(b, UINT32_MAX), 2);
	ir_store(b, target, ir_u32(b, 0), ir_convert(b, turn, IR_F32));
	ir_end(b);
	return ir_finish(b, ret_module);
}

int fault_endless_kernel(const struct gpu_api *api, const struct tensor tensors[], uint32_t count,
        struct buffer *out)
{
	const struct ir_module *module;
	struct ir_builder *builder;
	int failure = ir_builder_create(&builder);

	if (failure)
		return failure;
	failure = build_endless(builder, tensors, count, &module);
	if (!failure)
		failure = api->emit(module, out);
	ir_builder_destroy(builder);
	return failure;
}

/* Mesa's processor driver leaves any loop after 65535 turns. Two thousand million workgroups of as
 * many turns take it days; more would overflow its count of them and it would run none. */
void fault_endless_workgroups(uint32_t ret_workgroups[3])
{
	ret_workgroups[0] = 65535;
	ret_workgroups[1] = 32767;
	ret_workgroups[2] = 1;
}
