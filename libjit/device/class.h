/* SPDX-License-Identifier: Apache-2.0
 *
 * A class of device: what two machines with the same GPU and the same limits share. The card's own
 * id names one card; results found on one card of a class hold for all cards of it.
 */
#pragma once

#include "device/limits.h"

#include <stdint.h>

/* Vendor and device as the API numbers them (PCI ids for hardware), and the limits of the device
 * itself. Features stay out: the driver decides them, and a kernel's key has its own. Never 0, the
 * same on every machine and in every release: it may be stored. */
uint64_t device_class(uint32_t vendor_id, uint32_t device_id, const struct limits *limits);
