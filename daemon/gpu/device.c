/* SPDX-License-Identifier: Apache-2.0
 *
 * Opening a device and its memory by whichever API it is of, with the faults that tests plant in
 * both; and what the host says of itself. Must not know an API.
 */
#include "daemon/gpu/device.h"
#include "daemon/gpu/answer.h"
#include "daemon/gpu/fault.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

int device_open(const struct adapter *adapter, enum profile profile, struct device **ret_device,
        struct error *err)
{
	struct device *device;
	int answer = adapter->api->open(adapter, profile, &device, err);

	if (answer)
		return answer;
	device->clock_untrusted = fault_planted(FAULT_UNTIMED, &(uint64_t){0});
	*ret_device = device;
	return 0;
}

void device_close(struct device *device)
{
	if (device)
		device->api->close(device);
}

int device_allocate(struct device *device, uint64_t bytes, enum gpu_place place,
        struct gpu_buffer **ret_buffer, struct error *err)
{
	uint64_t most;

	if (fault_planted(FAULT_MEMORY, &most) && bytes > most)
		return error_set(err, ANSWER_OUT_OF_MEMORY, "",
		        "the device is out of memory while allocating %" PRIu64 " bytes (planted)",
		        bytes);
	return device->api->buffer_create(device, bytes, place, ret_buffer, err);
}

struct host_time device_host_time(void)
{
	unsigned long long ticks[8] = {
	        0}; /* proc(5): user nice system idle iowait irq softirq steal */
	FILE *file = fopen("/proc/stat", "re");
	struct host_time time = {0};
	struct timespec own;

	if (!file)
		return time;
	int read = fscanf(file, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &ticks[0], &ticks[1],
	        &ticks[2], &ticks[3], &ticks[4], &ticks[5], &ticks[6], &ticks[7]);
	fclose(file);
	if (read != 8 || clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &own))
		return time;
	for (int i = 0; i < 8; i++)
		time.all_s += (double)ticks[i] / (double)sysconf(_SC_CLK_TCK);
	time.others_s = time.all_s - (double)(ticks[3] + ticks[4]) / (double)sysconf(_SC_CLK_TCK) -
	                (double)own.tv_sec - (double)own.tv_nsec / 1e9;
	return time;
}

uint64_t device_host_free_bytes(void)
{
	FILE *file = fopen("/proc/meminfo", "re");
	uint64_t kib, bytes = UINT64_MAX;
	char line[128];

	if (!file)
		return bytes;
	while (bytes == UINT64_MAX && fgets(line, sizeof line, file))
		if (sscanf(line, "MemAvailable: %" SCNu64 " kB", &kib) == 1)
			bytes = kib * 1024;
	fclose(file);
	return bytes;
}

bool device_is_cpu(const struct device *device)
{
	return device->adapter->kind == ADAPTER_CPU;
}

double device_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}
