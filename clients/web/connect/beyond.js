// SPDX-License-Identifier: Apache-2.0
//
// A kernel with open dimensions is served for those that it was verified for. Beyond them the operator
// is asked for again, tuned as what it shall be. Knows texts of operators and nothing of the daemon.

/**
 * @import { Dims, Kernel } from '../nnjit.d.ts'
 */

/**
 * The text with one dimension as a hint: `matmul m=?128 n=64` and m, 5000 give `matmul m=?5000 n=64`. A
 * dimension of a list is called by its place: `shape[1]`.
 * @param {string} op @param {string} name @param {number} value
 */
function withHint(op, name, value) {
	const [, field, place] = /^(\w+)(?:\[(\d+)\])?$/.exec(name) ?? [];
	return op.replace(new RegExp(` ${field}=(\\S+)`), (_, text) => {
		const sizes = text.split(',');
		sizes[Number(place ?? 0)] = `?${value}`;
		return ` ${field}=${sizes.join(',')}`;
	});
}

/**
 * The operator to ask for where the kernel is not served for these dimensions; null where it is.
 * @param {Pick<Kernel, 'op' | 'dimensions'>} kernel
 * @param {Dims} dims
 */
export function opBeyond({ op, dimensions = [] }, dims) {
	const values = dimensions.map(({ name, hint }, i) => (Array.isArray(dims) ? dims[i] : dims[name]) ?? hint);
	if (dimensions.every(({ min, max }, i) => values[i] >= min && values[i] <= max))
		return null;
	return dimensions.reduce((text, { name }, i) => withHint(text, name, values[i]), op);
}
