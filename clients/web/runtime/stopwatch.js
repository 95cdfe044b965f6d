// SPDX-License-Identifier: Apache-2.0
//
// Times dispatches on a device: by GPU timestamps where it has `timestamp-query`, else by waiting for the
// queue. Knows no kernel. Invariant: no submission is meant to take longer than SUBMISSION_NS.

import { deviation, median } from './statistics.js';

/** @import { Timing } from '../nnjit.d.ts' */
/** @import { Record } from './step.js' */

const SUBMISSION_NS = 40e6; // drivers reset what looks like a hang
const DISPATCHES_MAX = 2000;
const PILOT_NS_MIN = 1e3;

export class Stopwatch {
	#device;
	/** @type {{ set: GPUQuerySet, resolved: GPUBuffer, readable: GPUBuffer } | null} */
	#queries = null;

	/** @param {GPUDevice} device */
	constructor(device) {
		this.#device = device;
	}

	/**
	 * Time of one dispatch: median and median absolute deviation over `samples` submissions, each holding as
	 * many dispatches as fit `budgetMs`. `source` tells by which clock.
	 * @param {Record} record
	 * @param {{ samples?: number, budgetMs?: number, warmup?: boolean }} options
	 * @returns {Promise<Timing>}
	 */
	async time(record, { samples = 5, budgetMs = 30, warmup = true }) {
		const source = this.#device.features.has('timestamp-query') ? 'timestamp-query' : 'queue';
		/** @param {number} n */
		const measure = n => source === 'queue' ? this.#wall(record, n) : this.#stamped(record, n);
		if (warmup)
			await measure(1); // the driver may compile at the first dispatch
		const pilot = Math.max(await measure(1), PILOT_NS_MIN);
		const dispatches = Math.max(1, Math.min(DISPATCHES_MAX, Math.floor(Math.min(budgetMs * 1e6, SUBMISSION_NS) / pilot)));
		const times = dispatches === 1 ? [pilot] : [];
		while (times.length < samples)
			times.push(await measure(dispatches));
		return { median_ns: median(times), mad_ns: deviation(times), min_ns: Math.min(...times), samples: times.length, dispatches, source };
	}

	/** @param {Record} record @param {number} dispatches */
	async #wall(record, dispatches) {
		const encoder = this.#device.createCommandEncoder();
		const pass = encoder.beginComputePass();
		record(pass, dispatches);
		pass.end();
		await this.#device.queue.onSubmittedWorkDone();
		const start = performance.now();
		this.#device.queue.submit([encoder.finish()]);
		await this.#device.queue.onSubmittedWorkDone();
		return (performance.now() - start) * 1e6 / dispatches;
	}

	/** @param {Record} record @param {number} dispatches */
	async #stamped(record, dispatches) {
		const q = this.#queries ??= this.#makeQueries();
		const encoder = this.#device.createCommandEncoder();
		const pass = encoder.beginComputePass({
			timestampWrites: { querySet: q.set, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 },
		});
		record(pass, dispatches);
		pass.end();
		encoder.resolveQuerySet(q.set, 0, 2, q.resolved, 0);
		encoder.copyBufferToBuffer(q.resolved, 0, q.readable, 0, 16);
		this.#device.queue.submit([encoder.finish()]);
		await q.readable.mapAsync(GPUMapMode.READ);
		const [begin, end] = new BigUint64Array(q.readable.getMappedRange().slice(0));
		q.readable.unmap();
		return Number(end - begin) / dispatches;
	}

	#makeQueries() {
		const usage = GPUBufferUsage;
		return {
			set: this.#device.createQuerySet({ type: 'timestamp', count: 2 }),
			resolved: this.#device.createBuffer({ size: 16, usage: usage.QUERY_RESOLVE | usage.COPY_SRC }),
			readable: this.#device.createBuffer({ size: 16, usage: usage.COPY_DST | usage.MAP_READ }),
		};
	}

	destroy() {
		this.#queries?.set.destroy();
		this.#queries?.resolved.destroy();
		this.#queries?.readable.destroy();
		this.#queries = null;
	}
}
