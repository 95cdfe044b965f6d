/* SPDX-License-Identifier: Apache-2.0
 *
 * The cache of ready artifacts gives back what was put under exactly this key and version, or
 * nothing.
 */
#include "daemon/api/kernel_cache.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const struct kernel_cache_key key = {"matmul m=1 n=1 k=1", 7, 0, TARGET_WGSL, 0};

static struct kernel_cache *filled(void)
{
	struct kernel_cache *cache;

	ck_assert_int_eq(kernel_cache_create(&cache), 0);
	kernel_cache_put(cache, &key, 5, "{text}", 6);
	return cache;
}

START_TEST(gives_back_what_was_put)
{
	struct kernel_cache *cache = filled();
	size_t length = 0;
	const char *text = kernel_cache_get(cache, &key, 5, &length);

	ck_assert_ptr_nonnull(text);
	ck_assert_uint_eq(length, 6);
	ck_assert_str_eq(text, "{text}");
	kernel_cache_put(cache, &key, 6, "{newer}", 7);
	ck_assert_ptr_null(kernel_cache_get(cache, &key, 5, &length));
	ck_assert_str_eq(kernel_cache_get(cache, &key, 6, &length), "{newer}");
	kernel_cache_destroy(cache);
}
END_TEST

START_TEST(every_part_of_the_key_counts)
{
	static const struct kernel_cache_key others[] = {
	        {"matmul m=1 n=1 k=2", 7, 0, TARGET_WGSL, 0},
	        {"matmul m=1 n=1 k=1", 8, 0, TARGET_WGSL, 0},
	        {"matmul m=1 n=1 k=1", 7, 1, TARGET_WGSL, 0},
	        {"matmul m=1 n=1 k=1", 7, 0, TARGET_SPIRV, 0},
	};
	struct kernel_cache *cache = filled();
	size_t length = 99;

	ck_assert_ptr_null(kernel_cache_get(cache, &others[_i], 5, &length));
	ck_assert_ptr_null(kernel_cache_get(cache, &key, 4, &length));
	ck_assert_uint_eq(length, 99);
	kernel_cache_destroy(cache);
}
END_TEST

START_TEST(many_keys_never_mix)
{
	struct kernel_cache *cache = filled();
	size_t length, kept = 0;
	char op[64];

	for (int i = 0; i < 2000; i++) {
		snprintf(op, sizeof op, "matmul m=%d n=1 k=1", i + 1);
		kernel_cache_put(cache, &(struct kernel_cache_key){op, 7, 0, TARGET_WGSL, 0}, 5, op,
		        strlen(op));
	}
	for (int i = 0; i < 2000; i++) {
		snprintf(op, sizeof op, "matmul m=%d n=1 k=1", i + 1);
		const char *text = kernel_cache_get(
		        cache, &(struct kernel_cache_key){op, 7, 0, TARGET_WGSL, 0}, 5, &length);
		if (text)
			ck_assert_str_eq(text, op);
		kept += text != NULL;
	}
	ck_assert_uint_gt(kept, 100);
	kernel_cache_destroy(cache);
	kernel_cache_destroy(NULL);
}
END_TEST

START_TEST(what_is_too_large_is_not_kept_and_drops_what_was_there)
{
	struct kernel_cache *cache = filled();
	size_t length, bytes = 1u << 20;
	char *large = malloc(bytes);

	ck_assert_ptr_nonnull(large);
	memset(large, 'x', bytes);
	kernel_cache_put(cache, &key, 5, large, bytes);
	ck_assert_ptr_null(kernel_cache_get(cache, &key, 5, &length));
	free(large);
	kernel_cache_destroy(cache);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("kernel_cache");
	TCase *tests = tcase_create("kernel_cache");

	tcase_add_test(tests, gives_back_what_was_put);
	tcase_add_loop_test(tests, every_part_of_the_key_counts, 0, 4);
	tcase_add_test(tests, many_keys_never_mix);
	tcase_add_test(tests, what_is_too_large_is_not_kept_and_drops_what_was_there);
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
