/* SPDX-License-Identifier: Apache-2.0
 *
 * The validator, kept from one kernel to the next: making its tables costs more than using them.
 * SPIRV-Tools before 2023.4 do not know cooperative matrices; modules that declare them, and only
 * those, then pass unseen. That is said once.
 */
#include "daemon/gpu/validate.h"

#include <assert.h>
#include <errno.h>
#include <spirv-tools/libspirv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OP_CAPABILITY      (17 | 2u << 16) /* OpCapability, of two words */
#define COOPERATIVE_MATRIX 6022            /* its operand CooperativeMatrixKHR */

struct validator {
	spv_context context;
	bool knows_matrices, said;
};

static bool knows_matrices(spv_context context)
{
	static const char text[] = "OpCapability CooperativeMatrixKHR";
	spv_binary binary = NULL;
	spv_result_t result = spvTextToBinary(context, text, strlen(text), &binary, NULL);

	spvBinaryDestroy(binary);
	return result == SPV_SUCCESS;
}

int validator_create(const char *environment, struct validator **ret_validator)
{
	spv_target_env parsed;

	if (!environment) {
		*ret_validator = NULL;
		return 0;
	}
	bool known = spvParseTargetEnv(environment, &parsed);
	assert(known);
	(void)known;
	struct validator *validator = calloc(1, sizeof *validator);
	if (validator)
		validator->context = spvContextCreate(parsed);
	if (!validator || !validator->context) {
		free(validator);
		return -ENOMEM;
	}
	validator->knows_matrices = knows_matrices(validator->context);
	*ret_validator = validator;
	return 0;
}

void validator_destroy(struct validator *validator)
{
	if (!validator)
		return;
	spvContextDestroy(validator->context);
	free(validator);
}

/* Capabilities stand first, two words each, after a header of five. */
static bool declares_matrices(const uint32_t *words, size_t count)
{
	for (size_t at = 5; at + 1 < count && words[at] == OP_CAPABILITY; at += 2)
		if (words[at + 1] == COOPERATIVE_MATRIX)
			return true;
	return false;
}

static bool passes_unseen(struct validator *validator, const void *words, size_t count)
{
	if (validator->knows_matrices || !declares_matrices(words, count))
		return false;
	if (!validator->said)
		fprintf(stderr, "nnjit-gpu: this SPIRV-Tools does not know cooperative matrices: "
		                "kernels that use them are not validated, only verified\n");
	validator->said = true;
	return true;
}

int validator_check(struct validator *validator, const void *words, size_t bytes, struct error *err)
{
	spv_diagnostic diagnostic = NULL;
	int failure = 0;

	if (!validator || passes_unseen(validator, words, bytes / 4))
		return 0;
	if (spvValidateBinary(validator->context, words, bytes / 4, &diagnostic) != SPV_SUCCESS)
		failure = error_set(err, -EINVAL, "", "the SPIR-V is not valid: %s",
		        diagnostic ? diagnostic->error : "no reason given");
	spvDiagnosticDestroy(diagnostic);
	return failure;
}
