// SPDX-License-Identifier: Apache-2.0
//
// Runs kernel artifacts in WebGPU. A runner is a list of steps on the same buffers: one for a plain kernel,
// several where the artifact lists `steps`. Must not know the daemon, nor any operator: the artifact says it
// all. Where it leaves dimensions open, every call may say what they are now: { m: 37 }, or [37] in the
// artifact's order.

import { NnjitError } from '../connect/problem.js';
import { makeBuffer, boundBytes, readTensor, tensorsOf } from './buffers.js';
import { checkDevice, createPipeline } from './pipeline.js';
import { Step } from './step.js';
import { Stopwatch } from './stopwatch.js';
import { bytesAt, dimsOf } from './tensor.js';

/** @import { Artifact, Binding, Buffers, Dims, Timing } from '../nnjit.d.ts' */

/** @typedef {Record<string, GPUBuffer>} NamedBuffers */

const SCRATCH = 'scratch'; // as steps call it

export class Runner {
	#device;
	#once;
	#steps;
	#stopwatch;
	/** What steps leave for later ones of the same run. @type {GPUBuffer | null} */
	#scratch = null;

	/**
	 * @param {GPUDevice} device
	 * @param {Artifact} artifact
	 * @param {Step[]} steps  at least one that is not run once
	 */
	constructor(device, artifact, steps) {
		this.#device = device;
		this.#once = steps.filter(({ once }) => once);
		this.#steps = steps.filter(({ once }) => !once);
		this.#stopwatch = new Stopwatch(device);
		this.artifact = artifact;
	}

	// Of an artifact with steps, of the first that every run runs; the same for bindGroup().
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

	// What steps bind parts of may be larger than a binding.
	/** @param {Binding} binding @param {number[]} values */
	#bytes(binding, values) {
		return 'steps' in this.artifact ? bytesAt(this.artifact, binding, values) :
			boundBytes(this.#device, this.artifact, binding, values);
	}

	/** @param {Dims} [dims] */
	#makeScratch(dims) {
		const size = Math.max(...[...this.#once, ...this.#steps].map(step => step.end(SCRATCH, dims)));
		return size ? makeBuffer(this.#device, { name: SCRATCH, size }) : null;
	}

	/**
	 * The buffers by name, with the scratch buffer where steps use one. A run may follow another before it is
	 * done: WebGPU keeps their dispatches in order, so both may use the same.
	 * @param {Buffers} buffers
	 * @param {Dims} [dims]
	 * @returns {NamedBuffers}
	 */
	#withScratch(buffers, dims) {
		const named = Array.isArray(buffers) ? Object.fromEntries(tensorsOf(this.artifact).map(({ name }, i) => [name, buffers[i]])) : buffers;
		if (!('steps' in this.artifact) || !this.artifact.scratch || named[SCRATCH])
			return named;
		if (this.#once.length)
			throw new NnjitError('bad-buffers', `The kernel of ${this.artifact.op} needs what prepare() gives.`, { field: SCRATCH });
		if (!this.#scratch || this.#scratch.size < Math.max(...this.#steps.map(step => step.end(SCRATCH, dims))))
			this.#scratch = this.#makeScratch(dims);
		return { ...named, [SCRATCH]: /** @type {GPUBuffer} */ (this.#scratch) };
	}

	/**
	 * Runs the steps that are run once, for these constant inputs: the buffers, with a new one for what they made,
	 * `scratch`, which is the caller's to destroy. From then on the constant inputs themselves are not read.
	 * @param {NamedBuffers} buffers
	 * @returns {Promise<NamedBuffers>}
	 */
	async prepare(buffers) {
		if (!this.#once.length)
			return { ...buffers };
		const prepared = { ...buffers, [SCRATCH]: /** @type {GPUBuffer} */ (this.#makeScratch()) };
		this.#submit(this.#once.map(step => step.prepare(prepared)));
		return prepared;
	}

	/**
	 * The bind group for buffers given by name or in binding order; made once, then remembered.
	 * @param {Buffers} buffers
	 * @param {Dims} [dims]
	 */
	bindGroup(buffers, dims) {
		return this.#steps[0].bindGroup(this.#withScratch(buffers, dims), dims);
	}

	/** @param {import('./step.js').Record[]} records @param {GPUCommandEncoder} [into] */
	#submit(records, into) {
		const encoder = into ?? this.#device.createCommandEncoder({ label: this.artifact.op });
		const pass = encoder.beginComputePass({ label: this.artifact.op });
		records.forEach(record => record(pass, 1));
		pass.end();
		if (!into)
			this.#device.queue.submit([encoder.finish()]);
	}

	/**
	 * Records into a command encoder or an open compute pass; with neither, submits.
	 * @param {Buffers} buffers
	 * @param {GPUCommandEncoder | GPUComputePassEncoder | null} [into]
	 * @param {Dims} [dims]
	 */
	run(buffers, into, dims) {
		const bound = this.#withScratch(buffers, dims);
		const records = this.#steps.map(step => step.prepare(bound, dims));
		if (into && 'dispatchWorkgroups' in into)
			records.forEach(record => record(into, 1));
		else
			this.#submit(records, into ?? undefined);
	}

	/**
	 * The sum over the steps, as they run one after another; `samples` is of each (stopwatch.js).
	 * @param {Buffers} buffers
	 * @param {{ samples?: number, budgetMs?: number, warmup?: boolean, dims?: Dims }} [options]
	 * @returns {Promise<Timing>}
	 */
	async time(buffers, { dims, ...options } = {}) {
		/** @type {Timing[]} */
		const times = [], bound = this.#withScratch(buffers, dims);
		for (const step of this.#steps)
			times.push(await this.#stopwatch.time(step.prepare(bound, dims), options));
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
		[...this.#once, ...this.#steps].forEach(step => step.destroy());
		this.#scratch?.destroy();
		this.#stopwatch.destroy();
	}
}

/**
 * Makes the pipelines; rejects with 'bad-kernel' or 'missing-feature'. A plain kernel is one step on its own
 * tensors.
 * @param {GPUDevice} device
 * @param {Artifact} artifact
 */
export async function createRunner(device, artifact) {
	const { kernels, steps } = 'steps' in artifact ? artifact : { kernels: [artifact], steps: [{ kernel: 0, repeat: 1 }] };
	new Set([artifact, ...kernels]).forEach(kernel => checkDevice(device, kernel));
	const made = await Promise.all(kernels.map(kernel => createPipeline(device, kernel)));
	return new Runner(device, artifact, steps.map(step => new Step(device, kernels[step.kernel], made[step.kernel], step)));
}
