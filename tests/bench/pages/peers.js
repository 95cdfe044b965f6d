// SPDX-License-Identifier: Apache-2.0
//
// Runs in the page, or in Node where dawn.mjs makes it look like one: nnjit's kernel, TensorFlow.js and
// ONNX Runtime Web on the same adapter, in turns. Each contender is prepared once an operator: inputs on the
// GPU, one result checked against f64. A measurement queues dispatches and waits once (which way, each
// contender's `how` says), or, with clock 'gpu', times what the contender dispatched between timestamps.
// What an operator is to each of them is operators.js's.

import { createRunner } from '/web/runtime/runner.js';
import { compare, randomArray } from '/web/testing/reference.js';
import { fromNumbers, toNumbers } from '/web/runtime/tensor.js';
import { Replay } from './capture.js';
import { median, openDevice } from './kernels.js';
import { onnxModel } from './onnx.js';
import { inputsFor, operatorOf, outputFrom, outputShapeFor, sampleOf, withOrt } from './operators.js';

const inNode = typeof document === 'undefined';

// ---- Inputs. In f16 they are multiples of 1/1024 in [-1, 1], which f16 holds exactly: a table encodes them.

const STEPS = 1024;
let halves = null;

function encoded(dtype, values) {
	if (dtype === 'f32')
		return values;
	halves ??= new Uint16Array(fromNumbers('f16', Array.from({ length: 2 * STEPS + 2 }, (_, i) => i / STEPS - 1)).buffer);
	const out = new Uint16Array(Math.ceil(values.length / 2) * 2);
	for (let i = 0; i < values.length; i++)
		out[i] = halves[values[i] * STEPS + STEPS];
	return out;
}

function randomInput(dtype, shape, seed) {
	const values = randomArray(shape.reduce((x, y) => x * y, 1), seed);
	if (dtype === 'f16')
		for (let i = 0; i < values.length; i++)
			values[i] = Math.round(values[i] * STEPS) / STEPS;
	return values;
}

// ---- Contenders.

function loadScript(src) {
	return new Promise((resolve, reject) => {
		const script = document.createElement('script');
		Object.assign(script, { src, onload: resolve, onerror: () => reject(new Error(`cannot load ${src}`)) });
		document.head.append(script);
	});
}

async function nnjitContender(task, inputs, { artifact }) {
	const { device } = await openDevice([artifact]);
	const runner = await createRunner(device, artifact);
	const buffers = runner.allocate(Object.fromEntries(Object.entries(inputs).map(
		([name, values]) => [name, encoded(task.dtype, values)])));
	return {
		device,
		how: 'createRunner().run() per dispatch (one command buffer each), then queue.onSubmittedWorkDone()',
		async run(times) {
			for (let i = 0; i < times; i++)
				runner.run(buffers);
			await device.queue.onSubmittedWorkDone();
		},
		async result() {
			device.queue.writeBuffer(buffers.out, 0, new Uint32Array(buffers.out.size / 4).fill(-1));
			runner.run(buffers);
			return toNumbers(task.dtype, await runner.read(buffers.out));
		},
		destroy: () => device.destroy(),
	};
}

async function loadTfjs() {
	if (globalThis.tf)
		return globalThis.tf;
	const paths = inNode ? ['core', 'backend-webgpu'].map(name => `/npm/@tensorflow/tfjs-${name}/dist/tf-${name}.node.js`) :
		['core', 'backend-cpu', 'backend-webgpu'].map(name => `/npm/@tensorflow/tfjs-${name}/dist/tf-${name}.min.js`);
	for (const path of paths)
		if (inNode) { // the first is the core
			const { default: library } = await import(path);
			globalThis.tf ??= library;
		} else
			await loadScript(path); // it makes globalThis.tf
	await globalThis.tf.setBackend('webgpu');
	await globalThis.tf.ready();
	if (globalThis.tf.getBackend() !== 'webgpu')
		throw new Error('TensorFlow.js did not take its webgpu backend');
	return globalThis.tf;
}

async function tfjsContender(task, inputs) {
	const tf = await loadTfjs(), backend = tf.backend(), { op, entry } = task;
	const tensors = Object.fromEntries(Object.entries(inputsFor(task, 'tfjs', inputs)).map(
		([name, { values, shape }]) => [name, tf.tensor(values, shape)]));
	const once = () => tf.tidy(() => entry.tf(tf, op, tensors));
	return {
		device: backend.device,
		how: 'its calls per dispatch, results disposed; queue flushed, then queue.onSubmittedWorkDone()',
		async run(times) {
			for (let i = 0; i < times; i++)
				once().dispose();
			if (backend.commandEncoder) {
				backend.endComputePassEncoder();
				backend.submitQueue();
			}
			await backend.queue.onSubmittedWorkDone();
		},
		async result() {
			const out = once(), values = await out.data();
			out.dispose();
			return outputFrom(task, 'tfjs', values);
		},
		destroy: () => Object.values(tensors).forEach(tensor => tensor.dispose()),
	};
}

let ort = null;
async function loadOrt(bundle, npm = '/npm') {
	if (ort)
		return ort;
	ort = await import(`/npm/onnxruntime-web/dist/${bundle}`);
	ort.env.wasm.wasmPaths = `${npm}/onnxruntime-web/dist/`;
	ort.env.wasm.numThreads = 1;
	ort.env.logLevel = 'error';
	return ort;
}

function modelOf(task, given) {
	const { op, entry, dtype } = task;
	const inputs = Object.fromEntries(Object.entries(given).map(([name, { shape }]) => [name, shape]));
	return { dtype, inputs, scalars: entry.scalars?.(op), output: { name: 'out', shape: outputShapeFor(task, 'ort') }, nodes: entry.onnx(op) };
}

async function ortContender(task, inputs, { ortBundle, npm, provider = {} }) {
	const { InferenceSession, Tensor, env } = await loadOrt(ortBundle, npm);
	const data = inputsFor(task, 'ort', inputs), model = modelOf(task, data);
	const session = await InferenceSession.create(onnxModel(model), { executionProviders: [{ name: 'webgpu', ...provider }] });
	const device = await env.webgpu.device, usage = GPUBufferUsage;
	const onGpu = (dims, values) => {
		const size = (task.dtype === 'f16' ? 2 : 4) * dims.reduce((x, y) => x * y, 1);
		const buffer = device.createBuffer({ size: Math.ceil(size / 16) * 16,
			usage: usage.STORAGE | usage.COPY_DST | usage.COPY_SRC });
		if (values)
			device.queue.writeBuffer(buffer, 0, encoded(task.dtype, values));
		return { buffer, tensor: Tensor.fromGpuBuffer(buffer, { dataType: task.dtype === 'f16' ? 'float16' : 'float32', dims }) };
	};
	const given = Object.entries(data).map(([name, { values, shape }]) => [name, onGpu(shape, values)]);
	const out = onGpu(model.output.shape);
	const feeds = Object.fromEntries(given.map(([name, { tensor }]) => [name, tensor])), fetches = { out: out.tensor };
	return {
		device,
		how: 'session.run() per dispatch, GPU-buffer inputs and preallocated GPU-buffer output, then queue.onSubmittedWorkDone()',
		async run(times) {
			for (let i = 0; i < times; i++)
				await session.run(feeds, fetches);
			await device.queue.onSubmittedWorkDone();
		},
		async result() {
			device.queue.writeBuffer(out.buffer, 0, new Uint32Array(out.buffer.size / 4).fill(-1));
			await session.run(feeds, fetches);
			const bytes = await readBack(device, out.buffer, out.buffer.size);
			const values = task.dtype === 'f16' ? new Uint16Array(bytes, 0, task.elements) : new Float32Array(bytes, 0, task.elements);
			return outputFrom(task, 'ort', toNumbers(task.dtype, values));
		},
		async destroy() {
			await session.release();
			[...given.map(([, g]) => g), out].forEach(({ buffer }) => buffer.destroy());
		},
	};
}

async function readBack(device, buffer, size) {
	const copy = device.createBuffer({ size, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ });
	const encoder = device.createCommandEncoder();
	encoder.copyBufferToBuffer(buffer, 0, copy, 0, size);
	device.queue.submit([encoder.finish()]);
	await copy.mapAsync(GPUMapMode.READ);
	const bytes = copy.getMappedRange().slice(0);
	copy.destroy();
	return bytes;
}

async function timed(contender, times) {
	const start = performance.now();
	await contender.run(times);
	return (performance.now() - start) / times;
}

// ---- Measuring.

// Warm up, size the measurement, check the numbers.
async function prepare(contender, want, elements, budgetMs) {
	const error = compare(await contender.result(), want, elements);
	await timed(contender, 2);
	const pilot = Math.min(await timed(contender, 2), await timed(contender, 2));
	const times = Math.max(2, Math.min(200, Math.round(budgetMs / pilot)));
	return { contender, measure: () => timed(contender, times), times, max_rel_err: error.max_rel_err, ms: [], how: contender.how };
}

async function prepareReplay(contender, want, elements, budgetMs) {
	const error = compare(await contender.result(), want, elements);
	const replay = new Replay(contender.device), once = () => contender.run(1);
	const kernels = await replay.take(once), times = await replay.size(budgetMs);
	const fresh = measure => async () => {
		await replay.take(once);
		return measure();
	};
	return { contender, measure: fresh(() => replay.stamped(times)), wall: fresh(() => replay.wall(times, 4)), times, kernels,
		max_rel_err: error.max_rel_err, ms: [], how: 'timestamps around its dispatches, repeated in one pass', destroy: () => replay.destroy() };
}

const makers = { nnjit: nnjitContender, tfjs: tfjsContender, ort: ortContender };

// Who takes part: [name, task, maker, options]. ONNX Runtime enters once for each way to put it.
function contendersOf(task, options) {
	return (options.contenders ?? Object.keys(makers)).filter(name => name !== 'tfjs' || task.dtype === 'f32').flatMap(name =>
		name !== 'ort' ? [[name, task, makers[name], options]] : Object.entries(options.variants ? withOrt(task) : { ort: { task } }).map(
			([variant, { task: own, provider }]) => [variant, own, ortContender, { ...options, provider }]));
}

function summaryOf({ ms, times, max_rel_err, how, kernels, wall_ms }) {
	return { median_ms: median(ms), min_ms: Math.min(...ms), dispatches: times, max_rel_err, how, kernels, wall_ms };
}

// One operator: rounds in which every contender is measured once, in an order that turns. A contender that
// cannot be had (an operator it lacks, say) is { failure }, if `lenient`.
export async function measure(text, artifact, { rounds = 7, budgetMs = 250, clock = 'queue', lenient = false, ...options }) {
	const task = operatorOf(text), elements = sampleOf(task, options.sampleWork);
	const inputs = Object.fromEntries(Object.entries(task.shapes).map(([name, shape], i) => [name, randomInput(task.dtype, shape, 1 + i)]));
	const want = Float64Array.from(elements, element => task.entry.at(task.op, inputs, element)), trials = {}, failures = {};
	for (const [name, own, make, given] of contendersOf(task, { ...options, artifact }))
		try {
			trials[name] = await (clock === 'gpu' ? prepareReplay : prepare)(await make(own, inputs, given), want, elements, budgetMs);
		} catch (error) {
			if (!lenient)
				throw error;
			failures[name] = { failure: error.message };
		}
	const list = Object.values(trials);
	for (let round = 0; round < rounds; round++)
		for (let i = 0; i < list.length; i++) {
			const trial = list[(round + i) % list.length];
			trial.ms.push(await trial.measure());
		}
	for (const trial of list) {
		trial.wall_ms = await trial.wall?.();
		trial.destroy?.();
		await trial.contender.destroy();
	}
	return { ...Object.fromEntries(Object.entries(trials).map(([name, trial]) => [name, summaryOf(trial)])), ...failures };
}

export async function adapterText() {
	const { vendor, architecture, description } = (await navigator.gpu.requestAdapter()).info;
	return [vendor, architecture, description].filter(Boolean).join(' ');
}
