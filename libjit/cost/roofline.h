/* SPDX-License-Identifier: Apache-2.0
 *
 * The roofline (Williams et al., CACM 2009): the least time an operator can take on a device.
 */
#pragma once

#include "device/limits.h"
#include "op/op.h"

/* What no schedule can beat on this device, as far as its facts say: launch, arithmetic, memory,
 * whichever takes longest. Only bounds that hold are counted, so it may be far below what is
 * possible: arithmetic counts where all tensors are f32 (other types may run on other units),
 * memory where the tensors are too many bytes to stay in a cache. Of a dynamic operator the mean
 * over op_points. */
double roofline_ns(const struct op *op, const struct facts *facts);
