/* SPDX-License-Identifier: Apache-2.0
 *
 * Chooses between an operator as it was asked for and the same with one input laid out anew. What
 * was measured goes before what is only predicted, and as it was asked goes before what is not
 * faster by more than near-ties are.
 */
#include "daemon/api/layouts.h"

#include "base/cleanup.h"
#include "protocol/artifact/artifact.h"

#include <errno.h>
#include <string.h>

static int read_other(const struct request *request, const struct op *op, struct want *ret_want,
        struct problem *ret_problem)
{
	char text[OP_TEXT_BYTES];

	op_print(op, text);
	json_t *json = json_string(text);
	int answer = want_read_op(request, json, ret_want, ret_problem);
	json_decref(json);
	return answer;
}

/* Neither may need parts. */
static bool fits(const struct want *want)
{
	struct tensor tensors[OP_TENSORS_MAX];
	uint32_t count = op_tensors(&want->id.op, tensors);

	for (uint32_t i = 0; i < count; i++)
		if (tensor_bytes(&tensors[i]) > want->id.device->limits.binding_bytes)
			return false;
	return true;
}

int layouts_read(const struct request *request, const struct want *want,
        struct layouts **ret_layouts, struct problem *ret_problem)
{
	const char *input = request_text(request, "constant");
	struct op other, preparation;
	struct error err;

	*ret_layouts = NULL;
	int r = input ? op_relaid(&want->id.op, input, &other, &preparation, &err) : -ENOENT;
	if (r == -EINVAL)
		return problem_set(ret_problem, PROBLEM_BAD_VALUE, err.field, "%s", err.text);
	if (r || !fits(want))
		return 0;
	AUTO(free_pointer) struct layouts *layouts = calloc(1, sizeof *layouts);
	if (!layouts)
		return problem_set(ret_problem, PROBLEM_INTERNAL, "", "out of memory");
	layouts->want[0] = *want;
	snprintf(layouts->input, sizeof layouts->input, "%s", input);
	int answer = read_other(request, &other, &layouts->want[1], ret_problem);
	if (!answer)
		answer = read_other(request, &preparation, &layouts->preparation, ret_problem);
	layouts->preparation.runs = 1;
	if (!answer)
		*ret_layouts = TAKE(layouts);
	return answer;
}

static bool is_open(const struct tune_kernel *kernel)
{
	return kernel->status != TUNE_TUNED && kernel->status != TUNE_NAIVE;
}

static double time_of(const struct tune_kernel *kernel)
{
	return kernel->best.samples ? kernel->best.median_ns : kernel->predicted_ns;
}

/* Whether laying the input out anew pays: `once_ns` is what doing so takes. */
static bool pays(const struct tune_kernel *asked, const struct tune_kernel *other, double runs,
        double once_ns)
{
	bool measured = asked->best.samples > 0;
	double gain_ns = time_of(asked) - TUNE_TIE * time_of(other);

	if (other->status == TUNE_NAIVE || measured != (other->best.samples > 0))
		return !measured && other->best.samples > 0 && other->status != TUNE_NAIVE;
	return gain_ns > 0 && (!(runs > 0) || runs * gain_ns > once_ns);
}

/* What is to be done to the input. */
static int add_preparation(struct api *api, const struct layouts *layouts,
        struct tune_kernel *kernel, json_t *object, struct problem *ret_problem)
{
	json_t *preparation;
	int answer = kernel_json(
	        api, kernel, layouts->preparation.target, &preparation, ret_problem);

	if (!answer)
		json_object_set_new(object, "prepare",
		        json_pack("[{s:s,s:o}]", "input", layouts->input, "kernel", preparation));
	return answer;
}

int layouts_json(struct api *api, const char *origin, const struct layouts *layouts,
        json_t **ret_object, struct problem *ret_problem)
{
	struct tune_kernel kernel[LAYOUTS], once;
	const struct want *want = layouts->want;
	int answer = kernel_get(api, &want[0], &kernel[0], ret_problem);

	if (!answer)
		answer = kernel_get(api, &want[1], &kernel[1], ret_problem);
	if (!answer)
		answer = kernel_get(api, &layouts->preparation, &once, ret_problem);
	if (answer)
		return answer;
	bool anew = pays(&kernel[0], &kernel[1], want->runs, time_of(&once));
	if (kernel[anew].status == TUNE_TUNED && is_open(&kernel[!anew]))
		kernel[anew].status = TUNE_TUNING; /* the choice is */
	answer = kernel_served(api, origin, &kernel[anew], want->target, ret_object, ret_problem);
	if (answer || !anew)
		return answer;
	answer = add_preparation(api, layouts, &once, *ret_object, ret_problem);
	if (answer)
		json_decref(*ret_object);
	return answer;
}
