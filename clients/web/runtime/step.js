// SPDX-License-Identifier: Apache-2.0
//
// One kernel on its buffers: bind groups and dispatches as the artifact says. A step may use parts of larger
// buffers, from an offset on in each, and move on in them from one repetition to the next. Invariant: all that
// can be refused is refused before anything is recorded.

import { NnjitError } from '../connect/problem.js';
import { boundBytes, DimensionBlocks } from './buffers.js';
import { bytesAt, dimsOf, workgroupsAt } from './tensor.js';

/** @import { Binding, Dims, Kernel, Place } from '../nnjit.d.ts' */
/** @import { Pipeline } from './pipeline.js' */

/** @typedef {{ [name: string]: GPUBuffer }} NamedBuffers */

/**
 * Records so many runs of a step into a pass.
 * @typedef {(pass: GPUComputePassEncoder, dispatches: number) => void} Record
 */

const GROUPS_KEPT = 16; // of bind groups for the same first buffer

export class Step {
	#device;
	#kernel;
	#layout;
	#places;
	#repeat;
	/** First buffer -> [[buffers], groups]: lets go with the buffers. @type {WeakMap<GPUBuffer, [GPUBuffer[], GPUBindGroup[]][]>} */
	#groups = new WeakMap();
	#blocks;

	/**
	 * @param {GPUDevice} device
	 * @param {Kernel} kernel
	 * @param {Pipeline} made
	 * @param {{ once?: boolean, repeat?: number, buffers?: Place[] }} step  buffers left out: the kernel's own tensors
	 */
	constructor(device, kernel, { layout, pipeline }, { once = false, repeat = 1, buffers }) {
		this.#device = device;
		this.#kernel = kernel;
		this.#layout = layout;
		this.#places = buffers;
		this.#repeat = repeat;
		this.#blocks = new DimensionBlocks(device, kernel.op);
		this.once = once;
		this.pipeline = pipeline;
	}

	/**
	 * The bind group of the first repetition; made once, then remembered.
	 * @param {NamedBuffers} buffers
	 * @param {Dims} [dims]
	 */
	bindGroup(buffers, dims) {
		return this.#groupsOf(buffers, dimsOf(this.#kernel, dims))[0];
	}

	/**
	 * How far into the buffer of this name the step reaches, in bytes.
	 * @param {string} name
	 * @param {Dims} [dims]
	 */
	end(name, dims) {
		const values = dimsOf(this.#kernel, dims), places = this.#places ?? [];
		return Math.max(0, ...places.map((place, i) => place.name !== name ? 0 : place.offset + place.advance * (this.#repeat - 1) +
			bytesAt(this.#kernel, this.#kernel.bindings[i], values)));
	}

	/** One for each repetition. @param {NamedBuffers} buffers @param {number[]} values */
	#groupsOf(buffers, values) {
		const list = this.#kernel.bindings.map((binding, i) => this.#buffer(buffers, binding, i, values));
		const known = this.#groups.get(list[0]) ?? [];
		const hit = known.find(([others]) => others.every((buffer, i) => buffer === list[i]));
		if (hit)
			return hit[1];
		const groups = Array.from({ length: this.#repeat }, (_, turn) => this.#group(list, values, turn));
		this.#groups.set(list[0], [...known.slice(1 - GROUPS_KEPT), [list, groups]]);
		return groups;
	}

	/** @param {GPUBuffer[]} list @param {number[]} values @param {number} turn */
	#group(list, values, turn) {
		return this.#device.createBindGroup({
			label: this.#kernel.op, layout: this.#layout,
			entries: this.#kernel.bindings.map((binding, i) => ({ binding: binding.binding, resource: this.#range(list[i], i, values, turn) })),
		});
	}

	/**
	 * What is bound of a buffer: a tensor of a plain kernel may lie in a larger one, a part ends where its own does.
	 * @param {GPUBuffer} buffer @param {number} i @param {number[]} values @param {number} turn
	 */
	#range(buffer, i, values, turn) {
		const binding = this.#kernel.bindings[i], place = this.#places?.[i];
		if (!place || binding.type === 'uniform')
			return { buffer, offset: 0, size: buffer.size };
		const offset = place.offset + place.advance * turn;
		return { buffer, offset, size: Math.min(boundBytes(this.#device, this.#kernel, binding, values), buffer.size - offset) };
	}

	/** What is bound at binding i. @param {NamedBuffers} buffers @param {Binding} binding @param {number} i @param {number[]} values */
	#buffer(buffers, binding, i, values) {
		if (binding.type === 'uniform')
			return this.#blocks.at(values);
		const place = this.#places?.[i], name = place?.name ?? binding.name, buffer = buffers[name];
		if (!buffer)
			throw new NnjitError('bad-buffers', `The binding '${name}' has no buffer.`, { field: name });
		const bytes = place ? place.offset + place.advance * (this.#repeat - 1) + 4 : boundBytes(this.#device, this.#kernel, binding, values);
		if (buffer.size < bytes)
			throw new NnjitError('bad-buffers', `The buffer for '${name}' has ${buffer.size} bytes, the kernel ` +
				`needs ${bytes}.`, { field: name });
		return buffer;
	}

	/**
	 * @param {NamedBuffers} buffers
	 * @param {Dims} [dims]
	 * @returns {Record}
	 */
	prepare(buffers, dims) {
		const values = dimsOf(this.#kernel, dims), workgroups = workgroupsAt(this.#kernel, values);
		const most = this.#device.limits?.maxComputeWorkgroupsPerDimension;
		if (workgroups.some(count => count > most))
			throw new NnjitError('bad-dims', `With dimensions ${values.join(', ')} the kernel of ${this.#kernel.op} needs ` +
				`${Math.max(...workgroups)} workgroups in one dimension, the device allows ${most}.`);
		const groups = this.#groupsOf(buffers, values), [x, y, z] = workgroups;
		return (pass, dispatches) => {
			pass.setPipeline(this.pipeline);
			for (let i = 0; i < dispatches; i++)
				for (const group of groups) {
					if (i === 0 || groups.length > 1)
						pass.setBindGroup(0, group);
					pass.dispatchWorkgroups(x, y, z);
				}
		};
	}

	// The pipeline needs no freeing; buffers are the caller's.
	destroy() {
		this.#blocks.destroy();
	}
}
