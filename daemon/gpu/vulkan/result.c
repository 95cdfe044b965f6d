/* SPDX-License-Identifier: Apache-2.0
 *
 * Driver results as wire answers. The sentence names what was being done and what the driver
 * said, because that is all that a person far from the machine will see.
 */
#include "daemon/gpu/vulkan/result.h"
#include "daemon/gpu/answer.h"

static const struct {
	VkResult result;
	enum answer answer;
	const char *text;
} results[] = {
        {VK_ERROR_OUT_OF_HOST_MEMORY, ANSWER_OUT_OF_MEMORY, "the host is out of memory"},
        {VK_ERROR_OUT_OF_DEVICE_MEMORY, ANSWER_OUT_OF_MEMORY, "the device is out of memory"},
        {VK_ERROR_OUT_OF_POOL_MEMORY, ANSWER_OUT_OF_MEMORY, "a descriptor pool is exhausted"},
        {VK_ERROR_TOO_MANY_OBJECTS, ANSWER_OUT_OF_MEMORY, "the device allows no more allocations"},
        {VK_ERROR_DEVICE_LOST, ANSWER_DEVICE_LOST, "the device was lost"},
        {VK_ERROR_INITIALIZATION_FAILED, ANSWER_DRIVER, "the driver could not initialise"},
        {VK_ERROR_FEATURE_NOT_PRESENT, ANSWER_DRIVER, "the driver lacks a feature"},
        {VK_ERROR_EXTENSION_NOT_PRESENT, ANSWER_DRIVER, "the driver lacks an extension"},
        {VK_ERROR_INCOMPATIBLE_DRIVER, ANSWER_DRIVER, "the driver is too old"},
        {VK_ERROR_INVALID_SHADER_NV, ANSWER_DRIVER, "the driver refused the shader"},
        {VK_ERROR_UNKNOWN, ANSWER_DRIVER, "the driver failed for an unknown reason"},
};

int result_answer(VkResult result, const char *doing, struct error *err)
{
	if (result == VK_SUCCESS)
		return 0;
	for (size_t i = 0; i < sizeof results / sizeof *results; i++)
		if (results[i].result == result)
			return error_set(err, (int)results[i].answer, "",
			        "%s while %s (VkResult %d)", results[i].text, doing, result);
	return error_set(
	        err, ANSWER_DRIVER, "", "the driver answered VkResult %d while %s", result, doing);
}
