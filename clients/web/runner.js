// SPDX-License-Identifier: Apache-2.0
//
// Runs a kernel artifact in WebGPU: makes the pipeline, the bind groups and the dispatch from what
// the artifact says, and times it. Knows nothing of the daemon; any artifact in the daemon's format
// will do. Nothing about an operator is known here: the bindings say it all.

import { NnjitError } from './problem.js';

const SUBMISSION_NS = 40e6; // no submission longer than this: drivers reset what looks like a hang

function checkDevice(device, artifact) {
	for (const feature of artifact.required_features ?? [])
		if (!device.features.has(feature))
			throw new NnjitError('missing-feature', `The kernel needs the feature '${feature}': request it ` +
				'with requestDevice({ requiredFeatures }).', { field: feature });
	for (const [limit, value] of Object.entries(artifact.required_limits ?? {}))
		if (!(device.limits[limit] >= value))
			throw new NnjitError('missing-feature', `The kernel needs ${limit} of ${value}, the device has ` +
				`${device.limits[limit]}: request it with requestDevice({ requiredLimits }).`, { field: limit });
}

async function createPipeline(device, artifact) {
	const layout = device.createBindGroupLayout({
		label: artifact.op,
		entries: artifact.bindings.map(({ binding, type }) =>
			({ binding, visibility: GPUShaderStage.COMPUTE, buffer: { type } })),
	});
	try {
		const pipeline = await device.createComputePipelineAsync({
			label: artifact.op,
			layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
			compute: {
				module: device.createShaderModule({ label: artifact.op, code: artifact.code }),
				entryPoint: artifact.entry_point,
			},
		});
		return { layout, pipeline };
	} catch (cause) {
		throw new NnjitError('bad-kernel', `WebGPU refused the kernel of ${artifact.op}: ${cause.message}`, { cause });
	}
}

function median(values) {
	const sorted = [...values].sort((x, y) => x - y);
	const middle = sorted.length >> 1;
	return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

export class Runner {
	#device;
	#layout;
	#groups = new WeakMap(); // first buffer -> [[buffers], group]: lets go with the buffers
	#queries = null;

	constructor(device, artifact, layout, pipeline) {
		this.#device = device;
		this.#layout = layout;
		this.artifact = artifact;
		this.pipeline = pipeline;
	}

	// New buffers for every binding, by name. `inputs` may hold typed arrays to upload, or GPUBuffers
	// to use as they are. The caller owns (and destroys) what is made here.
	allocate(inputs = {}) {
		const buffers = {};
		for (const { name, bytes, type } of this.artifact.bindings) {
			const given = inputs[name];
			if (given && !ArrayBuffer.isView(given)) {
				buffers[name] = given;
				continue;
			}
			buffers[name] = this.#device.createBuffer({
				label: name, size: Math.ceil(bytes / 4) * 4,
				usage: (type === 'uniform' ? GPUBufferUsage.UNIFORM : GPUBufferUsage.STORAGE) |
					GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC,
			});
			if (given)
				this.#device.queue.writeBuffer(buffers[name], 0, given);
		}
		return buffers;
	}

	// The bind group for buffers given by name or in binding order; made once, then remembered.
	bindGroup(buffers) {
		const list = this.#listed(buffers);
		const known = this.#groups.get(list[0]) ?? [];
		const hit = known.find(([others]) => others.every((buffer, i) => buffer === list[i]));
		if (hit)
			return hit[1];
		const group = this.#device.createBindGroup({
			label: this.artifact.op, layout: this.#layout,
			entries: this.artifact.bindings.map(({ binding }, i) => ({ binding, resource: { buffer: list[i] } })),
		});
		this.#groups.set(list[0], [...known.slice(-15), [list, group]]);
		return group;
	}

	#listed(buffers) {
		return this.artifact.bindings.map(({ name, bytes }, i) => {
			const buffer = Array.isArray(buffers) ? buffers[i] : buffers[name];
			if (!buffer)
				throw new NnjitError('bad-buffers', `The binding '${name}' has no buffer.`, { field: name });
			if (buffer.size < bytes)
				throw new NnjitError('bad-buffers', `The buffer for '${name}' has ${buffer.size} bytes, the kernel ` +
					`needs ${bytes}.`, { field: name });
			return buffer;
		});
	}

	// Records the dispatch into a command encoder or an open compute pass; with neither, submits it.
	run(buffers, into) {
		if (into && 'dispatchWorkgroups' in into)
			return this.#dispatch(into, buffers, 1);
		const encoder = into ?? this.#device.createCommandEncoder({ label: this.artifact.op });
		const pass = encoder.beginComputePass({ label: this.artifact.op });
		this.#dispatch(pass, buffers, 1);
		pass.end();
		if (!into)
			this.#device.queue.submit([encoder.finish()]);
	}

	#dispatch(pass, buffers, times) {
		pass.setPipeline(this.pipeline);
		pass.setBindGroup(0, this.bindGroup(buffers));
		for (let i = 0; i < times; i++)
			pass.dispatchWorkgroups(...this.artifact.workgroups);
	}

	// Time of one dispatch: median and median absolute deviation over `samples` submissions, each
	// holding as many dispatches as fit `budgetMs` (at most 40 ms). By GPU timestamps where the device has
	// `timestamp-query`, else by waiting for the queue (`source` tells which).
	async time(buffers, { samples = 5, budgetMs = 30, warmup = true } = {}) {
		const source = this.#device.features.has('timestamp-query') ? 'timestamp-query' : 'queue';
		const measure = source === 'queue' ? n => this.#wall(buffers, n) : n => this.#stamped(buffers, n);
		if (warmup)
			await measure(1); // the driver may compile at the first dispatch
		const pilot = Math.max(await measure(1), 1e3);
		const dispatches = Math.max(1, Math.min(2000, Math.floor(Math.min(budgetMs * 1e6, SUBMISSION_NS) / pilot)));
		const times = dispatches === 1 ? [pilot] : [];
		while (times.length < samples)
			times.push(await measure(dispatches));
		const middle = median(times);
		return { median_ns: middle, mad_ns: median(times.map(t => Math.abs(t - middle))), min_ns: Math.min(...times),
			samples: times.length, dispatches, source };
	}

	async #wall(buffers, dispatches) {
		const encoder = this.#device.createCommandEncoder();
		const pass = encoder.beginComputePass();
		this.#dispatch(pass, buffers, dispatches);
		pass.end();
		await this.#device.queue.onSubmittedWorkDone();
		const start = performance.now();
		this.#device.queue.submit([encoder.finish()]);
		await this.#device.queue.onSubmittedWorkDone();
		return (performance.now() - start) * 1e6 / dispatches;
	}

	async #stamped(buffers, dispatches) {
		const q = this.#queries ??= this.#makeQueries();
		const encoder = this.#device.createCommandEncoder();
		const pass = encoder.beginComputePass({
			timestampWrites: { querySet: q.set, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 },
		});
		this.#dispatch(pass, buffers, dispatches);
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

	// Copies a buffer back as f32. Slow: for checks and small results.
	async read(buffer) {
		const copy = this.#device.createBuffer({ size: buffer.size, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ });
		const encoder = this.#device.createCommandEncoder();
		encoder.copyBufferToBuffer(buffer, 0, copy, 0, buffer.size);
		this.#device.queue.submit([encoder.finish()]);
		await copy.mapAsync(GPUMapMode.READ);
		const values = new Float32Array(copy.getMappedRange().slice(0));
		copy.destroy();
		return values;
	}

	// Frees what time() made. The pipeline needs no freeing; buffers are the caller's.
	destroy() {
		this.#queries?.set.destroy();
		this.#queries?.resolved.destroy();
		this.#queries?.readable.destroy();
		this.#queries = null;
	}
}

export async function createRunner(device, artifact) {
	checkDevice(device, artifact);
	const { layout, pipeline } = await createPipeline(device, artifact);
	return new Runner(device, artifact, layout, pipeline);
}
