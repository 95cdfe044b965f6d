// SPDX-License-Identifier: Apache-2.0
//
// The page's half of the fidelity benchmark: holds every kernel of one operator ready on one set of
// buffers, compares each with the expected output once, and times them all when asked.

import { createRunner } from '/web/runtime/runner.js';
import { arrayOf, dimsOf, toNumbers } from '/web/runtime/tensor.js';
import { openDevice } from '/bench/kernels.js';

const decoded = text => Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
let session = null;

// The greatest error in units of the output's scale; NaN where something was not written.
async function errorOf(device, runner, { buffers, output, expected, scale }) {
	const { size } = buffers[output.name];
	device.queue.writeBuffer(buffers[output.name], 0, new Uint8Array(size).fill(0xff));
	runner.run(buffers);
	const got = toNumbers(output.dtype, await runner.read(buffers[output.name], output.name));
	return expected.reduce((worst, want, i) => Math.max(worst, Math.abs(got[i] - want) / scale), 0);
}

async function prepare(device, artifact, shared) {
	const start = performance.now();
	try {
		const runner = await createRunner(device, artifact);
		const pipeline_ms = performance.now() - start;
		shared.buffers ??= runner.allocate(shared.inputs);
		const error = await errorOf(device, runner, shared);
		return error <= shared.tolerance ? { runner, pipeline_ms } : { failure: `error ${error} of the scale` };
	} catch (error) {
		return { failure: error.message };
	}
}

// Makes all of an operator's kernels ready; [{ pipeline_ms } or { failure }] in their order.
export async function load(artifacts, { inputs, expected, scale, tolerance }) {
	const { device, adapter } = await openDevice(artifacts);
	const output = artifacts[0].bindings.find(({ type }) => type === 'storage');
	const shared = { output, scale, tolerance, expected: new Float64Array(decoded(expected).buffer),
		inputs: Object.fromEntries(Object.entries(inputs).map(([name, text]) => [name, decoded(text)])) };
	const kernels = [];
	for (const artifact of artifacts)
		kernels.push(await prepare(device, artifact, shared));
	session = { device, shared, kernels };
	return { adapter, kernels: kernels.map(({ failure, pipeline_ms }) => ({ failure, pipeline_ms })) };
}

// One round: nanoseconds of each kernel asked for, in this order, by the device's timestamps.
export async function round(order, budgetMs) {
	const times = [];
	for (const i of order) {
		const { median_ns, source } = await session.kernels[i].runner.time(session.shared.buffers,
			{ samples: 1, budgetMs, warmup: false });
		if (source !== 'timestamp-query')
			throw new Error('this Chromium has no timestamp queries');
		times.push(median_ns);
	}
	return times;
}

export function unload() {
	session?.device.destroy();
	session = null;
}
