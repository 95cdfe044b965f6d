/* SPDX-License-Identifier: Apache-2.0
 *
 * One tuning for all pages: a kernel tuned for pages with other features serves this page too,
 * where its code gets by with the features that this page has. Must not serve a kernel that is not
 * tuned. Invariant: one look at what the store holds of the operator decides.
 */
#include "daemon/kernel/plans.h"

#include "space/space.h"

struct search {
	const struct kernel_id *id;
	uint32_t all, own; /* the device's features; of those the page's */
	uint32_t found;    /* features of the best stored kernel so far */
	bool any;
};

/* Whether the kernel is tuned, and with a schedule that gets by with the page's features. */
static bool serves(const struct search *search, const struct store_kernel *kernel)
{
	struct schedule schedule;
	struct geometry geometry;

	return kernel->finished && !kernel->naive && kernel->generation == nnjit_generation &&
	       !schedule_parse(kernel->schedule, &schedule, NULL) &&
	       !space_geometry(&search->id->op, &schedule, &geometry, NULL) &&
	       !(geometry.features & ~search->own);
}

/* The page's own set goes first. Of others the greatest does: roughly the one with the most
 * features, whose kernel was chosen from more. */
static bool look(void *context, const struct store_key *key, const struct store_kernel *kernel)
{
	struct search *search = context;
	bool own = key->features == search->own;

	if ((key->features & ~search->all) ||
	        (!own && search->any && key->features < search->found) || !serves(search, kernel))
		return true;
	search->found = key->features;
	search->any = true;
	return !own;
}

uint32_t kernel_features(struct store *store, const struct kernel_id *id)
{
	const struct store_key key = kernel_key(id);
	struct search search = {.id = id,
	        .all = id->device->limits.features,
	        .own = key.features,
	        .found = key.features};
	char text[OP_TEXT_BYTES];

	op_print(&id->op, text);
	(void)store_each_variant(store, &key, text, look, &search);
	return search.found;
}
