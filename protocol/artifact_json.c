/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads the artifact's own text, written with every bit of its numbers: there is one writer of
 * artifacts, and values lose nothing.
 */
#include "protocol/artifact_json.h"

#include "base/cleanup.h"

#include <errno.h>

int artifact_value(const struct buffer *text, json_t **ret_object)
{
	json_t *object = json_loadb(text->data, text->length, 0, NULL);

	if (!object)
		return -ENOMEM;
	*ret_object = object;
	return 0;
}

int artifact_json(struct nnjit *nnjit, const struct artifact *artifact, json_t **ret_object)
{
	AUTO(buffer_free) struct buffer text = {0};
	int r = artifact_write(nnjit, artifact, ARTIFACT_ALL_DIGITS, &text);

	return r ? r : artifact_value(&text, ret_object);
}
