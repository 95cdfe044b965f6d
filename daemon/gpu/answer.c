/* SPDX-License-Identifier: Apache-2.0
 *
 * Answers that several files give alike.
 */
#include "daemon/gpu/answer.h"

int answer_no_memory(const char *what, struct error *err)
{
	return error_set(err, ANSWER_OUT_OF_MEMORY, "", "no memory for %s", what);
}
