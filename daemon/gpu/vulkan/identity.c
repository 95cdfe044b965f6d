/* SPDX-License-Identifier: Apache-2.0
 *
 * Names that may be stored. A device's id must outlive its driver's updates, so it is made only
 * of what an update leaves alone: api, vendor, device, the driver's kind, and for hardware the
 * UUID that tells two equal cards apart. Software devices put their version into name and UUID.
 * The driver's id is the opposite: everything that changes when generated machine code may.
 * Invariant: integers are hashed little-endian byte by byte, so every machine agrees.
 */
#include "base/hash.h"
#include "daemon/gpu/vulkan/adapter.h"

#include <elf.h>
#include <link.h>
#include <stdio.h>
#include <string.h>

static uint64_t hash_u32(uint64_t seed, uint32_t value)
{
	const unsigned char bytes[4] = {
	        (unsigned char)value,
	        (unsigned char)(value >> 8),
	        (unsigned char)(value >> 16),
	        (unsigned char)(value >> 24),
	};

	return hash_bytes(seed, bytes, sizeof bytes);
}

static uint64_t hash_text(uint64_t seed, const char *text)
{
	return hash_bytes(seed, text, strlen(text) + 1);
}

/* Zero means "no id" on the wire. */
static uint64_t finished(uint64_t hash)
{
	hash = hash_mix(hash);
	return hash ? hash : 1;
}

static bool is_hardware(VkPhysicalDeviceType type)
{
	return type == VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU ||
	       type == VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU;
}

static uint64_t device_id(const struct identity *identity)
{
	uint64_t hash = hash_text(HASH_SEED, gpu_vulkan.name);

	hash = hash_u32(hash, identity->basic.vendorID);
	hash = hash_u32(hash, identity->basic.deviceID);
	hash = hash_u32(hash, (uint32_t)identity->driver.driverID);
	if (is_hardware(identity->basic.deviceType))
		hash = hash_bytes(hash, identity->ids.deviceUUID, VK_UUID_SIZE);
	return finished(hash);
}

/* ---- The build of a loaded library, from its ELF notes. */

static uint64_t hash_notes(uint64_t hash, const char *at, size_t bytes)
{
	const char *end = at + bytes;

	while (at + sizeof(ElfW(Nhdr)) <= end) {
		const ElfW(Nhdr) *note = (const void *)at;
		const char *text = at + sizeof *note + (note->n_namesz + 3u) / 4 * 4;
		if (text + note->n_descsz > end)
			break;
		if (note->n_type == NT_GNU_BUILD_ID)
			hash = hash_bytes(hash, text, note->n_descsz);
		at = text + (note->n_descsz + 3u) / 4 * 4;
	}
	return hash;
}

static int hash_swiftshader(struct dl_phdr_info *library, size_t size, void *context)
{
	uint64_t *hash = context;

	(void)size;
	if (!library->dlpi_name || !strstr(library->dlpi_name, "libvk_swiftshader"))
		return 0;
	for (ElfW(Half) i = 0; i < library->dlpi_phnum; i++)
		if (library->dlpi_phdr[i].p_type == PT_NOTE)
			*hash = hash_notes(*hash,
			        (const char *)library->dlpi_addr + library->dlpi_phdr[i].p_vaddr,
			        library->dlpi_phdr[i].p_memsz);
	return 1;
}

static uint64_t driver_id(const struct identity *identity)
{
	uint64_t hash = hash_u32(HASH_SEED, (uint32_t)identity->driver.driverID);

	hash = hash_u32(hash, identity->basic.driverVersion);
	hash = hash_text(hash, identity->driver.driverInfo);
	hash = hash_bytes(hash, identity->basic.pipelineCacheUUID, VK_UUID_SIZE);
	/* SwiftShader gives every release the same version and UUID; its library's build does not.
	 */
	if (identity->driver.driverID == VK_DRIVER_ID_GOOGLE_SWIFTSHADER)
		dl_iterate_phdr(hash_swiftshader, &hash);
	return finished(hash);
}

static void write_version(const struct identity *identity, char ret_text[static 32])
{
	uint32_t version = identity->basic.driverVersion;

	if (identity->driver.driverID == VK_DRIVER_ID_NVIDIA_PROPRIETARY)
		snprintf(ret_text, 32, "%u.%u.%u.%u", version >> 22, version >> 14 & 255,
		        version >> 6 & 255, version & 63);
	else
		snprintf(ret_text, 32, "%u.%u.%u", VK_API_VERSION_MAJOR(version),
		        VK_API_VERSION_MINOR(version), VK_API_VERSION_PATCH(version));
}

void identity_fill(const struct identity *identity, struct adapter *adapter)
{
	adapter->id = device_id(identity);
	adapter->driver_id = driver_id(identity);
	write_version(identity, adapter->driver_version);
}
