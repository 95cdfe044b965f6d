/* SPDX-License-Identifier: Apache-2.0
 *
 * What SPV_KHR_cooperative_matrix (revision 10) and SPV_KHR_vulkan_memory_model add to SPIR-V:
 * numbers that SPIR-V headers before 1.3.250 lack, each beside the section that defines it.
 */
#pragma once

enum {
	/* "3.31 Capabilities" of both. */
	SPIRV_CAPABILITY_VULKAN_MEMORY_MODEL = 5345,
	SPIRV_CAPABILITY_COOPERATIVE_MATRIX = 6022,
	/* "3.42.6 Type-Declaration", "3.42.8 Memory", "3.42.13 Arithmetic Instructions". */
	SPIRV_OP_TYPE_COOPERATIVE_MATRIX = 4456,
	SPIRV_OP_COOPERATIVE_MATRIX_LOAD = 4457,
	SPIRV_OP_COOPERATIVE_MATRIX_STORE = 4458,
	SPIRV_OP_COOPERATIVE_MATRIX_MUL_ADD = 4459,
	/* "Cooperative Matrix Layout". */
	SPIRV_LAYOUT_ROW_MAJOR = 0,
	SPIRV_LAYOUT_COLUMN_MAJOR = 1,
	/* "Cooperative Matrix Use". */
	SPIRV_USE_A = 0,
	SPIRV_USE_B = 1,
	SPIRV_USE_ACCUMULATOR = 2,
	/* "Memory Model", "Memory Semantics" and "Memory Operands" of SPV_KHR_vulkan_memory_model:
	 * what a barrier orders under that model must say so at each access. */
	SPIRV_MEMORY_MODEL_VULKAN = 3,
	SPIRV_SEMANTICS_MAKE_AVAILABLE = 0x2000,
	SPIRV_SEMANTICS_MAKE_VISIBLE = 0x4000,
	SPIRV_MEMORY_NON_PRIVATE = 0x20,
};
