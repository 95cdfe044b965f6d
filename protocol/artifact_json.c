/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads the artifact's own text, written with every bit of its numbers: there is one writer of
 * artifacts, and values lose nothing.
 */
#include "protocol/artifact_json.h"

#include "base/cleanup.h"

#include <errno.h>

static int read_text(int written, const struct buffer *text, json_t **ret_object)
{
	json_t *object = written ? NULL : json_loadb(text->data, text->length, 0, NULL);

	if (object)
		*ret_object = object;
	return written ? written : object ? 0 : -ENOMEM;
}

int artifact_json(struct nnjit *nnjit, const struct artifact *artifact, json_t **ret_object)
{
	AUTO(buffer_free) struct buffer text = {0};
	int written = artifact_write(nnjit, artifact, ARTIFACT_ALL_DIGITS, &text);

	return read_text(written, &text, ret_object);
}

int artifact_parts_json(
        struct nnjit *nnjit, const struct artifact_parts *parts, json_t **ret_object)
{
	AUTO(buffer_free) struct buffer text = {0};
	int written = artifact_parts_write(nnjit, parts, ARTIFACT_ALL_DIGITS, &text);

	return read_text(written, &text, ret_object);
}
