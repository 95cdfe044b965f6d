/* SPDX-License-Identifier: Apache-2.0
 *
 * Stable 64-bit hashes: the same bytes give the same value on every machine and in every
 * release, so values may be stored. FNV-1a (Fowler, Noll, Vo) for text, a murmur3 finaliser to
 * spread integers. Not for adversaries: a record found by hash must be compared with what was
 * asked.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define HASH_SEED 0xcbf29ce484222325ull

static inline uint64_t hash_bytes(uint64_t seed, const void *bytes, size_t count)
{
	const unsigned char *p = bytes;

	for (size_t i = 0; i < count; i++)
		seed = (seed ^ p[i]) * 0x100000001b3ull;
	return seed;
}

static inline uint64_t hash_mix(uint64_t x)
{
	x ^= x >> 33;
	x *= 0xff51afd7ed558ccdull;
	x ^= x >> 33;
	x *= 0xc4ceb9fe1a85ec53ull;
	return x ^ (x >> 33);
}
