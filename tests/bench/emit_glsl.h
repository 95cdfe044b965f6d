/* SPDX-License-Identifier: Apache-2.0
 *
 * GLSL 4.50 of a module, for shaderc: the conventional path, to compare with.
 */
#pragma once

#include "emit/emit.h"

/* -ENOTSUP for cooperative matrices, which the shaderc of Debian 12 does not know. */
nnjit_emitter emit_glsl;
