// SPDX-License-Identifier: Apache-2.0
//
// What a kernel's buffers hold: element types as bytes and as numbers, and the sizes of bindings and of
// the dispatch, which follow from the artifact where dimensions are left open until now. Knows no WebGPU.

import { NnjitError } from '../connect/problem.js';

/**
 * @import { Artifact, Binding, DType, Dims, Kernel, TensorArray } from '../nnjit.d.ts'
 */

const Half = /** @type {Uint16ArrayConstructor} */ (/** @type {any} */ (globalThis).Float16Array ?? Uint16Array); // where there is no type for them: their bits
const TYPES = {
	f32: { bits: 32, array: Float32Array }, f16: { bits: 16, array: Half }, i32: { bits: 32, array: Int32Array },
	u32: { bits: 32, array: Uint32Array }, i8: { bits: 8, array: Int8Array }, u8: { bits: 8, array: Uint8Array },
	bool: { bits: 8, array: Uint8Array }, u4: { bits: 4, array: Uint8Array },
};

// ---- Dimensions left open.

/** @param {string} detail @param {string} field */
const badDims = (detail, field) => new NnjitError('bad-dims', detail, { field });

/**
 * Values for the artifact's open dimensions, in order: from an object by name or an array; from nothing, what
 * the kernel is tuned as. Refuses what is missing, unknown, no whole number or out of range.
 * @param {Artifact} artifact
 * @param {Dims | null} [given]
 * @returns {number[]}
 */
export function dimsOf(artifact, given) {
	const { op, dimensions = [] } = artifact;
	if (given === undefined || given === null)
		return dimensions.map(({ hint }) => hint);
	const names = dimensions.map(({ name }) => name);
	const unknown = Array.isArray(given) ? given.slice(names.length).map((_, i) => `number ${names.length + i + 1}`) :
		Object.keys(given).filter(name => !names.includes(name));
	if (unknown.length)
		throw badDims(`The kernel of ${op} has no open dimension '${unknown[0]}'; it has ${names.join(', ') || 'none'}.`, unknown[0]);
	return dimensions.map(({ name, min, max }, i) => {
		const value = Array.isArray(given) ? given[i] : given[name];
		if (!(Number.isInteger(value) && value >= min && value <= max))
			throw badDims(`The dimension '${name}' is ${value}; the kernel of ${op} takes ${min} to ${max}.`, name);
		return value;
	});
}

/**
 * What a binding's shape is with these values.
 * @param {Artifact} artifact
 * @param {Binding} binding
 * @param {number[]} values
 */
export function shapeAt(artifact, { shape, dims = [] }, values) {
	const { dimensions = [] } = artifact;
	return shape.map((size, axis) => {
		const n = dimensions.findIndex(({ name }) => name === dims[axis]);
		return n < 0 ? size : size / dimensions[n].hint * values[n];
	});
}

/** @param {Artifact} artifact @param {Binding} binding @param {number[]} values */
const elementsAt = (artifact, binding, values) => shapeAt(artifact, binding, values).reduce((product, size) => product * size, 1);

/**
 * Bytes of a binding's buffer: whole words.
 * @param {Artifact} artifact
 * @param {Binding} binding
 * @param {number[]} values
 */
export function bytesAt(artifact, binding, values) {
	if (!binding.dims)
		return Math.ceil(binding.bytes / 4) * 4;
	return Math.ceil(elementsAt(artifact, binding, values) * TYPES[binding.dtype].bits / 32) * 4;
}

/**
 * Workgroups to dispatch along x, y and z.
 * @param {Pick<Kernel, 'workgroups'> & Partial<Kernel>} artifact
 * @param {number[]} values
 * @returns {number[]}
 */
export function workgroupsAt({ workgroups, dimensions = [], dispatch }, values) {
	if (!dispatch)
		return workgroups;
	return dispatch.map(({ times, over, dims, most }) => {
		const product = dims.reduce((so_far, name) => so_far * values[dimensions.findIndex(d => d.name === name)], times);
		const count = Math.floor(product / over) + Number(product % over !== 0);
		return most ? Math.min(most, count) : count;
	});
}

// ---- Elements.

/**
 * The bytes as the array that fits the element type: of whole elements, of bytes for u4, of bits for f16 where
 * the browser has no Float16Array.
 * @param {Artifact} artifact
 * @param {Binding} binding
 * @param {number[]} values
 * @param {ArrayBuffer} bytes
 * @returns {TensorArray}
 */
export function arrayOf(artifact, binding, values, bytes) {
	const { bits, array } = TYPES[binding.dtype];
	const length = Math.ceil(elementsAt(artifact, binding, values) * bits / 8) / array.BYTES_PER_ELEMENT;
	return new array(bytes, 0, Math.min(length, Math.floor(bytes.byteLength / array.BYTES_PER_ELEMENT)));
}

const scratch = new DataView(new ArrayBuffer(4));

/** @param {number} half */
function halfToNumber(half) {
	const exponent = half >> 10 & 31, fraction = half & 1023, sign = half >> 15 ? -1 : 1;
	if (exponent === 31)
		return fraction ? NaN : sign * Infinity;
	return sign * (exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : fraction * 2 ** -24);
}

/** Rounds to nearest, ties to even. @param {number} value */
function halfOfNumber(value) {
	scratch.setFloat32(0, value);
	const bits = scratch.getUint32(0), sign = bits >>> 16 & 0x8000, magnitude = bits & 0x7fffffff;
	if (magnitude > 0x7f800000)
		return sign | 0x7e00;
	if (magnitude >= 0x477ff000) // rounds to 65536 or more
		return sign | 0x7c00;
	if (magnitude >= 0x38800000)
		return sign | (magnitude + 0xfff + (magnitude >> 13 & 1) - 0x38000000) >> 13;
	const steps = Math.abs(scratch.getFloat32(0)) * 2 ** 24, whole = Math.floor(steps), over = steps - whole;
	return sign | whole + Number(over > 0.5 || (over === 0.5 && whole % 2 === 1));
}

/** @param {DType} dtype @param {number} number */
const elementOf = (dtype, number) => dtype === 'f16' && Half === Uint16Array ? halfOfNumber(number) :
	dtype === 'bool' ? Number(Boolean(number)) : number;

/**
 * Numbers as the bytes of an element type, to upload: an array that fits it, filled up to a whole word.
 * @param {DType} dtype
 * @param {ArrayLike<number>} numbers
 * @returns {TensorArray}
 */
export function fromNumbers(dtype, numbers) {
	const { bits, array } = TYPES[dtype], bytes = Math.ceil(numbers.length * bits / 32) * 4;
	const values = new array(bytes / array.BYTES_PER_ELEMENT);
	for (let i = 0; i < numbers.length; i++)
		if (dtype === 'u4')
			values[i >> 1] |= (numbers[i] & 15) << 4 * (i & 1);
		else
			values[i] = elementOf(dtype, numbers[i]);
	return values;
}

/**
 * What read() gave, as plain numbers: u4 unpacked, f16 decoded.
 * @param {DType} dtype
 * @param {TensorArray} values
 */
export function toNumbers(dtype, values) {
	if (dtype === 'u4')
		return Float64Array.from({ length: 2 * values.length }, (_, i) => values[i >> 1] >> 4 * (i & 1) & 15);
	return Float64Array.from(values, dtype === 'f16' && values instanceof Uint16Array ? halfToNumber : Number);
}
