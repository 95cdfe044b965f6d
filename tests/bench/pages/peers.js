// SPDX-License-Identifier: Apache-2.0
//
// Runs in the page: nnjit's kernel, TensorFlow.js and ONNX Runtime Web on the same adapter, in turns.
// Each contender is prepared once an operator: inputs on the GPU, one result checked against f64. A
// measurement queues dispatches and waits once; which way, each contender's `how` says.

import { createRunner } from '/web/runner.js';
import { compare, randomInputs, referenceAt, sampleElements } from '/web/reference.js';
import { median, openDevice } from './kernels.js';
import { matmulModel } from './onnx.js';

function loadScript(src) {
	return new Promise((resolve, reject) => {
		const script = document.createElement('script');
		Object.assign(script, { src, onload: resolve, onerror: () => reject(new Error(`cannot load ${src}`)) });
		document.head.append(script);
	});
}

async function nnjitContender(artifact, inputs) {
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

async function tfjsContender({ m, n, k }, inputs) {
	const tf = await loadTfjs(), backend = tf.backend();
	const a = tf.tensor2d(inputs.a, [m, k]), b = tf.tensor2d(inputs.b, [k, n]);
	return {
		how: 'tf.matMul() per dispatch, result disposed; queue flushed, then queue.onSubmittedWorkDone()',
		async run(times) {
			for (let i = 0; i < times; i++)
				tf.matMul(a, b).dispose();
			if (backend.commandEncoder) {
				backend.endComputePassEncoder();
				backend.submitQueue();
			}
			await backend.queue.onSubmittedWorkDone();
		},
		async result() {
			const out = tf.matMul(a, b), values = await out.data();
			out.dispose();
			return values;
		},
		destroy: () => { a.dispose(); b.dispose(); },
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

async function ortContender(op, inputs, bundle) {
	const { InferenceSession, Tensor, env } = await loadOrt(bundle);
	const session = await InferenceSession.create(matmulModel(op), { executionProviders: ['webgpu'] });
	const device = await env.webgpu.device, usage = GPUBufferUsage;
	const onGpu = (dims, values) => {
		const buffer = device.createBuffer({ size: Math.ceil(4 * dims[0] * dims[1] / 16) * 16,
			usage: usage.STORAGE | usage.COPY_DST | usage.COPY_SRC });
		if (values)
			device.queue.writeBuffer(buffer, 0, values);
		return { buffer, tensor: Tensor.fromGpuBuffer(buffer, { dataType: 'float32', dims }) };
	};
	const a = onGpu([op.m, op.k], inputs.a), b = onGpu([op.k, op.n], inputs.b), out = onGpu([op.m, op.n]);
	const feeds = { a: a.tensor, b: b.tensor }, fetches = { out: out.tensor };
	return {
		how: 'session.run() per dispatch, GPU-buffer inputs and preallocated GPU-buffer output, then queue.onSubmittedWorkDone()',
		async run(times) {
			for (let i = 0; i < times; i++)
				await session.run(feeds, fetches);
			await device.queue.onSubmittedWorkDone();
		},
		async result() {
			device.queue.writeBuffer(out.buffer, 0, new Float32Array(op.m * op.n).fill(NaN));
			await session.run(feeds, fetches);
			return readBack(device, out.buffer, 4 * op.m * op.n);
		},
		destroy: async () => { await session.release(); [a, b, out].forEach(({ buffer }) => buffer.destroy()); },
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
export async function measure(op, artifact, { rounds = 7, budgetMs = 250, ortBundle }) {
	const inputs = randomInputs(artifact), elements = sampleElements(op), want = referenceAt(op, inputs, elements);
	const makers = { nnjit: () => nnjitContender(artifact, inputs), tfjs: () => tfjsContender(op, inputs),
		ort: () => ortContender(op, inputs, ortBundle) };
	const trials = {};
	for (const [name, make] of Object.entries(makers))
		trials[name] = await prepare(await make(), want, elements, budgetMs);
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
