// SPDX-License-Identifier: Apache-2.0
//
// Runs in the page: nnjit's kernel, TensorFlow.js and ONNX Runtime Web on the same adapter, in turns.
// Each contender is prepared once an operator: inputs on the GPU, one result checked against f64. A
// measurement queues dispatches and waits once; which way, each contender's `how` says. What an
// operator is to each of them is operators.js's.

import { createRunner } from '/web/runner.js';
import { compare, randomArray } from '/web/reference.js';
import { median, openDevice } from './kernels.js';
import { onnxModel } from './onnx.js';
import { inputsFor, operatorOf, outputFrom, outputShapeFor, sampleOf } from './operators.js';

function loadScript(src) {
	return new Promise((resolve, reject) => {
		const script = document.createElement('script');
		Object.assign(script, { src, onload: resolve, onerror: () => reject(new Error(`cannot load ${src}`)) });
		document.head.append(script);
	});
}

async function nnjitContender(task, inputs, artifact) {
	const { device } = await openDevice([artifact]);
	const runner = await createRunner(device, artifact);
	const buffers = runner.allocate(inputs);
	return {
		how: 'createRunner().run() per dispatch (one command buffer each), then queue.onSubmittedWorkDone()',
		async run(times) {
			for (let i = 0; i < times; i++)
				runner.run(buffers);
			await device.queue.onSubmittedWorkDone();
		},
		async result() {
			device.queue.writeBuffer(buffers.out, 0, new Float32Array(buffers.out.size / 4).fill(NaN));
			runner.run(buffers);
			return runner.read(buffers.out);
		},
		destroy: () => device.destroy(),
	};
}

async function loadTfjs() {
	if (globalThis.tf)
		return globalThis.tf;
	await loadScript('/npm/@tensorflow/tfjs-core/dist/tf-core.min.js');
	await loadScript('/npm/@tensorflow/tfjs-backend-cpu/dist/tf-backend-cpu.min.js');
	await loadScript('/npm/@tensorflow/tfjs-backend-webgpu/dist/tf-backend-webgpu.min.js');
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
async function loadOrt(bundle) {
	if (ort)
		return ort;
	ort = await import(`/npm/onnxruntime-web/dist/${bundle}`);
	ort.env.wasm.wasmPaths = '/npm/onnxruntime-web/dist/';
	ort.env.wasm.numThreads = 1;
	ort.env.logLevel = 'error';
	return ort;
}

function modelOf(task, given) {
	const { op, entry } = task;
	const inputs = Object.fromEntries(Object.entries(given).map(([name, { shape }]) => [name, shape]));
	return { inputs, scalars: entry.scalars?.(op), output: { name: 'out', shape: outputShapeFor(task, 'ort') }, nodes: entry.onnx(op) };
}

async function ortContender(task, inputs, artifact, bundle) {
	const { InferenceSession, Tensor, env } = await loadOrt(bundle);
	const data = inputsFor(task, 'ort', inputs), model = modelOf(task, data);
	const session = await InferenceSession.create(onnxModel(model), { executionProviders: ['webgpu'] });
	const device = await env.webgpu.device, usage = GPUBufferUsage;
	const onGpu = (dims, values) => {
		const size = 4 * dims.reduce((x, y) => x * y, 1);
		const buffer = device.createBuffer({ size: Math.ceil(size / 16) * 16,
			usage: usage.STORAGE | usage.COPY_DST | usage.COPY_SRC });
		if (values)
			device.queue.writeBuffer(buffer, 0, values);
		return { buffer, tensor: Tensor.fromGpuBuffer(buffer, { dataType: 'float32', dims }) };
	};
	const given = Object.entries(data).map(([name, { values, shape }]) => [name, onGpu(shape, values)]);
	const out = onGpu(model.output.shape), bytes = 4 * task.elements;
	const feeds = Object.fromEntries(given.map(([name, { tensor }]) => [name, tensor])), fetches = { out: out.tensor };
	return {
		how: 'session.run() per dispatch, GPU-buffer inputs and preallocated GPU-buffer output, then queue.onSubmittedWorkDone()',
		async run(times) {
			for (let i = 0; i < times; i++)
				await session.run(feeds, fetches);
			await device.queue.onSubmittedWorkDone();
		},
		async result() {
			device.queue.writeBuffer(out.buffer, 0, new Float32Array(task.elements).fill(NaN));
			await session.run(feeds, fetches);
			return outputFrom(task, 'ort', await readBack(device, out.buffer, bytes));
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
	const values = new Float32Array(copy.getMappedRange().slice(0));
	copy.destroy();
	return values;
}

async function timed(contender, times) {
	const start = performance.now();
	await contender.run(times);
	return (performance.now() - start) / times;
}

// Warm up, size the measurement, check the numbers.
async function prepare(contender, want, elements, budgetMs) {
	const error = compare(await contender.result(), want, elements);
	await timed(contender, 2);
	const pilot = Math.min(await timed(contender, 2), await timed(contender, 2));
	const times = Math.max(2, Math.min(200, Math.round(budgetMs / pilot)));
	return { contender, times, max_rel_err: error.max_rel_err, ms: [], how: contender.how };
}

// One operator: rounds in which every contender is measured once, in an order that turns.
export async function measure(text, artifact, { rounds = 7, budgetMs = 250, ortBundle }) {
	const task = operatorOf(text), elements = sampleOf(task);
	const inputs = Object.fromEntries(Object.entries(task.shapes).map(([name, shape], i) =>
		[name, randomArray(shape.reduce((x, y) => x * y, 1), 1 + i)]));
	const want = Float64Array.from(elements, element => task.entry.at(task.op, inputs, element));
	const makers = { nnjit: nnjitContender, tfjs: tfjsContender, ort: ortContender }, trials = {};
	for (const [name, make] of Object.entries(makers))
		trials[name] = await prepare(await make(task, inputs, artifact, ortBundle), want, elements, budgetMs);
	const names = Object.keys(trials);
	for (let round = 0; round < rounds; round++)
		for (let i = 0; i < names.length; i++) {
			const t = trials[names[(round + i) % names.length]];
			t.ms.push(await timed(t.contender, t.times));
		}
	for (const t of Object.values(trials))
		await t.contender.destroy();
	return Object.fromEntries(names.map(name => [name, { median_ms: median(trials[name].ms), min_ms: Math.min(...trials[name].ms),
		dispatches: trials[name].times, max_rel_err: trials[name].max_rel_err, how: trials[name].how }]));
}

export async function adapterText() {
	const { vendor, architecture, description } = (await navigator.gpu.requestAdapter()).info;
	return [vendor, architecture, description].filter(Boolean).join(' ');
}
