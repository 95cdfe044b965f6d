/* SPDX-License-Identifier: Apache-2.0
 *
 * Learning whether a device computes with infinities: a sum and an extreme of special numbers, by
 * kernels as plain as they come. Invariant: the device keeps them only if all of these are right.
 */
#include "daemon/gpu/special.h"

#include "daemon/gpu/answer.h"
#include "daemon/gpu/request.h"
#include "space/space.h"

static int try_one(struct builder *builder, const char *op_text, bool *ret_right, struct error *err)
{
	struct builder here = *builder;
	struct verdict verdict = {0};
	struct built *built;
	struct op op;

	int answer = request_op(op_text, &op, err);
	if (!answer)
		answer = workload_load_special(here.device, &op, &here.workload, err);
	if (answer)
		return answer;
	struct schedule plainest = space_plainest(&op, &here.device->adapter->limits);
	answer = builder_build_here(&here, &plainest, &built, err);
	if (!answer)
		answer = trial_verify(built, &verdict, err);
	if (answer != ANSWER_DEVICE_LOST)
		workload_free(here.workload);
	*ret_right = !answer && verdict.right;
	return answer;
}

int special_learn(struct builder *builder, struct error *err)
{
	static const char *const ops[] = {
	        "add shape=256", "max shape=256", "reduce_sum rows=64 n=16"};
	bool right = true;

	for (size_t i = 0; right && i < sizeof ops / sizeof *ops; i++) {
		int answer = try_one(builder, ops[i], &right, err);
		if (answer == ANSWER_DEVICE_LOST)
			return answer;
	}
	builder->device->keeps_infinities = right;
	return 0;
}
