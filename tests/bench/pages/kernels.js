// SPDX-License-Identifier: Apache-2.0
//
// Runs in the page: opens a device, checks artifacts against the f64 reference and times them in
// interleaved rounds, by GPU timestamps and by wall time.

import { createRunner } from '/web/runtime/runner.js';
import { compare, flops, parseOp, randomInputs, referenceAt, sampleElements } from '/web/testing/reference.js';

export async function openDevice(artifacts = []) {
	const adapter = await navigator.gpu?.requestAdapter();
	if (!adapter)
		throw new Error('this Chromium offers no WebGPU adapter');
	const wanted = new Set(['timestamp-query', 'subgroups', ...artifacts.flatMap(a => a.required_features ?? [])]);
	const requiredLimits = {};
	for (const { required_limits = {} } of artifacts)
		for (const [name, value] of Object.entries(required_limits))
			requiredLimits[name] = Math.max(requiredLimits[name] ?? 0, value);
	const device = await adapter.requestDevice({
		requiredFeatures: [...wanted].filter(f => adapter.features.has(f)), requiredLimits });
	const { vendor, architecture, description } = adapter.info;
	return { device, adapter: { vendor, architecture, description } };
}

// Inputs, output buffer and reference of one operator, shared by all its kernels.
async function prepareOp(runner, artifact) {
	const op = parseOp(artifact.op);
	const inputs = randomInputs(artifact);
	const elements = sampleElements(op);
	return { op, buffers: runner.allocate(inputs), elements, want: referenceAt(op, inputs, elements) };
}

export async function check(device, runner, prepared) {
	const out = prepared.buffers[runner.artifact.bindings.at(-1).name];
	device.queue.writeBuffer(out, 0, new Float32Array(out.size / 4).fill(NaN));
	runner.run(prepared.buffers);
	return compare(await runner.read(out), prepared.want, prepared.elements);
}

// Queues `dispatches` of them, then one wait: milliseconds a dispatch.
export async function wall(device, runner, buffers, dispatches) {
	await device.queue.onSubmittedWorkDone();
	const start = performance.now();
	for (let i = 0; i < dispatches; i++)
		runner.run(buffers);
	await device.queue.onSubmittedWorkDone();
	return (performance.now() - start) / dispatches;
}

export const median = values => {
	const s = [...values].sort((x, y) => x - y), h = s.length >> 1;
	return s.length % 2 ? s[h] : (s[h - 1] + s[h]) / 2;
};

async function start(device, artifact, ops) {
	try {
		device.pushErrorScope('validation');
		const runner = await createRunner(device, artifact);
		if (!ops.has(artifact.op))
			ops.set(artifact.op, await prepareOp(runner, artifact));
		const prepared = ops.get(artifact.op);
		const error = await check(device, runner, prepared);
		const invalid = await device.popErrorScope();
		if (invalid)
			throw new Error(invalid.message);
		const warm = await wall(device, runner, prepared.buffers, 1);
		return { runner, prepared, error, warm, gpu: [], wall: [] };
	} catch (error) {
		return { failure: error.message };
	}
}

// rounds: how often each kernel is measured; budgetMs: how long one measurement is.
export async function timeKernels(artifacts, { rounds = 5, budgetMs = 100 } = {}) {
	const { device, adapter } = await openDevice(artifacts);
	const ops = new Map(), trials = [];
	for (const artifact of artifacts)
		trials.push(await start(device, artifact, ops));
	for (let round = 0; round < rounds; round++)
		for (const t of trials)
			if (t.runner) {
				const { median_ns } = await t.runner.time(t.prepared.buffers, { samples: 1, budgetMs, warmup: false });
				t.gpu.push(median_ns / 1e6);
				const dispatches = Math.max(1, Math.min(500, Math.floor(budgetMs / t.warm)));
				t.wall.push(await wall(device, t.runner, t.prepared.buffers, dispatches));
			}
	const rows = trials.map((t, i) => t.failure ? { op: artifacts[i].op, schedule: artifacts[i].schedule, failure: t.failure } : {
		op: artifacts[i].op, schedule: artifacts[i].schedule ?? '', ...t.error,
		gpu_ms: median(t.gpu), wall_ms: median(t.wall), wall_min_ms: Math.min(...t.wall),
		gflops: flops(t.prepared.op) / median(t.wall) / 1e6 });
	device.destroy();
	return { adapter, rows };
}
