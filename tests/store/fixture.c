/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/store/fixture.h"

#include <check.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>

char folder[64];

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

void folder_make(void)
{
	snprintf(folder, sizeof folder, "/tmp/nnjit-store-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
}

void folder_remove(void)
{
	nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

struct store *open_here(void)
{
	struct store *store = NULL;
	struct error err = {0};

	ck_assert_msg(store_open(folder, &store, &err) == 0, "%s", err.text);
	return store;
}

const struct store_key key_a = {0x1122334455667788, 0xd1, 0x99aabbccddeeff00, 1};

struct store_kernel kernel_make(const char *op, uint32_t n)
{
	struct store_kernel kernel = {.generation = 3,
	        .finished = n % 2,
	        .measured = n,
	        .of = 64,
	        .median_ns = 1e6 / (n + 1),
	        .mad_ns = 12.5,
	        .baseline_ns = 3.25e6,
	        .samples = 48,
	        .wall_clock = n % 3 == 0,
	        .max_rel_err = 1e-7,
	        .checked = 4096,
	        .share = 0.25 + n % 4 * 0.25,
	        .updated_s = 1700000000 + n,
	        .pipeline_ns = 5.5e6,
	        .code_bytes = 1234 + n,
	        .naive = n % 5 == 0};

	snprintf(kernel.op, sizeof kernel.op, "%s", op);
	snprintf(kernel.schedule, sizeof kernel.schedule, "wg_x=8 wg_y=%u", n);
	return kernel;
}

void kernel_same(const struct store_kernel *a, const struct store_kernel *b)
{
	ck_assert_str_eq(a->op, b->op);
	ck_assert_str_eq(a->schedule, b->schedule);
	ck_assert_uint_eq(a->generation, b->generation);
	ck_assert_int_eq(a->finished, b->finished);
	ck_assert_uint_eq(a->measured, b->measured);
	ck_assert_uint_eq(a->of, b->of);
	ck_assert_double_eq(a->median_ns, b->median_ns);
	ck_assert_double_eq(a->mad_ns, b->mad_ns);
	ck_assert_double_eq(a->baseline_ns, b->baseline_ns);
	ck_assert_uint_eq(a->samples, b->samples);
	ck_assert_int_eq(a->wall_clock, b->wall_clock);
	ck_assert_double_eq(a->max_rel_err, b->max_rel_err);
	ck_assert_uint_eq(a->checked, b->checked);
	ck_assert_double_eq(a->share, b->share);
	ck_assert_uint_eq(a->updated_s, b->updated_s);
	ck_assert_double_eq(a->pipeline_ns, b->pipeline_ns);
	ck_assert_uint_eq(a->code_bytes, b->code_bytes);
	ck_assert_int_eq(a->naive, b->naive);
}

bool count_kernel(void *context, const struct store_key *key, const struct store_kernel *kernel)
{
	uint32_t *seen = context;

	ck_assert_uint_eq(key->op, kernel->measured);
	ck_assert_uint_eq(key->class, key_a.class);
	return ++*seen < 5;
}

bool collect(void *context, const struct store_trial *trial)
{
	struct trials *trials = context;

	trials->trial[trials->count++] = *trial;
	return trials->count < 64;
}

struct store_trial trial_make(uint32_t n, enum store_trial_state state)
{
	struct store_trial trial = {
	        .state = state, .median_ns = n, .mad_ns = 2, .pipeline_ns = 3e6, .samples = n};

	snprintf(trial.schedule, sizeof trial.schedule, "wg_x=%u", n);
	snprintf(trial.why, sizeof trial.why, "%s", state == STORE_TRIAL_TIMED ? "" : "because");
	return trial;
}
