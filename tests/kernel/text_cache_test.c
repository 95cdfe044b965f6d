/* SPDX-License-Identifier: Apache-2.0
 *
 * The cache of ready artifacts gives back what was put under exactly this key, or
 * nothing.
 */
#include "daemon/kernel/text_cache.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const struct text_key key = {"matmul m=1 n=1 k=1", 7, 0, 0, 0, TARGET_WGSL, 0, 5, 0};

static void put(
        struct text_cache *cache, const struct text_key *under, const char *text, size_t length)
{
	text_cache_put(cache, under, &(struct text_value){text, length, 3, 0});
}

/* NULL: nothing is there. */
static const char *get(const struct text_cache *cache, const struct text_key *under, size_t *length)
{
	struct text_value value;

	if (!text_cache_get(cache, under, &value))
		return NULL;
	ck_assert_uint_eq(value.features, 3);
	*length = value.length;
	return value.text;
}

static struct text_cache *filled(void)
{
	struct text_cache *cache;

	ck_assert_int_eq(text_cache_create(&cache), 0);
	put(cache, &key, "{text}", 6);
	return cache;
}

START_TEST(gives_back_what_was_put)
{
	struct text_cache *cache = filled();
	size_t length = 0;
	const char *text = get(cache, &key, &length);

	ck_assert_ptr_nonnull(text);
	ck_assert_uint_eq(length, 6);
	ck_assert_str_eq(text, "{text}");
	struct text_key newer = key;
	newer.version = 6;
	put(cache, &newer, "{newer}", 7);
	ck_assert_ptr_null(get(cache, &key, &length));
	ck_assert_str_eq(get(cache, &newer, &length), "{newer}");
	text_cache_destroy(cache);
}
END_TEST

START_TEST(every_part_of_the_key_counts)
{
	static const struct text_key others[] = {
	        {"matmul m=1 n=1 k=2", 7, 0, 0, 0, TARGET_WGSL, 0, 5, 0},
	        {"matmul m=1 n=1 k=1", 8, 0, 0, 0, TARGET_WGSL, 0, 5, 0},
	        {"matmul m=1 n=1 k=1", 7, 1, 0, 0, TARGET_WGSL, 0, 5, 0},
	        {"matmul m=1 n=1 k=1", 7, 0, 1, 0, TARGET_WGSL, 0, 5, 0},
	        {"matmul m=1 n=1 k=1", 7, 0, 0, 1, TARGET_WGSL, 0, 5, 0},
	        {"matmul m=1 n=1 k=1", 7, 0, 0, 0, TARGET_SPIRV, 0, 5, 0},
	        {"matmul m=1 n=1 k=1", 7, 0, 0, 0, TARGET_WGSL, 1, 5, 0},
	        {"matmul m=1 n=1 k=1", 7, 0, 0, 0, TARGET_WGSL, 0, 4, 0},
	        {"matmul m=1 n=1 k=1", 7, 0, 0, 0, TARGET_WGSL, 0, 5, 1},
	};
	struct text_cache *cache = filled();
	size_t length = 99;

	ck_assert_ptr_null(get(cache, &others[_i], &length));
	ck_assert_uint_eq(length, 99);
	text_cache_destroy(cache);
}
END_TEST

START_TEST(many_keys_never_mix)
{
	struct text_cache *cache = filled();
	size_t length, kept = 0;
	char op[64];

	for (int i = 0; i < 2000; i++) {
		snprintf(op, sizeof op, "matmul m=%d n=1 k=1", i + 1);
		put(cache, &(struct text_key){op, 7, 0, 0, 0, TARGET_WGSL, 0, 5, 0}, op,
		        strlen(op));
	}
	for (int i = 0; i < 2000; i++) {
		snprintf(op, sizeof op, "matmul m=%d n=1 k=1", i + 1);
		const char *text = get(
		        cache, &(struct text_key){op, 7, 0, 0, 0, TARGET_WGSL, 0, 5, 0}, &length);
		if (text)
			ck_assert_str_eq(text, op);
		kept += text != NULL;
	}
	ck_assert_uint_gt(kept, 100);
	text_cache_destroy(cache);
	text_cache_destroy(NULL);
}
END_TEST

START_TEST(what_is_too_large_is_not_kept_and_drops_what_was_there)
{
	struct text_cache *cache = filled();
	size_t length, bytes = 1u << 20;
	char *large = malloc(bytes);

	ck_assert_ptr_nonnull(large);
	memset(large, 'x', bytes);
	put(cache, &key, large, bytes);
	ck_assert_ptr_null(get(cache, &key, &length));
	free(large);
	text_cache_destroy(cache);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("text_cache");
	TCase *tests = tcase_create("cache");

	tcase_add_test(tests, gives_back_what_was_put);
	tcase_add_loop_test(tests, every_part_of_the_key_counts, 0, 8);
	tcase_add_test(tests, many_keys_never_mix);
	tcase_add_test(tests, what_is_too_large_is_not_kept_and_drops_what_was_there);
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
