// SPDX-License-Identifier: Apache-2.0
//
// Runs kernel artifacts in WebGPU. A runner is a list of steps on the same buffers: one for a whole kernel,
// several for an operator whose tensors are larger than a binding may be. Must not know the daemon, nor any
// operator: the artifact says it all. Where it leaves dimensions open, every call may say what they are
// now: { m: 37 }, or [37] in the artifact's order.

import { makeBuffer, boundBytes, readTensor, tensorsOf } from './buffers.js';
import { checkDevice, createPipeline } from './pipeline.js';
import { Step } from './step.js';
import { Stopwatch } from './stopwatch.js';
import { bytesAt, dimsOf } from './tensor.js';

/** @import { Binding, Buffers, Dims, Kernel, KernelInParts, Timing } from '../nnjit.d.ts' */

/** @typedef {Record<string, GPUBuffer>} NamedBuffers */

export class Runner {
	#device;
	#steps;
	#stopwatch;

	/**
	 * @param {GPUDevice} device
	 * @param {Kernel} artifact
	 * @param {Step[]} steps  at least one
	 */
	constructor(device, artifact, steps) {
		this.#device = device;
		this.#steps = steps;
		this.#stopwatch = new Stopwatch(device);
		this.artifact = artifact;
	}

	// Of an operator in parts, the first part's; the same for bindGroup().
	get pipeline() { return this.#steps[0].pipeline; }

	/**
	 * New buffers for every tensor, by name, as large as these dimensions take. `inputs` may hold typed arrays
	 * to upload, or GPUBuffers to use as they are. The caller owns (and destroys) what is made here.
	 * @param {Record<string, ArrayBufferView | GPUBuffer>} [inputs]
	 * @param {Dims} [dims]
	 */
	allocate(inputs = {}, dims) {
		const values = dimsOf(this.artifact, dims);
		/** @type {NamedBuffers} */
		const buffers = {};
		for (const binding of tensorsOf(this.artifact)) {
			const { name } = binding, given = inputs[name];
			const data = ArrayBuffer.isView(given) ? given : undefined;
			if (given && !data)
				buffers[name] = /** @type {GPUBuffer} */ (given);
			else
				buffers[name] = makeBuffer(this.#device, { name, size: this.#bytes(binding, values), data });
		}
		return buffers;
	}

	// What is bound in parts may be larger than a binding.
	/** @param {Binding} binding @param {number[]} values */
	#bytes(binding, values) {
		return 'parts' in this.artifact ? bytesAt(this.artifact, binding, values) :
			boundBytes(this.#device, this.artifact, binding, values);
	}

	/**
	 * The buffers with constant inputs laid out as this kernel wants them: those that it wants so (artifact.prepare)
	 * are new ones, the caller's to destroy, the others as they were given. To be done once.
	 * @param {NamedBuffers} buffers
	 */
	async prepare(buffers) {
		const prepared = { ...buffers };
		for (const { input, kernel } of this.artifact.prepare ?? []) {
			const runner = await createRunner(this.#device, kernel);
			const [x, out] = kernel.bindings.map(({ name }) => name);
			const made = runner.allocate({ [x]: buffers[input] });
			runner.run(made);
			prepared[input] = made[out];
			runner.destroy();
		}
		return prepared;
	}

	/**
	 * The bind group for buffers given by name or in binding order; made once, then remembered.
	 * @param {Buffers} buffers
	 * @param {Dims} [dims]
	 */
	bindGroup(buffers, dims) {
		return this.#steps[0].bindGroup(buffers, dims);
	}

	/**
	 * Records into a command encoder or an open compute pass; with neither, submits.
	 * @param {Buffers} buffers
	 * @param {GPUCommandEncoder | GPUComputePassEncoder | null} [into]
	 * @param {Dims} [dims]
	 */
	run(buffers, into, dims) {
		const records = this.#steps.map(step => step.prepare(buffers, dims));
		if (into && 'dispatchWorkgroups' in into)
			return records.forEach(record => record(into, 1));
		const encoder = into ?? this.#device.createCommandEncoder({ label: this.artifact.op });
		const pass = encoder.beginComputePass({ label: this.artifact.op });
		records.forEach(record => record(pass, 1));
		pass.end();
		if (!into)
			this.#device.queue.submit([encoder.finish()]);
	}

	/**
	 * The sum over the steps, as they run one after another; `samples` is of each (stopwatch.js).
	 * @param {Buffers} buffers
	 * @param {{ samples?: number, budgetMs?: number, warmup?: boolean, dims?: Dims }} [options]
	 * @returns {Promise<Timing>}
	 */
	async time(buffers, { dims, ...options } = {}) {
		/** @type {Timing[]} */
		const times = [];
		for (const step of this.#steps)
			times.push(await this.#stopwatch.time(step.prepare(buffers, dims), options));
		/** @param {'median_ns' | 'mad_ns' | 'min_ns'} member */
		const sum = member => times.reduce((total, time) => total + time[member], 0);
		return { ...times[0], median_ns: sum('median_ns'), mad_ns: sum('mad_ns'), min_ns: sum('min_ns') };
	}

	/**
	 * Copies back the buffer of the tensor `name` (the output), as the typed array that fits its elements: of
	 * bytes for u4, of bits for f16 where there is no Float16Array (toNumbers() makes numbers of both). Slow:
	 * for checks and small results.
	 * @param {GPUBuffer} buffer
	 * @param {string} [name]
	 * @param {Dims} [dims]
	 */
	read(buffer, name, dims) {
		name ??= tensorsOf(this.artifact).find(({ type }) => type === 'storage')?.name ?? '';
		return readTensor(this.#device, this.artifact, { buffer, name, dims });
	}

	// Frees what the runner made for itself. Pipelines need no freeing; buffers are the caller's.
	destroy() {
		this.#steps.forEach(step => step.destroy());
		this.#stopwatch.destroy();
	}
}

/**
 * Makes the pipelines; rejects with 'bad-kernel' or 'missing-feature'.
 * @param {GPUDevice} device
 * @param {Kernel | KernelInParts} artifact
 */
export async function createRunner(device, artifact) {
	const whole = /** @type {Kernel} */ (artifact); // what parts and a kernel have in common is all that is read of it
	const { kernels, parts } = 'parts' in artifact ? artifact : { kernels: [whole], parts: [{ kernel: 0, offsets: [] }] };
	new Set([artifact, ...kernels]).forEach(kernel => checkDevice(device, kernel));
	const made = await Promise.all(kernels.map(kernel => createPipeline(device, kernel)));
	return new Runner(device, whole, parts.map(({ kernel, offsets }) => new Step(device, kernels[kernel], made[kernel], offsets)));
}
