/* SPDX-License-Identifier: Apache-2.0
 *
 * Hashes what makes a class. Invariant: integers are hashed little-endian, one after another, so
 * that every machine agrees; a new limit changes no class until it is added here.
 */
#include "device/class.h"

#include "base/hash.h"

static uint64_t hash_u64(uint64_t seed, uint64_t value)
{
	unsigned char bytes[8];

	for (int i = 0; i < 8; i++)
		bytes[i] = (unsigned char)(value >> 8 * i);
	return hash_bytes(seed, bytes, sizeof bytes);
}

uint64_t device_class(uint32_t vendor_id, uint32_t device_id, const struct limits *limits)
{
	const uint64_t values[] = {vendor_id, device_id, limits->invocations, limits->size_x,
	        limits->size_y, limits->size_z, limits->workgroups, limits->workgroup_bytes,
	        limits->storage_buffers, limits->binding_bytes, limits->subgroup_min,
	        limits->subgroup_max};
	uint64_t hash = HASH_SEED;

	for (uint32_t i = 0; i < sizeof values / sizeof *values; i++)
		hash = hash_u64(hash, values[i]);
	hash = hash_mix(hash);
	return hash ? hash : 1;
}
