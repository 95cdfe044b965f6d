/* SPDX-License-Identifier: Apache-2.0
 *
 * What stands as text in a request, read. Each function is 0 and fills what it returns, or
 * ANSWER_BAD_REQUEST with a sentence that names the field.
 */
#pragma once

#include "base/error.h"
#include "nnjit.h"

int request_op(const char *text, struct op *ret_op, struct error *err);
int request_schedule(const char *text, struct schedule *ret_schedule, struct error *err);
