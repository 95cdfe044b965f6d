// SPDX-License-Identifier: Apache-2.0
//
// What WebGPU code dispatches, recorded as it runs and timed again by itself: the same pipelines on the
// same bind groups, many times over in one compute pass between two timestamps. This is the time of the
// kernels alone, alike for whoever made them: no library call, no JavaScript, no submission is in it. Copies
// and writes between dispatches are not repeated, which favours whoever needs them. The recorded
// objects must still exist, and nothing else may have used their buffers since.

const SUBMISSION_MS = 40; // no submission longer than this: drivers reset what looks like a hang

let log = null; // where to, while recording

function patch(prototype, name, before) {
	const real = prototype[name];
	prototype[name] = function (...args) {
		if (log)
			before(this, args);
		return real.apply(this, args);
	};
}

const passes = new WeakMap(); // pass -> { pipeline, groups }
const stateOf = pass => passes.get(pass) ?? passes.set(pass, { pipeline: null, groups: [] }).get(pass);

// Once, before any device is made: every device is asked for timestamps too.
export function install() {
	const pass = GPUComputePassEncoder.prototype, { requestDevice } = GPUAdapter.prototype;
	patch(pass, 'setPipeline', (self, [pipeline]) => { stateOf(self).pipeline = pipeline; });
	patch(pass, 'setBindGroup', (self, [index, group, offsets, start, count]) => {
		stateOf(self).groups[index] = [group, offsets && [...(count === undefined ? offsets : offsets.slice(start, start + count))]];
	});
	const note = name => patch(pass, name, (self, args) => {
		const { pipeline, groups } = stateOf(self);
		log.push({ pipeline, groups: [...groups], name, args });
	});
	note('dispatchWorkgroups');
	note('dispatchWorkgroupsIndirect');
	GPUAdapter.prototype.requestDevice = function (descriptor = {}) {
		const features = new Set([...descriptor.requiredFeatures ?? [], 'timestamp-query']);
		return requestDevice.call(this, { ...descriptor, requiredFeatures: [...features].filter(name => this.features.has(name)) });
	};
}

// The dispatches that `work` records or submits.
export async function record(work) {
	log = [];
	try {
		await work();
		return log;
	} finally {
		log = null;
	}
}

function dispatch(pass, { pipeline, groups, name, args }) {
	pass.setPipeline(pipeline);
	groups.forEach(([group, offsets], index) => offsets ? pass.setBindGroup(index, group, offsets) : pass.setBindGroup(index, group));
	pass[name](...args);
}

function encode(device, dispatches, times, timestampWrites) {
	const encoder = device.createCommandEncoder();
	const pass = encoder.beginComputePass(timestampWrites && { timestampWrites });
	for (let i = 0; i < times; i++)
		dispatches.forEach(one => dispatch(pass, one));
	pass.end();
	return encoder;
}

// Replays recorded dispatches on their device.
export class Replay {
	#device;
	#dispatches;
	#set;
	#resolved;
	#readable;

	constructor(device, dispatches) {
		if (!dispatches.length)
			throw new Error('nothing was dispatched: the contender did not use this device');
		this.#device = device;
		this.#dispatches = dispatches;
		this.#set = device.createQuerySet({ type: 'timestamp', count: 2 });
		this.#resolved = device.createBuffer({ size: 16, usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC });
		this.#readable = device.createBuffer({ size: 16, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ });
	}

	get length() {
		return this.#dispatches.length;
	}

	// GPU milliseconds of one repetition, by timestamps around `times` of them.
	async stamped(times) {
		const encoder = encode(this.#device, this.#dispatches, times,
			{ querySet: this.#set, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 });
		encoder.resolveQuerySet(this.#set, 0, 2, this.#resolved, 0);
		encoder.copyBufferToBuffer(this.#resolved, 0, this.#readable, 0, 16);
		this.#device.queue.submit([encoder.finish()]);
		await this.#readable.mapAsync(GPUMapMode.READ);
		const [begin, end] = new BigUint64Array(this.#readable.getMappedRange().slice(0));
		this.#readable.unmap();
		return Number(end - begin) / 1e6 / times;
	}

	// Wall milliseconds of one repetition: `batches` submissions, one wait.
	async wall(times, batches) {
		await this.#device.queue.onSubmittedWorkDone();
		const commands = Array.from({ length: batches }, () => encode(this.#device, this.#dispatches, times).finish());
		const start = performance.now();
		this.#device.queue.submit(commands);
		await this.#device.queue.onSubmittedWorkDone();
		return (performance.now() - start) / times / batches;
	}

	// How many repetitions fill so many milliseconds of one submission.
	async size(budgetMs) {
		await this.stamped(1); // the driver may compile at the first dispatch
		let times = 1, ms = await this.stamped(1);
		while (ms * times < 0.5 && times < 256) // too short for the clock
			ms = await this.stamped(times *= 8);
		return Math.max(1, Math.min(2000, Math.floor(Math.min(budgetMs, SUBMISSION_MS) / Math.max(ms, 1e-4))));
	}

	destroy() {
		[this.#set, this.#resolved, this.#readable].forEach(object => object.destroy());
	}
}
