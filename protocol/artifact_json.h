/* SPDX-License-Identifier: Apache-2.0
 *
 * Artifacts as JSON values, for who takes them apart or puts them into larger answers. Whoever
 * only passes a kernel on asks protocol/artifact for its text.
 */
#pragma once

#include "protocol/artifact/artifact.h"

#include <jansson.h>

/* The value of what artifact_write or artifact_parts_write wrote with ARTIFACT_ALL_DIGITS: 0 with a
 * new reference, or -ENOMEM. */
int artifact_value(const struct buffer *text, json_t **ret_object);
/* Both in one. */
int artifact_json(struct nnjit *nnjit, const struct artifact *artifact, json_t **ret_object);
