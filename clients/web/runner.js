// SPDX-License-Identifier: Apache-2.0
//
// Runs a kernel artifact in WebGPU: makes the pipeline, the bind groups and the dispatch from what
// the artifact says, and times it. Knows nothing of the daemon; any artifact in the daemon's format
// will do. Nothing about an operator is known here: the bindings say it all. Where the artifact leaves
// dimensions open, every call may say what they are now: { m: 37 }, or [37] in the artifact's order.

import { NnjitError } from './problem.js';
import { arrayOf, bytesAt, dimsOf, workgroupsAt } from './tensor.js';

const SUBMISSION_NS = 40e6; // no submission longer than this: drivers reset what looks like a hang
const UNIFORMS_KEPT = 64; // blocks of dimensions used lately
const GROUPS_KEPT = 16; // bind groups of the same first buffer

function checkDevice(device, artifact) {
	for (const feature of artifact.required_features ?? [])
		if (!device.features.has(feature))
			throw new NnjitError('missing-feature', `The kernel needs the feature '${feature}': request it ` +
				'with requestDevice({ requiredFeatures }).', { field: feature });
	const language = globalThis.navigator?.gpu?.wgslLanguageFeatures;
	for (const feature of artifact.required_language_features ?? [])
		if (language && !language.has(feature))
			throw new NnjitError('missing-feature', `The kernel needs the WGSL feature '${feature}', which this browser lacks: ` +
				'ask for one without it.', { field: feature });
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

function upload(device, buffer, data) {
	const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength), whole = bytes.length & ~3;
	device.queue.writeBuffer(buffer, 0, bytes, 0, whole);
	if (whole === bytes.length) // writes are of whole words
		return;
	const rest = new Uint8Array(4);
	rest.set(bytes.subarray(whole));
	device.queue.writeBuffer(buffer, whole, rest);
}

// The buffer of the tensor `name` as the typed array that fits its elements.
async function readBuffer(device, artifact, buffer, name, dims) {
	const binding = artifact.bindings.find(tensor => tensor.name === name && tensor.type !== 'uniform');
	if (!binding)
		throw new NnjitError('bad-buffers', `The kernel of ${artifact.op} has no binding '${name}'.`, { field: name });
	const copy = device.createBuffer({ size: buffer.size, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ });
	const encoder = device.createCommandEncoder();
	encoder.copyBufferToBuffer(buffer, 0, copy, 0, buffer.size);
	device.queue.submit([encoder.finish()]);
	await copy.mapAsync(GPUMapMode.READ);
	const bytes = copy.getMappedRange().slice(0);
	copy.destroy();
	return arrayOf(artifact, binding, dimsOf(artifact, dims), bytes);
}

export class Runner {
	#device;
	#layout;
	#offsets;
	#groups = new WeakMap(); // first buffer -> [[buffers], group]: lets go with the buffers
	#uniforms = new Map(); // values of the open dimensions -> their block, the one used last at the end
	#queries = null;

	// offsets: where in its buffer each binding's tensor begins, for a part of a larger operator.
	constructor(device, artifact, layout, pipeline, offsets = []) {
		this.#device = device;
		this.#layout = layout;
		this.#offsets = offsets;
		this.artifact = artifact;
		this.pipeline = pipeline;
	}

	// New buffers for every tensor, by name, as large as these dimensions take. `inputs` may hold typed arrays
	// to upload, or GPUBuffers to use as they are. The caller owns (and destroys) what is made here.
	allocate(inputs = {}, dims) {
		const buffers = {}, values = dimsOf(this.artifact, dims);
		for (const binding of this.#tensors()) {
			const { name } = binding, given = inputs[name];
			if (given && !ArrayBuffer.isView(given)) {
				buffers[name] = given;
				continue;
			}
			const size = this.#bytes(binding, values);
			if (given?.byteLength > size)
				throw new NnjitError('bad-buffers', `The data for '${name}' has ${given.byteLength} bytes, the kernel takes ${size}.`,
					{ field: name });
			buffers[name] = this.#device.createBuffer({
				label: name, size, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC,
			});
			if (given)
				upload(this.#device, buffers[name], given);
		}
		return buffers;
	}

	// The buffers with constant inputs laid out as this kernel wants them: those that it wants so (artifact.prepare)
	// are new ones, the caller's to destroy, the others as they were given. To be done once.
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

	#tensors() {
		return this.artifact.bindings.filter(({ type }) => type !== 'uniform');
	}

	// Of a tensor's buffer; refuses what the device cannot bind.
	#bytes(binding, values) {
		const bytes = bytesAt(this.artifact, binding, values), most = this.#device.limits?.maxStorageBufferBindingSize;
		if (bytes > most)
			throw new NnjitError('missing-feature', `The binding '${binding.name}' takes ${bytes} bytes, the device binds at most ` +
				`${most}: request more with requestDevice({ requiredLimits }).`, { field: 'maxStorageBufferBindingSize' });
		return bytes;
	}

	// The bind group for buffers given by name or in binding order; made once, then remembered.
	bindGroup(buffers, dims) {
		return this.#group(buffers, dimsOf(this.artifact, dims));
	}

	#group(buffers, values) {
		const list = this.#listed(buffers, values);
		const known = this.#groups.get(list[0]) ?? [];
		const hit = known.find(([others]) => others.every((buffer, i) => buffer === list[i]));
		if (hit)
			return hit[1];
		const group = this.#device.createBindGroup({
			label: this.artifact.op, layout: this.#layout,
			entries: this.artifact.bindings.map(({ binding }, i) =>
				({ binding, resource: { buffer: list[i], offset: this.#offsets[i] ?? 0, size: this.#span(list[i], i, values) } })),
		});
		this.#groups.set(list[0], [...known.slice(1 - GROUPS_KEPT), [list, group]]);
		return group;
	}

	// What is bound of a buffer: the tensor from its offset on. Columns of a larger output end with the buffer.
	#span(buffer, i, values) {
		const binding = this.artifact.bindings[i];
		if (binding.type === 'uniform' || !this.#offsets.length)
			return buffer.size;
		return Math.min(this.#bytes(binding, values), buffer.size - this.#offsets[i]);
	}

	#listed(buffers, values) {
		return this.artifact.bindings.map((binding, i) => {
			const { name, type } = binding;
			if (type === 'uniform')
				return this.#uniform(values);
			const buffer = Array.isArray(buffers) ? buffers[i] : buffers[name];
			if (!buffer)
				throw new NnjitError('bad-buffers', `The binding '${name}' has no buffer.`, { field: name });
			const bytes = this.#offsets.length ? 0 : this.#bytes(binding, values);
			if (buffer.size < bytes)
				throw new NnjitError('bad-buffers', `The buffer for '${name}' has ${buffer.size} bytes, the kernel ` +
					`needs ${bytes}.`, { field: name });
			return buffer;
		});
	}

	// The uniform block with these values. What is let go may still be in recorded commands, so it is left to
	// the garbage collector.
	#uniform(values) {
		const key = values.join();
		let block = this.#uniforms.get(key);
		if (!block) {
			block = this.#device.createBuffer({ label: `${this.artifact.op} (${key})`, size: 16, usage: GPUBufferUsage.UNIFORM,
				mappedAtCreation: true });
			new Uint32Array(block.getMappedRange()).set(values);
			block.unmap();
		}
		this.#uniforms.delete(key);
		this.#uniforms.set(key, block);
		if (this.#uniforms.size > UNIFORMS_KEPT)
			this.#uniforms.delete(this.#uniforms.keys().next().value);
		return block;
	}

	// Records the dispatch into a command encoder or an open compute pass; with neither, submits it.
	run(buffers, into, dims) {
		const dispatch = this.#prepare(buffers, dims);
		if (into && 'dispatchWorkgroups' in into)
			return dispatch(into, 1);
		const encoder = into ?? this.#device.createCommandEncoder({ label: this.artifact.op });
		const pass = encoder.beginComputePass({ label: this.artifact.op });
		dispatch(pass, 1);
		pass.end();
		if (!into)
			this.#device.queue.submit([encoder.finish()]);
	}

	// A function that records so many dispatches into a pass; all that can be refused is refused here.
	#prepare(buffers, dims) {
		const values = dimsOf(this.artifact, dims), workgroups = workgroupsAt(this.artifact, values);
		const most = this.#device.limits?.maxComputeWorkgroupsPerDimension;
		if (workgroups.some(count => count > most))
			throw new NnjitError('bad-dims', `With dimensions ${values.join(', ')} the kernel of ${this.artifact.op} needs ` +
				`${Math.max(...workgroups)} workgroups in one dimension, the device allows ${most}.`);
		const group = this.#group(buffers, values);
		return (pass, times) => {
			pass.setPipeline(this.pipeline);
			pass.setBindGroup(0, group);
			for (let i = 0; i < times; i++)
				pass.dispatchWorkgroups(...workgroups);
		};
	}

	// Time of one dispatch: median and median absolute deviation over `samples` submissions, each
	// holding as many dispatches as fit `budgetMs` (at most 40 ms). By GPU timestamps where the device has
	// `timestamp-query`, else by waiting for the queue (`source` tells which).
	async time(buffers, { samples = 5, budgetMs = 30, warmup = true, dims } = {}) {
		const source = this.#device.features.has('timestamp-query') ? 'timestamp-query' : 'queue';
		const dispatch = this.#prepare(buffers, dims);
		const measure = source === 'queue' ? n => this.#wall(dispatch, n) : n => this.#stamped(dispatch, n);
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

	async #wall(dispatch, dispatches) {
		const encoder = this.#device.createCommandEncoder();
		const pass = encoder.beginComputePass();
		dispatch(pass, dispatches);
		pass.end();
		await this.#device.queue.onSubmittedWorkDone();
		const start = performance.now();
		this.#device.queue.submit([encoder.finish()]);
		await this.#device.queue.onSubmittedWorkDone();
		return (performance.now() - start) * 1e6 / dispatches;
	}

	async #stamped(dispatch, dispatches) {
		const q = this.#queries ??= this.#makeQueries();
		const encoder = this.#device.createCommandEncoder();
		const pass = encoder.beginComputePass({
			timestampWrites: { querySet: q.set, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 },
		});
		dispatch(pass, dispatches);
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

	// Copies back the buffer of the tensor `name` (the output), as the typed array that fits its elements: of
	// bytes for u4, of bits for f16 where there is no Float16Array (toNumbers() makes numbers of both). Slow:
	// for checks and small results.
	read(buffer, name = this.#tensors().find(({ type }) => type === 'storage').name, dims) {
		return readBuffer(this.#device, this.artifact, buffer, name, dims);
	}

	// Frees what the runner made for itself. The pipeline needs no freeing; buffers are the caller's.
	destroy() {
		this.#uniforms.forEach(block => block.destroy());
		this.#uniforms.clear();
		this.#queries?.set.destroy();
		this.#queries?.resolved.destroy();
		this.#queries?.readable.destroy();
		this.#queries = null;
	}
}

// An operator whose tensors are larger than a binding may be: dispatches one after another over parts of
// the same buffers. To be used as a Runner; `artifact.parts` says which kernel runs where.
class PartsRunner {
	#device;
	#parts;

	constructor(device, artifact, parts) {
		this.#device = device;
		this.#parts = parts;
		this.artifact = artifact;
	}

	allocate(inputs = {}) {
		const buffers = {}, usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
		for (const { name, bytes } of this.artifact.bindings) {
			const given = inputs[name];
			buffers[name] = given && !ArrayBuffer.isView(given) ? given : this.#device.createBuffer({ label: name, size: bytes, usage });
			if (given && ArrayBuffer.isView(given))
				upload(this.#device, buffers[name], given);
		}
		return buffers;
	}

	async prepare(buffers) {
		return buffers;
	}

	run(buffers, into) {
		const encoder = into ?? this.#device.createCommandEncoder({ label: this.artifact.op });
		for (const part of this.#parts)
			part.run(buffers, encoder);
		if (!into)
			this.#device.queue.submit([encoder.finish()]);
	}

	// The sum over the parts, as they run one after another; `samples` is of each.
	async time(buffers, options) {
		const times = [];
		for (const part of this.#parts)
			times.push(await part.time(buffers, options));
		const sum = member => times.reduce((total, time) => total + time[member], 0);
		return { ...times[0], median_ns: sum('median_ns'), mad_ns: sum('mad_ns'), min_ns: sum('min_ns') };
	}

	read(buffer, name = this.artifact.bindings.find(({ type }) => type === 'storage').name) {
		return readBuffer(this.#device, this.artifact, buffer, name);
	}

	destroy() {
		this.#parts.forEach(part => part.destroy());
	}
}

export async function createRunner(device, artifact) {
	checkDevice(device, artifact);
	if (!artifact.parts) {
		const { layout, pipeline } = await createPipeline(device, artifact);
		return new Runner(device, artifact, layout, pipeline);
	}
	artifact.kernels.forEach(kernel => checkDevice(device, kernel));
	const made = await Promise.all(artifact.kernels.map(kernel => createPipeline(device, kernel)));
	return new PartsRunner(device, artifact, artifact.parts.map(({ kernel, offsets }) =>
		new Runner(device, artifact.kernels[kernel], made[kernel].layout, made[kernel].pipeline, offsets)));
}
