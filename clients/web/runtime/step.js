// SPDX-License-Identifier: Apache-2.0
//
// One kernel on its buffers: the bind group and the dispatch that its artifact says. A step may use a part of
// larger buffers, from an offset on in each. Invariant: all that can be refused is refused before anything
// is recorded.

import { NnjitError } from '../connect/problem.js';
import { boundBytes, DimensionBlocks } from './buffers.js';
import { dimsOf, workgroupsAt } from './tensor.js';

/** @import { Buffers, Dims, Kernel } from '../nnjit.d.ts' */
/** @import { Pipeline } from './pipeline.js' */

/**
 * Records so many dispatches into a pass.
 * @typedef {(pass: GPUComputePassEncoder, dispatches: number) => void} Record
 */

const GROUPS_KEPT = 16; // bind groups of the same first buffer

export class Step {
	#device;
	#artifact;
	#layout;
	#offsets;
	/** First buffer -> [[buffers], group]: lets go with the buffers. @type {WeakMap<GPUBuffer, [GPUBuffer[], GPUBindGroup][]>} */
	#groups = new WeakMap();
	#blocks;

	/**
	 * @param {GPUDevice} device
	 * @param {Kernel} artifact
	 * @param {Pipeline} made
	 * @param {number[]} offsets  bytes, of each binding; none: the buffers are the tensors
	 */
	constructor(device, artifact, { layout, pipeline }, offsets) {
		this.#device = device;
		this.#artifact = artifact;
		this.#layout = layout;
		this.#offsets = offsets;
		this.#blocks = new DimensionBlocks(device, artifact.op);
		this.pipeline = pipeline;
	}

	/**
	 * The bind group for buffers given by name or in binding order; made once, then remembered.
	 * @param {Buffers} buffers
	 * @param {Dims} [dims]
	 */
	bindGroup(buffers, dims) {
		return this.#group(buffers, dimsOf(this.#artifact, dims));
	}

	/** @param {Buffers} buffers @param {number[]} values */
	#group(buffers, values) {
		const list = this.#artifact.bindings.map((_, i) => this.#buffer(buffers, i, values));
		const known = this.#groups.get(list[0]) ?? [];
		const hit = known.find(([others]) => others.every((buffer, i) => buffer === list[i]));
		if (hit)
			return hit[1];
		const group = this.#device.createBindGroup({
			label: this.#artifact.op, layout: this.#layout,
			entries: this.#artifact.bindings.map(({ binding }, i) =>
				({ binding, resource: { buffer: list[i], offset: this.#offsets[i] ?? 0, size: this.#span(list[i], i, values) } })),
		});
		this.#groups.set(list[0], [...known.slice(1 - GROUPS_KEPT), [list, group]]);
		return group;
	}

	/** What is bound at binding i. @param {Buffers} buffers @param {number} i @param {number[]} values */
	#buffer(buffers, i, values) {
		const binding = this.#artifact.bindings[i], { name, type } = binding;
		if (type === 'uniform')
			return this.#blocks.at(values);
		const buffer = Array.isArray(buffers) ? buffers[i] : buffers[name];
		if (!buffer)
			throw new NnjitError('bad-buffers', `The binding '${name}' has no buffer.`, { field: name });
		const bytes = this.#offsets.length ? 0 : boundBytes(this.#device, this.#artifact, binding, values);
		if (buffer.size < bytes)
			throw new NnjitError('bad-buffers', `The buffer for '${name}' has ${buffer.size} bytes, the kernel ` +
				`needs ${bytes}.`, { field: name });
		return buffer;
	}

	/**
	 * Bytes bound of a buffer: the tensor from its offset on. Columns of a larger output end with the buffer.
	 * @param {GPUBuffer} buffer
	 * @param {number} i
	 * @param {number[]} values
	 */
	#span(buffer, i, values) {
		const binding = this.#artifact.bindings[i];
		if (binding.type === 'uniform' || !this.#offsets.length)
			return buffer.size;
		return Math.min(boundBytes(this.#device, this.#artifact, binding, values), buffer.size - this.#offsets[i]);
	}

	/**
	 * @param {Buffers} buffers
	 * @param {Dims} [dims]
	 * @returns {Record}
	 */
	prepare(buffers, dims) {
		const values = dimsOf(this.#artifact, dims), workgroups = workgroupsAt(this.#artifact, values);
		const most = this.#device.limits?.maxComputeWorkgroupsPerDimension;
		if (workgroups.some(count => count > most))
			throw new NnjitError('bad-dims', `With dimensions ${values.join(', ')} the kernel of ${this.#artifact.op} needs ` +
				`${Math.max(...workgroups)} workgroups in one dimension, the device allows ${most}.`);
		const group = this.#group(buffers, values), [x, y, z] = workgroups;
		return (pass, dispatches) => {
			pass.setPipeline(this.pipeline);
			pass.setBindGroup(0, group);
			for (let i = 0; i < dispatches; i++)
				pass.dispatchWorkgroups(x, y, z);
		};
	}

	// The pipeline needs no freeing; buffers are the caller's.
	destroy() {
		this.#blocks.destroy();
	}
}
