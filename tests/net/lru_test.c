/* SPDX-License-Identifier: Apache-2.0
 *
 * The answer cache: bounds by count and by bytes, the order in which entries leave, and versions.
 * Every value put must be released exactly once.
 */
#include "daemon/net/lru.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int alive;

static int *value(int number)
{
	int *v = malloc(sizeof *v);

	ck_assert_ptr_nonnull(v);
	*v = number;
	alive++;
	return v;
}

static void release(void *v)
{
	alive--;
	free(v);
}

static struct lru *create(uint32_t entries, size_t bytes)
{
	const struct lru_options options = {entries, bytes, release};
	struct lru *lru;

	alive = 0;
	ck_assert_int_eq(lru_create(&options, &lru), 0);
	return lru;
}

static int put(struct lru *lru, uint64_t version, const char *key, int number, size_t bytes)
{
	return lru_put(lru, &(struct lru_key){version, key, strlen(key)}, value(number), bytes);
}

static int get(struct lru *lru, uint64_t version, const char *key)
{
	const int *v = lru_get(lru, &(struct lru_key){version, key, strlen(key)});

	return v ? *v : -1;
}

START_TEST(oldest_leaves)
{
	struct lru *lru = create(2, 1000);

	put(lru, 1, "a", 1, 10);
	put(lru, 1, "b", 2, 10);
	ck_assert_int_eq(get(lru, 1, "a"), 1); /* now b is the older */
	put(lru, 1, "c", 3, 10);
	ck_assert_int_eq(get(lru, 1, "b"), -1);
	ck_assert_int_eq(get(lru, 1, "a"), 1);
	ck_assert_int_eq(get(lru, 1, "c"), 3);
	put(lru, 1, "a", 4, 10);
	ck_assert_int_eq(get(lru, 1, "a"), 4);
	ck_assert_int_eq(alive, 2);
	lru_destroy(lru);
	ck_assert_int_eq(alive, 0);
}
END_TEST

START_TEST(bytes_bound)
{
	struct lru *lru = create(100, 100);

	put(lru, 1, "a", 1, 50);
	put(lru, 1, "b", 2, 40);
	ck_assert_int_eq(alive, 2);
	put(lru, 1, "c", 3, 40);
	ck_assert_int_eq(get(lru, 1, "a"), -1);
	ck_assert_int_eq(get(lru, 1, "b"), 2);
	ck_assert_int_eq(put(lru, 1, "d", 4, 200), -ENOMEM);
	ck_assert_int_eq(get(lru, 1, "b"), 2);
	lru_destroy(lru);
	ck_assert_int_eq(alive, 0);
}
END_TEST

START_TEST(version_empties)
{
	struct lru *lru = create(100, 1000);

	put(lru, 1, "a", 1, 10);
	put(lru, 1, "b", 2, 10);
	ck_assert_int_eq(get(lru, 2, "a"), -1);
	ck_assert_int_eq(alive, 0);
	put(lru, 2, "a", 3, 10);
	ck_assert_int_eq(get(lru, 2, "a"), 3);
	lru_destroy(lru);
	ck_assert_int_eq(alive, 0);
}
END_TEST

START_TEST(many_keys)
{
	struct lru *lru = create(256, 1 << 20);
	char key[16];

	for (int i = 0; i < 5000; i++) {
		snprintf(key, sizeof key, "key%d", i);
		put(lru, 1, key, i, 10);
	}
	for (int i = 0; i < 5000; i++) {
		snprintf(key, sizeof key, "key%d", i);
		ck_assert_int_eq(get(lru, 1, key), i < 5000 - 256 ? -1 : i);
	}
	lru_destroy(lru);
	ck_assert_int_eq(alive, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lru");
	TCase *tcase = tcase_create("lru");

	tcase_add_test(tcase, oldest_leaves);
	tcase_add_test(tcase, bytes_bound);
	tcase_add_test(tcase, version_empties);
	tcase_add_test(tcase, many_keys);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
