/* SPDX-License-Identifier: Apache-2.0
 *
 * The pages of LMDB 0.9, data version 1, on little-endian machines of 64 bits, as mdb.c declares
 * them. Numbers are read where they lie and checked before they are used. Must not call LMDB.
 * Invariant: each page is visited once, so the walk ends whatever the pages say.
 *
 *   page 0, 1   | header 16 | meta: magic, version, address, size, free tree, main tree, last, txn
 * | branch      | header 16: number, pad, flags, lower, upper | offsets -> ... free ... <- nodes |
 *   leaf        |                                             lower ^               ^ upper |
 *   overflow    | header 16: number, pad, flags, pages        | one value, over several pages |
 *   node        | low 2 | high 2 | flags 2 | key's bytes 2 | key | value |
 *
 * A branch's node says its child: low, high and flags are the page number. In a leaf, low and high
 * are the value's size, and the value is a tree (of a table), a number of an overflow page, or the
 * record itself. The free tree has lists of pages by the transaction that freed them.
 */
#include "daemon/store/pages.h"

#include <endian.h>
#include <errno.h>
#include <lmdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEADER       16u
#define NODE_HEADER  8u
#define META_END     (HEADER + 136u)
#define TREE_BYTES   48u
#define MAGIC        0xBEEFC0DEu
#define DATA_VERSION 1u
#define NO_PAGE      UINT64_MAX
#define DEPTH_MAX    32u
#define KEY_MAX      511u

enum { PAGE_BRANCH = 0x01, PAGE_LEAF = 0x02, PAGE_OVERFLOW = 0x04, PAGE_META = 0x08 };
enum { NODE_OVERFLOW = 0x01, NODE_TREE = 0x02 };
enum { FREE_TREE_FLAGS = 0x08 }; /* its keys are integers */

struct tree {
	uint32_t page_bytes; /* of the file; in the free tree alone */
	uint16_t flags, depth;
	uint64_t branches, leaves, overflows, entries, root;
};

struct meta {
	uint32_t magic, version;
	struct tree free, main;
	uint64_t last_page, transaction;
};

struct walk {
	const uint8_t *file;
	uint64_t pages; /* in use: 0 to last_page */
	uint32_t page_bytes;
	uint64_t transaction;
	uint8_t *visited; /* a bit a page */
	pages_each *each;
	void *context;
	char *why;
};

enum walk_of { OF_FREE, OF_MAIN, OF_TABLE };

/* One tree on its way down. */
struct branch {
	enum walk_of of;
	const char *table;
	uint16_t depth;
	struct tree counted;
	struct store_bytes last, least; /* key before; none may be less from here on */
};

__attribute__((format(printf, 2, 3))) static int damaged(struct walk *walk, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(walk->why, PAGES_WHY_BYTES, format, args);
	va_end(args);
	return PAGES_DAMAGED;
}

/* ---- Numbers where they lie. */

static uint16_t u16_at(const uint8_t *at)
{
	uint16_t value;

	memcpy(&value, at, sizeof value);
	return value;
}

static uint32_t u32_at(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof value);
	return value;
}

static uint64_t u64_at(const uint8_t *at)
{
	uint64_t value;

	memcpy(&value, at, sizeof value);
	return value;
}

static struct tree tree_at(const uint8_t *at)
{
	return (struct tree){u32_at(at), u16_at(at + 4), u16_at(at + 6), u64_at(at + 8),
	        u64_at(at + 16), u64_at(at + 24), u64_at(at + 32), u64_at(at + 40)};
}

static struct meta meta_at(const uint8_t *page)
{
	const uint8_t *at = page + HEADER;

	return (struct meta){u32_at(at), u32_at(at + 4), tree_at(at + 24),
	        tree_at(at + 24 + TREE_BYTES), u64_at(at + 24 + 2 * TREE_BYTES),
	        u64_at(at + 32 + 2 * TREE_BYTES)};
}

/* ---- Pages and nodes. */

/* `count` pages from `number` on, which nobody else has. */
static int take_pages(struct walk *walk, uint64_t number, uint64_t count)
{
	if (number < 2 || number >= walk->pages || count > walk->pages - number)
		return damaged(walk, "a page number beyond the end");
	for (uint64_t i = number; i < number + count; i++) {
		uint8_t bit = (uint8_t)(1u << (i % 8));
		if (walk->visited[i / 8] & bit)
			return damaged(walk, "page %llu is used twice", (unsigned long long)i);
		walk->visited[i / 8] |= bit;
	}
	return 0;
}

struct node {
	uint32_t low_high;
	uint16_t flags;
	struct store_bytes key;
	const uint8_t *value;
	uint32_t room; /* bytes from the value to the page's end */
};

/* 0 and the node at the offset, its key within the page. */
static int node_at(struct walk *walk, const uint8_t *page, uint32_t offset, struct node *ret_node)
{
	const uint8_t *at = page + offset;

	if (offset < u16_at(page + 14) || offset > walk->page_bytes - NODE_HEADER)
		return damaged(walk, "a node outside of its page");
	uint16_t key_bytes = u16_at(at + 6);
	uint32_t end = offset + NODE_HEADER + key_bytes;
	if (key_bytes > KEY_MAX || end > walk->page_bytes)
		return damaged(walk, "a key outside of its page");
	*ret_node = (struct node){(uint32_t)u16_at(at) | (uint32_t)u16_at(at + 2) << 16,
	        u16_at(at + 4), {at + NODE_HEADER, key_bytes}, page + end, walk->page_bytes - end};
	return 0;
}

/* LMDB's orders: integers in the free tree, else bytes with the shorter first. */
static int compare(const struct branch *branch, struct store_bytes a, struct store_bytes b)
{
	size_t least = a.bytes < b.bytes ? a.bytes : b.bytes;

	if (branch->of == OF_FREE) {
		uint64_t x = u64_at(a.data), y = u64_at(b.data);
		return x < y ? -1 : x > y;
	}
	int order = memcmp(a.data, b.data, least);
	return order ? order : a.bytes < b.bytes ? -1 : a.bytes > b.bytes;
}

static int check_key(struct walk *walk, struct branch *branch, struct store_bytes key)
{
	if (!key.bytes || (branch->of == OF_FREE && key.bytes != sizeof(uint64_t)))
		return damaged(walk, "a key of a wrong length");
	if ((branch->last.data && compare(branch, branch->last, key) >= 0) ||
	        (branch->least.data && compare(branch, branch->least, key) > 0))
		return damaged(walk, "keys out of order");
	branch->last = key;
	return 0;
}

/* ---- Values. */

static int walk_tree(
        struct walk *walk, const struct tree *tree, enum walk_of of, const char *table);

static int take_overflow(struct walk *walk, struct branch *branch, const struct node *node,
        struct store_bytes *ret_value)
{
	uint64_t number = u64_at(node->value), bytes = node->low_high;
	uint64_t needed = (HEADER - 1 + bytes) / walk->page_bytes + 1;

	if (number < 2 || number >= walk->pages)
		return damaged(walk, "a value beyond the end");
	const uint8_t *page = walk->file + number * walk->page_bytes;
	uint32_t count = u32_at(page + 12);
	if (u64_at(page) != number || u16_at(page + 10) != PAGE_OVERFLOW || count < needed)
		return damaged(walk, "page %llu is no value", (unsigned long long)number);
	branch->counted.overflows += count;
	*ret_value = (struct store_bytes){page + HEADER, bytes};
	return take_pages(walk, number, count);
}

/* What a transaction freed: the count, then page numbers, the highest first. */
static int take_free(struct walk *walk, struct store_bytes key, struct store_bytes list)
{
	const uint8_t *at = list.data;

	if (u64_at(key.data) > walk->transaction || list.bytes < 8 || list.bytes % 8)
		return damaged(walk, "a wrong list of free pages");
	uint64_t count = u64_at(at), last = NO_PAGE;
	if (count > list.bytes / 8 - 1)
		return damaged(walk, "a list of free pages that is too long");
	for (uint64_t i = 1; i <= count; i++) {
		uint64_t number = u64_at(at + 8 * i);
		int code = number < last ? take_pages(walk, number, 1)
		                         : damaged(walk, "free pages out of order");
		if (code)
			return code;
		last = number;
	}
	return 0;
}

static int take_table(struct walk *walk, const struct node *node, struct store_bytes value)
{
	char name[KEY_MAX + 1];

	if (node->flags != NODE_TREE || value.bytes != TREE_BYTES)
		return damaged(walk, "a table that is none");
	memcpy(name, node->key.data, node->key.bytes);
	name[node->key.bytes] = '\0';
	struct tree tree = tree_at(value.data);
	return walk_tree(walk, &tree, OF_TABLE, name);
}

static int take_value(struct walk *walk, struct branch *branch, const struct node *node)
{
	struct store_bytes value = {node->value, node->low_high};
	int code = 0;

	branch->counted.entries++;
	if (branch->of == OF_MAIN)
		return take_table(walk, node, value);
	if (node->flags == NODE_OVERFLOW)
		code = take_overflow(walk, branch, node, &value);
	else if (node->flags)
		code = damaged(walk, "a node of no known kind");
	if (!code && branch->of == OF_FREE)
		code = take_free(walk, node->key, value);
	else if (!code)
		walk->each(walk->context, branch->table, node->key, value);
	return code;
}

/* ---- Trees. */

/* What the node takes of its page. Its value lies in the page, or 0. */
static uint32_t node_bytes(const struct node *node, bool leaf)
{
	uint64_t value = !leaf ? 0 : node->flags & NODE_OVERFLOW ? 8 : node->low_high;

	if (value > node->room)
		return 0;
	return (uint32_t)((NODE_HEADER + node->key.bytes + value + 1) & ~1ull);
}

static int walk_page(struct walk *walk, struct branch *branch, uint64_t number, uint16_t depth);

/* The first key of a branch page stands for all that are less: it has none. */
static int walk_child(struct walk *walk, struct branch *branch, const struct node *node, bool first,
        uint16_t depth)
{
	uint64_t child = node->low_high | (uint64_t)node->flags << 32;
	struct store_bytes before = branch->last;

	if (!first) {
		int code = check_key(walk, branch, node->key);
		if (code)
			return code;
		branch->last = before;
		branch->least = node->key;
	}
	return walk_page(walk, branch, child, depth);
}

static int walk_nodes(struct walk *walk, struct branch *branch, const uint8_t *page, uint16_t depth)
{
	bool leaf = u16_at(page + 10) == PAGE_LEAF;
	uint32_t count = (u16_at(page + 12) - HEADER) / 2, used = 0;
	struct node node;

	for (uint32_t i = 0; i < count; i++) {
		int code = node_at(walk, page, u16_at(page + HEADER + 2 * i), &node);
		if (code)
			return code;
		uint32_t bytes = node_bytes(&node, leaf);
		if (!bytes)
			return damaged(walk, "a value outside of its page");
		used += bytes;
		if (leaf)
			code = check_key(walk, branch, node.key);
		if (!code)
			code = leaf ? take_value(walk, branch, &node)
			            : walk_child(walk, branch, &node, !i, depth + 1);
		if (code)
			return code;
	}
	if (used != walk->page_bytes - u16_at(page + 14))
		return damaged(walk, "nodes that lie one over the other");
	return 0;
}

static int walk_page(struct walk *walk, struct branch *branch, uint64_t number, uint16_t depth)
{
	int code = take_pages(walk, number, 1);

	if (code)
		return code;
	const uint8_t *page = walk->file + number * walk->page_bytes;
	uint16_t flags = u16_at(page + 10), lower = u16_at(page + 12), upper = u16_at(page + 14);
	bool leaf = depth == branch->depth;
	if (u64_at(page) != number || flags != (leaf ? PAGE_LEAF : PAGE_BRANCH))
		return damaged(
		        walk, "page %llu is not what it must be", (unsigned long long)number);
	if (lower <= HEADER || lower % 2 || lower > upper || upper > walk->page_bytes)
		return damaged(walk, "page %llu has no sound head", (unsigned long long)number);
	if (!leaf && branch->of != OF_FREE && lower < HEADER + 4)
		return damaged(walk, "page %llu branches to one", (unsigned long long)number);
	if (leaf)
		branch->counted.leaves++;
	else
		branch->counted.branches++;
	return walk_nodes(walk, branch, page, depth);
}

static int walk_tree(struct walk *walk, const struct tree *tree, enum walk_of of, const char *table)
{
	struct branch branch = {.of = of, .table = table, .depth = tree->depth};
	const struct tree *counted = &branch.counted;

	if (tree->flags != (of == OF_FREE ? FREE_TREE_FLAGS : 0) || tree->depth > DEPTH_MAX ||
	        !tree->depth != (tree->root == NO_PAGE))
		return damaged(walk, "a tree without a sound head");
	int code = tree->depth ? walk_page(walk, &branch, tree->root, 1) : 0;
	if (!code &&
	        (counted->branches != tree->branches || counted->leaves != tree->leaves ||
	                counted->overflows != tree->overflows || counted->entries != tree->entries))
		code = damaged(walk, "a tree that does not have what it counts");
	return code;
}

/* ---- The file. */

static int check_metas(struct walk *walk, size_t bytes, struct meta *ret_meta)
{
	struct meta metas[2];
	uint32_t page_bytes;

	if (bytes < META_END)
		return damaged(walk, "%zu bytes are no database", bytes);
	page_bytes = tree_at(walk->file + HEADER + 24).page_bytes;
	if (page_bytes < 512 || page_bytes > 65536 || page_bytes & (page_bytes - 1) ||
	        bytes < page_bytes + META_END)
		return damaged(walk, "its head says no page size");
	for (uint32_t i = 0; i < 2; i++) {
		const uint8_t *page = walk->file + i * page_bytes;
		metas[i] = meta_at(page);
		if (u64_at(page) != i || u16_at(page + 10) != PAGE_META || metas[i].magic != MAGIC)
			return damaged(walk, "head %u is none", i);
		if (metas[i].version != DATA_VERSION)
			return damaged(walk, "LMDB's format %u is unknown", metas[i].version);
		if (metas[i].free.page_bytes != page_bytes)
			return damaged(walk, "its heads differ");
	}
	*ret_meta = metas[metas[0].transaction < metas[1].transaction];
	walk->page_bytes = page_bytes;
	walk->pages = ret_meta->last_page + 1;
	walk->transaction = ret_meta->transaction;
	if (!walk->pages || walk->pages > bytes / page_bytes)
		return damaged(walk, "%zu bytes are not all of it", bytes);
	return 0;
}

static int check(struct walk *walk, size_t bytes)
{
	struct meta meta;
	int code = check_metas(walk, bytes, &meta);

	if (code)
		return code;
	walk->visited = calloc(walk->pages / 8 + 1, 1);
	if (!walk->visited)
		return -ENOMEM;
	code = walk_tree(walk, &meta.main, OF_MAIN, "");
	if (!code)
		code = walk_tree(walk, &meta.free, OF_FREE, "");
	free(walk->visited);
	return code;
}

int pages_check(const void *file, size_t bytes, pages_each *each, void *context,
        char ret_why[static PAGES_WHY_BYTES])
{
	struct walk walk = {.file = file, .each = each, .context = context, .why = ret_why};
	bool known = MDB_VERSION_MAJOR == 0 && MDB_VERSION_MINOR == 9 && sizeof(size_t) == 8 &&
	             BYTE_ORDER == LITTLE_ENDIAN;

	return known ? check(&walk, bytes) : PAGES_UNKNOWN;
}

uint64_t pages_transaction(int fd)
{
	uint8_t head[65536 + META_END];
	ssize_t bytes = pread(fd, head, sizeof head, 0);
	uint32_t page_bytes;

	if (bytes < (ssize_t)META_END)
		return 0;
	page_bytes = tree_at(head + HEADER + 24).page_bytes;
	if (page_bytes < 512 || page_bytes > 65536 || bytes < (ssize_t)(page_bytes + META_END))
		return 0;
	uint64_t first = meta_at(head).transaction, second = meta_at(head + page_bytes).transaction;
	return first < second ? second : first;
}
