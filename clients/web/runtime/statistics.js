// SPDX-License-Identifier: Apache-2.0
//
// What samples come to. Knows no device and no clock.

/** @param {number[]} values */
export function median(values) {
	const sorted = [...values].sort((x, y) => x - y);
	const middle = sorted.length >> 1;
	return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Median absolute deviation. @param {number[]} values */
export function deviation(values) {
	const middle = median(values);
	return median(values.map(value => Math.abs(value - middle)));
}

/** @param {number} x @param {number} y */
function divisor(x, y) {
	while (y)
		[x, y] = [y, x % y];
	return x;
}

/**
 * The steps in which a clock moves: what all spans that it measured are multiples of. Too few spans give too
 * much, which only makes the report weigh less.
 * @param {number[]} spans
 */
export const quantumOf = spans => spans.map(Math.round).filter(span => span > 0).reduce(divisor, 0);
