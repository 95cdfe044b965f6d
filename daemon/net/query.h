/* SPDX-License-Identifier: Apache-2.0
 *
 * The query of a request's target as a method's parameters.
 */
#pragma once

#include "daemon/net/head.h"

#include <jansson.h>

/* What stands behind the first ?, decoded (URL standard, 5.1): an object of texts. 0 with a new
 * reference, or a problem_code: a name given twice, bytes that are no text in UTF-8, a bad %. */
int query_params(struct head_text target, json_t **ret_params, struct problem *ret_problem);
