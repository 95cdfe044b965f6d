// SPDX-License-Identifier: Apache-2.0
//
// The page in the loop: times the daemon's leading few kernels of an operator on the page's own device, in
// turns, by timestamp queries, and reports what it saw. Near-ties are then settled for this page's origin by
// what its browser really does. A page without timestamp queries has nothing to add, and one that must do
// without a WebSocket has no way to: neither times anything.

import { createRunner } from './runner.js';

const divisor = (x, y) => {
	while (y)
		[x, y] = [y, x % y];
	return x;
};

// The steps in which a clock moves: what all spans that it measured are multiples of. Too few spans give too
// much, which only makes the report weigh less.
export const quantumOf = spans => spans.map(Math.round).filter(span => span > 0).reduce(divisor, 0);

function median(values) {
	const sorted = [...values].sort((x, y) => x - y);
	return sorted[sorted.length >> 1];
}

async function timeInTurns(runners, buffers, { samples, budgetMs }) {
	const times = runners.map(() => []);
	for (let round = 0; round < samples; round++)
		for (let turn = 0; turn < runners.length; turn++) {
			const i = (round + turn) % runners.length;
			times[i].push(await runners[i].time(buffers, { samples: 1, budgetMs, warmup: !round }));
		}
	return times;
}

// { kernel, timings: [{ schedule, median_ns, samples, dispatches, quantum_ns }] }: the kernel this origin is
// served from now on, and what was reported. `buffers` by name to time with; else new ones, all zeros.
export async function compare(client, gpuDevice, op, { buffers, samples = 9, budgetMs = 20, device, signal } = {}) {
	const { leaders } = await client.leaders(op, { device, signal });
	if (leaders.length < 2 || client.transport !== 'websocket' || !gpuDevice.features.has('timestamp-query'))
		return { kernel: leaders[0], timings: [] };
	const runners = [];
	for (const kernel of leaders)
		runners.push(await createRunner(gpuDevice, kernel));
	const used = buffers ?? runners[0].allocate();
	try {
		const times = await timeInTurns(runners, used, { samples, budgetMs });
		const quantum_ns = quantumOf(times.flat().map(({ median_ns, dispatches }) => median_ns * dispatches));
		const timings = times.map((list, i) => ({ schedule: leaders[i].schedule, samples, quantum_ns,
			median_ns: median(list.map(time => time.median_ns)), dispatches: Math.min(...list.map(time => time.dispatches)) }));
		for (const [i, timing] of timings.entries())
			await client.report(leaders[i], timing);
		return { kernel: await client.kernel(op, { device, signal }), timings };
	} finally {
		runners.forEach(runner => runner.destroy());
		if (!buffers)
			Object.values(used).forEach(buffer => buffer.destroy());
	}
}
