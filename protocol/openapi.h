/* SPDX-License-Identifier: Apache-2.0
 *
 * The REST face as an OpenAPI 3.1 document, from the rows of methods.def and errors.def.
 */
#pragma once

#include <jansson.h>

/* A new reference, or NULL when memory ran out. */
json_t *openapi_json(const char *version);
