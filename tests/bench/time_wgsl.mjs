// SPDX-License-Identifier: Apache-2.0
//
// Times WGSL kernels where pages run them: headless Chromium on SwiftShader.
//
//   node tests/bench/time_wgsl.mjs FILE.json [--rounds N] [--budget-ms N] [--top N] [--json]
//
// FILE holds an array of kernel artifacts (the daemon's format), or one artifact a line. Each is
// built, run on random inputs with a poisoned output, checked against f64 at sampled elements, and
// timed in rounds that interleave all of them. Printed, fastest first: median GPU time of a dispatch by
// timestamp-query (not quantised), median and least wall time (dispatches queued, one wait), GFLOP/s by
// median wall time, largest relative error. --top N prints the N fastest of each operator only.
// Exit status: 0; 1 if a kernel is refused or wrong; 77 if no browser can be had.

import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { openPage, Unavailable } from './browser.mjs';

const TOLERANCE = 1e-5;

function readArtifacts(file) {
	const text = readFileSync(file, 'utf8').trim();
	return text.startsWith('[') ? JSON.parse(text) : text.split('\n').map(line => JSON.parse(line));
}

function print(rows, top) {
	for (const op of new Set(rows.map(row => row.op))) {
		console.log(`\n${op}\n   gpu_ms  wall_ms  min_ms   GFLOP/s  rel_err   schedule`);
		const timed = rows.filter(row => row.op === op && !row.failure).sort((x, y) => x.wall_ms - y.wall_ms);
		for (const r of timed.slice(0, top))
			console.log(`${r.gpu_ms.toFixed(3).padStart(9)}${r.wall_ms.toFixed(3).padStart(9)}${r.wall_min_ms.toFixed(3).padStart(9)}` +
				`${r.gflops.toFixed(2).padStart(8)}  ${r.max_rel_err.toExponential(1)}${r.max_rel_err < TOLERANCE ? '  ' : '! '} ${r.schedule}`);
		for (const r of rows.filter(row => row.op === op && row.failure))
			console.log(`  refused: ${r.schedule}\n    ${r.failure.split('\n').slice(0, 4).join('\n    ')}`);
	}
}

async function main() {
	const { values, positionals } = parseArgs({ allowPositionals: true, options: {
		rounds: { type: 'string', default: '5' }, 'budget-ms': { type: 'string', default: '100' },
		top: { type: 'string', default: '1000' }, json: { type: 'boolean', default: false } } });
	if (positionals.length !== 1) {
		console.error('usage: node tests/bench/time_wgsl.mjs FILE.json [--rounds N] [--budget-ms N] [--top N] [--json]');
		return 2;
	}
	const artifacts = readArtifacts(positionals[0]);
	const { page, close } = await openPage();
	try {
		const { adapter, rows } = await page.evaluate(async ([list, options]) =>
			(await import('/bench/kernels.js')).timeKernels(list, options),
		[artifacts, { rounds: Number(values.rounds), budgetMs: Number(values['budget-ms']) }]);
		if (values.json)
			console.log(JSON.stringify({ adapter, rows }, null, 1));
		else
			print(rows, Number(values.top));
		return rows.every(r => !r.failure && r.max_rel_err < TOLERANCE) ? 0 : 1;
	} finally {
		await close();
	}
}

process.exitCode = await main().catch(error => {
	console.error(error instanceof Unavailable ? `time_wgsl: ${error.message}` : error);
	return error instanceof Unavailable ? 77 : 1;
});
