/* SPDX-License-Identifier: Apache-2.0
 *
 * IEEE 754 binary16 in plain C, for storage: no type of the compiler's is needed, so every target
 * computes the same bits. Rounds to nearest, ties to even; keeps infinities, NaNs and subnormals.
 */
#pragma once

#include <math.h>
#include <stdint.h>
#include <string.h>

static inline float half_to_float(uint16_t half)
{
	uint32_t sign = (uint32_t)(half >> 15) << 31, exponent = half >> 10 & 31;
	uint32_t fraction = half & 1023, bits;
	float value;

	if (!exponent) { /* a multiple of 2^-24 */
		value = (float)fraction * 0x1p-24f;
		return sign ? -value : value;
	}
	bits = sign | (exponent == 31 ? 255 : exponent + 112) << 23 | fraction << 13;
	memcpy(&value, &bits, sizeof value);
	return value;
}

static inline uint16_t half_of_float(float value)
{
	uint32_t bits, magnitude;

	memcpy(&bits, &value, sizeof bits);
	uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
	magnitude = bits & 0x7fffffff;
	if (magnitude > 0x7f800000)
		return sign | 0x7e00;
	if (magnitude >= 0x477ff000) /* rounds to 65536 or more */
		return sign | 0x7c00;
	if (magnitude < 0x38800000) /* below 2^-14: a multiple of 2^-24, ties to even */
		return sign | (uint16_t)rintf(fabsf(value) * 0x1p24f);
	magnitude += 0xfff + (magnitude >> 13 & 1);
	return sign | (uint16_t)((magnitude - 0x38000000) >> 13);
}

/* The f32 in between is the one of the two neighbours whose last bit is 1, unless the number is an
 * f32: so it lies on no tie that the number does not lie on (Boldo and Melquiond 2008). */
static inline uint16_t half_of_double(double value)
{
	float between = (float)value;
	uint32_t bits;

	memcpy(&bits, &between, sizeof bits);
	if (between != value && !(bits & 1))
		bits += fabs((double)between) > fabs(value) ? UINT32_MAX : 1;
	memcpy(&between, &bits, sizeof between);
	return half_of_float(between);
}
