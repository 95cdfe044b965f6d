/* SPDX-License-Identifier: Apache-2.0
 *
 * The requests that come in, in order; the next one can be looked at before it is taken.
 */
#pragma once

#include "protocol/wire/wire.h"

/* Zero-initialise but for fd, a stream socket; inbox_free at the end. */
struct inbox {
	int fd;
	struct wire wire;
	bool looked;  /* the next one was received: what came of that is */
	int outcome;  /* as of wire_receive */
	json_t *next; /* owned; NULL unless outcome is 0 */
};
void inbox_free(struct inbox *inbox);

/* Waits for the next request. What wire_receive returns. */
int inbox_take(struct inbox *inbox, json_t **ret_request);
/* The request that inbox_take returns next, until then; NULL where none is there yet. Does not wait
 * but for the rest of a line whose beginning is there. */
const json_t *inbox_look(struct inbox *inbox);
