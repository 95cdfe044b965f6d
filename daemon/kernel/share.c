/* SPDX-License-Identifier: Apache-2.0
 *
 * One tuning for all pages: a kernel tuned for pages with other features or limits serves this page
 * too, where its code gets by with what this page has. Must not serve a kernel that is not tuned.
 * Invariant: one look at what the store holds of the operator decides.
 */
#include "daemon/kernel/plans.h"

#include "space/space.h"

struct search {
	struct kernel_id *id; /* as asked; then of the best stored kernel so far */
	struct store_key own;
	struct limits limits; /* the page's */
	uint32_t found;       /* the key's features of the best so far */
	bool any;
};

/* Whether the kernel is tuned, and with a schedule that gets by with what the page has. */
static bool serves(const struct search *search, const struct store_kernel *kernel)
{
	struct schedule schedule;

	return kernel->finished && !kernel->naive && kernel->generation == nnjit_generation &&
	       !schedule_parse(kernel->schedule, &schedule, NULL) &&
	       !space_check(&search->id->op, &schedule, &search->limits, NULL);
}

/* The page's own goes first. Of others the greatest does: roughly the one with the most features
 * and the widest limits, whose kernel was chosen from more. */
static bool look(void *context, const struct store_key *key, const struct store_kernel *kernel)
{
	struct search *search = context;
	bool own = key->features == search->own.features;
	struct kernel_id id = *search->id;

	kernel_key_read(key, &id);
	if ((id.features & ~id.device->limits.features) ||
	        (!own && search->any && key->features < search->found) || !serves(search, kernel))
		return true;
	search->found = key->features;
	search->any = true;
	*search->id = id;
	return !own;
}

void kernel_share(struct store *store, struct kernel_id *id)
{
	struct search search = {.id = id, .own = kernel_key(id), .limits = tune_limits(id)};
	char text[OP_TEXT_BYTES];

	op_print(&id->op, text);
	(void)store_each_variant(store, &search.own, text, look, &search);
	if (!search.any)
		kernel_key_read(&search.own, id);
}
