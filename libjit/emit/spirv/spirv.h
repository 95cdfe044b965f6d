/* SPDX-License-Identifier: Apache-2.0
 *
 * The SPIR-V emitters: SPIR-V 1.3 for Vulkan 1.1, words in little-endian order.
 */
#pragma once

#include "emit/emit.h"

/* As a native program would have it. */
nnjit_emitter emit_spirv;
/* As Tint makes it of the WGSL, for drivers with robustBufferAccess2: indices of workgroup memory
 * are clamped unless they are proved in bounds, workgroup memory is zeroed; divisors, shift counts
 * and NaNs are guarded. */
nnjit_emitter emit_spirv_web;
/* The same for drivers without robustBufferAccess2: indices of storage are clamped, too. */
nnjit_emitter emit_spirv_web_clamped;
