/* SPDX-License-Identifier: Apache-2.0
 *
 * Artifacts as JSON values, for who takes them apart or puts them into larger answers. Whoever
 * only passes a kernel on asks protocol/artifact for its text.
 */
#pragma once

#include "protocol/artifact/artifact.h"

#include <jansson.h>

/* As artifact_write and artifact_parts_write, with a new reference. */
int artifact_json(struct nnjit *nnjit, const struct artifact *artifact, json_t **ret_object);
int artifact_parts_json(
        struct nnjit *nnjit, const struct artifact_parts *parts, json_t **ret_object);
