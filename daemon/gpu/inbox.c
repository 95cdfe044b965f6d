/* SPDX-License-Identifier: Apache-2.0
 *
 * Looking at the next request. Must not know what a request is for. Invariant: whether or not one
 * was looked at, requests are taken in the order in which they came.
 */
#include "daemon/gpu/inbox.h"

#include <poll.h>
#include <string.h>

void inbox_free(struct inbox *inbox)
{
	json_decref(inbox->next);
	wire_free(&inbox->wire);
}

static void receive(struct inbox *inbox)
{
	inbox->outcome = wire_receive(&inbox->wire, inbox->fd, &inbox->next);
	inbox->looked = true;
}

int inbox_take(struct inbox *inbox, json_t **ret_request)
{
	if (!inbox->looked)
		receive(inbox);
	inbox->looked = false;
	if (!inbox->outcome)
		*ret_request = inbox->next;
	inbox->next = NULL;
	return inbox->outcome;
}

/* A line may have come together with the one before it. */
static bool is_there(const struct inbox *inbox)
{
	struct pollfd poller = {.fd = inbox->fd, .events = POLLIN};
	const struct wire *wire = &inbox->wire;

	return (wire->length && memchr(wire->data, '\n', wire->length)) || poll(&poller, 1, 0) > 0;
}

const json_t *inbox_look(struct inbox *inbox)
{
	if (!inbox->looked && is_there(inbox))
		receive(inbox);
	return inbox->next;
}
