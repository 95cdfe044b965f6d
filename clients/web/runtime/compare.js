// SPDX-License-Identifier: Apache-2.0
//
// The page in the loop: times the daemon's leading few kernels of an operator on the page's own device, in
// turns, by timestamp queries, and reports what it saw. Near-ties are then settled for this page's origin by
// what its browser really does. A page without timestamp queries has nothing to add, and one that must do
// without a WebSocket has no way to: neither times anything. Must not know how a client reaches the daemon.

import { createRunner } from './runner.js';
import { median, quantumOf } from './statistics.js';

/** @import { Client, CompareOptions, Kernel, Op, Timing } from '../nnjit.d.ts' */
/** @import { NamedBuffers, Runner } from './runner.js' */

const SAMPLES = 9;
const BUDGET_MS = 20;

/**
 * Times of each runner, `samples` of them; each round begins with another runner.
 * @param {Runner[]} runners
 * @param {CompareOptions['buffers'] & {}} buffers
 * @param {CompareOptions} options
 */
async function timeInTurns(runners, buffers, { samples = SAMPLES, budgetMs = BUDGET_MS }) {
	/** @type {Timing[][]} */
	const times = runners.map(() => []);
	for (let round = 0; round < samples; round++)
		for (let turn = 0; turn < runners.length; turn++) {
			const i = (round + turn) % runners.length;
			times[i].push(await runners[i].time(buffers, { samples: 1, budgetMs, warmup: !round }));
		}
	return times;
}

/**
 * What is reported of each kernel.
 * @param {Kernel[]} leaders
 * @param {Timing[][]} times
 */
function summarise(leaders, times) {
	const quantum_ns = quantumOf(times.flat().map(({ median_ns, dispatches }) => median_ns * dispatches));
	return times.map((list, i) => ({ schedule: leaders[i].schedule, samples: list.length, quantum_ns,
		median_ns: median(list.map(time => time.median_ns)), dispatches: Math.min(...list.map(time => time.dispatches)) }));
}

/**
 * { kernel, timings: [{ schedule, median_ns, samples, dispatches, quantum_ns }] }: the kernel this origin is
 * served from now on, and what was reported. `buffers` by name to time with; else new ones, all zeros.
 * @param {Client} client
 * @param {GPUDevice} gpuDevice
 * @param {Op} op
 * @param {CompareOptions} [options]
 */
export async function compare(client, gpuDevice, op, options = {}) {
	const { device, signal, buffers } = options;
	const { leaders } = await client.leaders(op, { device, signal });
	if (!leaders.length) // it takes several steps
		return { kernel: await client.kernel(op, { device, signal }), timings: [] };
	if (leaders.length < 2 || client.transport !== 'websocket' || !gpuDevice.features.has('timestamp-query'))
		return { kernel: leaders[0], timings: [] };
	/** @type {Runner[]} */
	const runners = [];
	for (const kernel of leaders)
		runners.push(await createRunner(gpuDevice, kernel));
	/** @type {NamedBuffers | null} */
	const own = buffers ? null : runners[0].allocate();
	try {
		const timings = summarise(leaders, await timeInTurns(runners, buffers ?? own ?? {}, options));
		for (const [i, timing] of timings.entries())
			await client.report(leaders[i], timing);
		return { kernel: await client.kernel(op, { device, signal }), timings };
	} finally {
		runners.forEach(runner => runner.destroy());
		Object.values(own ?? {}).forEach(buffer => buffer.destroy());
	}
}
