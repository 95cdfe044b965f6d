/* SPDX-License-Identifier: Apache-2.0
 *
 * The validator, kept from one kernel to the next: making its tables costs more than using them.
 */
#include "daemon/gpu/validate.h"

#include <errno.h>
#include <spirv-tools/libspirv.h>
#include <stdlib.h>

struct validator {
	spv_context context;
};

int validator_create(struct validator **ret_validator)
{
	struct validator *validator = calloc(1, sizeof *validator);

	if (validator)
		validator->context = spvContextCreate(SPV_ENV_VULKAN_1_1);
	if (!validator || !validator->context) {
		free(validator);
		return -ENOMEM;
	}
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

int validator_check(struct validator *validator, const void *words, size_t bytes, struct error *err)
{
	spv_diagnostic diagnostic = NULL;
	int failure = 0;

	if (spvValidateBinary(validator->context, words, bytes / 4, &diagnostic) != SPV_SUCCESS)
		failure = error_set(err, -EINVAL, "", "the SPIR-V is not valid: %s",
		        diagnostic ? diagnostic->error : "no reason given");
	spvDiagnosticDestroy(diagnostic);
	return failure;
}
