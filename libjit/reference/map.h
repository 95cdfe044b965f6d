/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the files of the maps' meaning.
 */
#pragma once

#include "reference/reference.h"

reference_of reference_resize, reference_window;
