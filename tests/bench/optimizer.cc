/* SPDX-License-Identifier: Apache-2.0
 *
 * The door to spirv-opt's passes. An optimizer is made for each module, because its passes run only
 * once; it does not validate, as its callers do that apart.
 */
#include "tests/bench/optimizer.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <spirv-tools/optimizer.hpp>

bool optimizer_is_installed(void)
{
	return true;
}

static void take_recipe(spvtools::Optimizer &optimizer, optimizer_recipe recipe)
{
	switch (recipe) {
	case OPTIMIZER_CSE:
		optimizer.RegisterPass(spvtools::CreateLocalRedundancyEliminationPass());
		optimizer.RegisterPass(spvtools::CreateRedundancyEliminationPass());
		optimizer.RegisterPass(spvtools::CreateAggressiveDCEPass());
		break;
	case OPTIMIZER_SIZE:
		optimizer.RegisterSizePasses();
		break;
	case OPTIMIZER_SPEED:
		optimizer.RegisterPerformancePasses();
		break;
	}
}

int optimizer_run(optimizer_recipe recipe, const uint32_t *words, size_t count,
        uint32_t **ret_words, size_t *ret_count)
{
	spvtools::Optimizer optimizer(SPV_ENV_VULKAN_1_1);
	spvtools::OptimizerOptions options;
	std::vector<uint32_t> out;

	take_recipe(optimizer, recipe);
	options.set_run_validator(false);
	if (!optimizer.Run(words, count, &out, options))
		return -EINVAL;
	uint32_t *copy = static_cast<uint32_t *>(malloc(out.size() * sizeof *copy));
	if (!copy)
		return -ENOMEM;
	memcpy(copy, out.data(), out.size() * sizeof *copy);
	*ret_words = copy;
	*ret_count = out.size();
	return 0;
}
