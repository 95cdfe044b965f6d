/* SPDX-License-Identifier: Apache-2.0
 *
 * The WGSL emitter (W3C, "WebGPU Shading Language").
 */
#pragma once

#include "emit/emit.h"

/* Text that Dawn accepts without a warning. Pure values that are used once stand inline. */
nnjit_emitter emit_wgsl;
