/* SPDX-License-Identifier: Apache-2.0
 *
 * Answers plans as text. Tuned answers are kept as they are, because they are what pages ask for
 * again and again. Invariant: what an origin's reports may have settled is never kept.
 */
#include "daemon/kernel/plans.h"
#include "daemon/kernel/text_cache.h"

#include <errno.h>
#include <string.h>

int plans_create(struct tune *tune, struct store *store, struct plans **ret_plans)
{
	struct plans *plans = calloc(1, sizeof *plans);

	if (!plans)
		return -ENOMEM;
	plans->tune = tune;
	plans->store = store;
	int r = nnjit_create(&plans->nnjit);
	if (!r)
		r = text_cache_create(&plans->cache);
	if (r) {
		plans_destroy(plans);
		return r;
	}
	*ret_plans = plans;
	return 0;
}

void plans_destroy(struct plans *plans)
{
	if (!plans)
		return;
	text_cache_destroy(plans->cache);
	nnjit_destroy(plans->nnjit);
	buffer_free(&plans->text);
	free(plans);
}

/* ---- Text. */

/* Whether the origin reported of this kernel: what that may settle is not for everybody. */
static bool has_reports(struct plans *plans, const struct plan_params *params,
        const struct text_value *served, const char *op_text)
{
	struct kernel_id id = params->id;
	struct store_reports reports;

	id.features = served->features;
	id.tier = served->tier;
	const struct store_key key = kernel_key(&id);
	return params->origin &&
	       !store_get_reports(plans->store, params->origin, &key, op_text, &reports);
}

/* What is known now, kept under `key` if it is tuned and for everybody. */
static int make_text(struct plans *plans, const struct plan *plan, const struct text_key *key,
        struct text_value *ret_value, struct problem *ret_problem)
{
	const struct kernel_id *first = &plan->kernels[0].id;
	struct text_value value = {.features = first->features, .tier = first->tier};
	struct served served;
	int r = serve(plans, plan, &served, ret_problem);

	buffer_clear(&plans->text);
	if (!r)
		r = served_write(plans, &served, ARTIFACT_DIGITS, &plans->text, ret_problem);
	if (r)
		return r;
	serve_queue(plans, plan, &served);
	value.text = plans->text.data;
	value.length = plans->text.length;
	if (served.whole.status == ARTIFACT_TUNED && plan->way_count == 1 &&
	        !has_reports(plans, &plan->params, &value, key->op))
		text_cache_put(plans->cache, key, &value);
	*ret_value = value;
	return 0;
}

int plan_text(struct plans *plans, const struct plan_params *params, const char **ret_text,
        size_t *ret_length, struct problem *ret_problem)
{
	char op_text[OP_TEXT_BYTES];
	struct text_value value;
	struct plan plan;
	int r = 0;

	op_print(&params->id.op, op_text);
	const struct text_key key = {op_text, params->id.device->id, params->id.features,
	        params->id.tier, params->binding_bytes, params->target, (uint64_t)params->runs,
	        tune_version(plans->tune), params->id.audience};
	if (params->constant || !text_cache_get(plans->cache, &key, &value) ||
	        has_reports(plans, params, &value, op_text)) {
		r = plan_read(plans, params, &plan, ret_problem);
		if (!r)
			r = make_text(plans, &plan, &key, &value, ret_problem);
	}
	if (r)
		return r;
	*ret_text = value.text;
	*ret_length = value.length;
	return 0;
}
