// SPDX-License-Identifier: Apache-2.0
//
// Makes buffers for an artifact's tensors, fills them and reads them back; and the uniform blocks that hold
// the values of open dimensions. Whoever asked for a tensor's buffer owns it.

import { NnjitError } from '../connect/problem.js';
import { arrayOf, bytesAt, dimsOf } from './tensor.js';

/** @import { Artifact, Binding, Dims } from '../nnjit.d.ts' */

const BLOCKS_KEPT = 64; // blocks of dimensions used lately
const BLOCK_BYTES = 16; // vec4<u32>

/** @param {Artifact} artifact */
export const tensorsOf = artifact => artifact.bindings.filter(({ type }) => type !== 'uniform');

/**
 * Bytes of a tensor that is bound whole; refuses what the device cannot bind.
 * @param {GPUDevice} device
 * @param {Artifact} artifact
 * @param {Binding} binding
 * @param {number[]} values
 */
export function boundBytes(device, artifact, binding, values) {
	const bytes = bytesAt(artifact, binding, values), most = device.limits?.maxStorageBufferBindingSize;
	if (bytes > most)
		throw new NnjitError('missing-feature', `The binding '${binding.name}' takes ${bytes} bytes, the device binds at most ` +
			`${most}: request more with requestDevice({ requiredLimits }).`, { field: 'maxStorageBufferBindingSize' });
	return bytes;
}

/**
 * @param {GPUDevice} device
 * @param {GPUBuffer} buffer
 * @param {ArrayBufferView} data
 */
function upload(device, buffer, data) {
	const bytes = new Uint8Array(/** @type {ArrayBuffer} */ (data.buffer), data.byteOffset, data.byteLength), whole = bytes.length & ~3;
	device.queue.writeBuffer(buffer, 0, bytes, 0, whole);
	if (whole === bytes.length) // writes are of whole words
		return;
	const rest = new Uint8Array(4);
	rest.set(bytes.subarray(whole));
	device.queue.writeBuffer(buffer, whole, rest);
}

/**
 * A new buffer of `size` bytes for the tensor `name`, with `data` at its beginning.
 * @param {GPUDevice} device
 * @param {{ name: string, size: number, data?: ArrayBufferView }} tensor
 */
export function makeBuffer(device, { name, size, data }) {
	if (data && data.byteLength > size)
		throw new NnjitError('bad-buffers', `The data for '${name}' has ${data.byteLength} bytes, the kernel takes ${size}.`,
			{ field: name });
	const buffer = device.createBuffer({
		label: name, size, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC,
	});
	if (data)
		upload(device, buffer, data);
	return buffer;
}

/**
 * A buffer's bytes, copied back.
 * @param {GPUDevice} device
 * @param {GPUBuffer} buffer
 */
async function readBytes(device, buffer) {
	const copy = device.createBuffer({ size: buffer.size, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ });
	const encoder = device.createCommandEncoder();
	encoder.copyBufferToBuffer(buffer, 0, copy, 0, buffer.size);
	device.queue.submit([encoder.finish()]);
	await copy.mapAsync(GPUMapMode.READ);
	const bytes = copy.getMappedRange().slice(0);
	copy.destroy();
	return bytes;
}

/**
 * The buffer of the tensor `name` as the typed array that fits its elements.
 * @param {GPUDevice} device
 * @param {Artifact} artifact
 * @param {{ buffer: GPUBuffer, name: string, dims?: Dims }} what
 */
export async function readTensor(device, artifact, { buffer, name, dims }) {
	const binding = tensorsOf(artifact).find(tensor => tensor.name === name);
	if (!binding)
		throw new NnjitError('bad-buffers', `The kernel of ${artifact.op} has no binding '${name}'.`, { field: name });
	return arrayOf(artifact, binding, dimsOf(artifact, dims), await readBytes(device, buffer));
}

// Blocks of dimensions, the one used last at the end. What is let go may still be in recorded commands, so it
// is left to the garbage collector.
export class DimensionBlocks {
	#device;
	#label;
	/** @type {Map<string, GPUBuffer>} */
	#blocks = new Map();

	/** @param {GPUDevice} device @param {string} label */
	constructor(device, label) {
		this.#device = device;
		this.#label = label;
	}

	/** @param {number[]} values @param {string} key */
	#make(values, key) {
		const block = this.#device.createBuffer({ label: `${this.#label} (${key})`, size: BLOCK_BYTES, usage: GPUBufferUsage.UNIFORM,
			mappedAtCreation: true });
		new Uint32Array(block.getMappedRange()).set(values);
		block.unmap();
		return block;
	}

	/** The block with these values. @param {number[]} values */
	at(values) {
		const key = values.join(), block = this.#blocks.get(key) ?? this.#make(values, key);
		this.#blocks.delete(key);
		this.#blocks.set(key, block);
		if (this.#blocks.size > BLOCKS_KEPT)
			this.#blocks.delete(/** @type {string} */ (this.#blocks.keys().next().value));
		return block;
	}

	destroy() {
		this.#blocks.forEach(block => block.destroy());
		this.#blocks.clear();
	}
}
