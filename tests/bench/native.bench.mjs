// SPDX-License-Identifier: Apache-2.0
//
// native: what pages would get on this machine's best GPU, without a browser: through Dawn in Node.
//
//   tests/bench/run native [SET | m,n,k | OP ...] [--rounds N] [--budget-s N] [--limit-s N] [--models LIST]
//     [--features LIST] [--contenders LIST] [--json FILE]
//
// nnjit's tuned WGSL against the kernels of ONNX Runtime's WebGPU provider and TensorFlow.js, by timestamps
// around repeated dispatches in one pass, robust access on. SET is roofline, transformer or catalogue; without
// any, all three. The kernels are tuned first, all by one nnjitd that this starts, --budget-s seconds
// each; what is not reached within --limit-s is said and left out. Of the several ways to put an operator
// to ONNX Runtime its fastest right one counts. Fractions of the roofline are of what nnjit's probe measured
// on this device. --models NAME[:seq=N...],... tunes whole models first and prints how long each took.
// --features: what our kernels may use of what Dawn has here (subgroups,shader-f16); the experimental
// chromium-experimental-subgroup-matrix may be named too. --contenders: of nnjit,tfjs,ort.
// Last line: geometric means of the peers' times over ours, and the fractions.

import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

import { Unavailable } from './browser.mjs';
import { ctl, findDevice, runCtl, startDaemon } from './daemon.mjs';
import { npm, openDawn } from './dawn.mjs';

const half = op => op.startsWith('matmul') ? `${op} a=f16 b=f16 out=f16` : `${op} dtype=f16`;
const both = ops => ops.flatMap(op => [op, half(op)]);
const product = ([m, n, k]) => `matmul m=${m} n=${n} k=${k}`;
const SETS = {
	roofline: [...both([[4096, 4096, 4096]].map(product)),
		'matmul m=1 n=8192 k=4096', 'matmul m=1 n=8192 k=4096 trans_b=1', // 128 MiB of weights, more than caches hold
		half('matmul m=1 n=16384 k=4096'), half('matmul m=1 n=16384 k=4096 trans_b=1')],
	transformer: both([
		[128, 768, 768], [128, 2304, 768], [128, 3072, 768], [128, 768, 3072], // BERT-base, sequence 128
		[384, 768, 768], [384, 3072, 768], [384, 768, 3072], // and 384
		[1, 2048, 2048], [1, 8192, 2048], [1, 2048, 8192], // Llama-3.2-1B, decoding
		[128, 2048, 2048], [128, 8192, 2048], // and its prompt
		[1, 4096, 4096], [1, 4096, 11008], // Llama-2-7B, decoding
	].map(product)),
	catalogue: both([ // BERT-base at sequence 128, and MobileNetV2
		'softmax rows=1536 n=128',
		'layernorm rows=128 n=768',
		'gelu shape=128,3072',
		'attention heads=12 q=128 kv=128 dim=64 order=bshd',
		'conv2d c=64 h=56 w=56 oc=64 kernel=3 pad=1',
		'conv2d c=144 h=56 w=56 oc=144 kernel=3 pad=1 groups=144',
	]),
};
const TOLERANCE = { f32: 1e-5, f16: 2e-3 }; // ours; a peer may keep its sums in f16
const PEER_TOLERANCE = { f32: 1e-4, f16: 5e-2 };
const NAMES = { nnjit: 'nnjit', tfjs: 'TensorFlow.js', ort: 'ONNX Runtime Web', ort_fused: '  as one node', ort_nchw: '  laid out NCHW' };

const started = performance.now();
const seconds = () => (performance.now() - started) / 1e3;
const opText = word => /^\d+,\d+,\d+$/.test(word) ? product(word.split(',')) : word;
const geomean = list => list.length ? Math.exp(list.reduce((sum, x) => sum + Math.log(x), 0) / list.length) : 0;

// ---- Tuning.

function tuneModel(daemon, common, text) {
	const [name, ...inputs] = text.split(':'), begin = seconds();
	const options = inputs.flatMap(input => [`--${input.split('=')[0]}`, input.split('=')[1]]);
	const { stdout, complaint } = runCtl(daemon, ...common, '--json', 'tune', '--model', name, ...options);
	if (!stdout.startsWith('{')) { // else all is told there, of operators that failed too
		console.log(`model ${text}: ${complaint}`);
		return { model: text, failure: complaint };
	}
	const result = JSON.parse(stdout);
	const { default_ns, tuned_ns } = result.total;
	console.log(`model ${text}: ${result.ops.length} operators in ${(seconds() - begin).toFixed(1)} s, ` +
		`a pass ${(default_ns / 1e6).toFixed(3)} ms with default kernels, ${(tuned_ns / 1e6).toFixed(3)} ms with tuned ones`);
	for (const op of result.ops)
		console.log(`  ${((op.default_ns ?? 0) / 1e3).toFixed(1).padStart(9)} us ${((op.tuned_ns ?? 0) / 1e3).toFixed(1).padStart(9)} us ` +
			`${(100 * (op.roofline ?? 0)).toFixed(1).padStart(6)}%  x${op.times} ${op.op}${op.why ? `  (${op.why})` : ''}`);
	return { model: text, tune_s: seconds() - begin, ...result };
}

function tuneAll(daemon, common, ops, untilS) {
	const kernels = [];
	for (const op of ops) {
		if (seconds() > untilS) {
			console.log(`not reached within the time: ${ops.slice(kernels.length).join('; ')}`);
			break;
		}
		const begin = seconds(), words = op.split(' ');
		try {
			ctl(daemon, ...common, 'tune', ...words);
			kernels.push(JSON.parse(ctl(daemon, ...common, 'get', ...words, '--json')));
			const { timing, progress, schedule } = kernels.at(-1);
			console.log(`tuned ${op}: ${(seconds() - begin).toFixed(1)} s, ${progress?.measured ?? '?'} of ${progress?.of ?? '?'} candidates, ` +
				`${((timing?.median_ns ?? 0) / 1e3).toFixed(1)} us (default ${((timing?.baseline_ns ?? 0) / 1e3).toFixed(1)}), roofline ${timing?.roofline ?? '?'}, ${schedule}`);
		} catch (error) {
			console.log(`not tuned: ${op}: ${error.message}`);
			kernels.push(null);
		}
	}
	return kernels;
}

// { device, kernels, models }: all tuning is done, and the daemon gone, before anything is timed.
async function tune(ops, dawn, { budget_s, features, models, limit_s }) {
	const daemon = await startDaemon({ args: ['--budget', budget_s] });
	try {
		const swift = /swiftshader/i.test(dawn.text), name = swift ? 'swiftshader' : process.env.NNJIT_DEVICE ?? '';
		const device = await findDevice(daemon, name.toLowerCase());
		console.log(`tuning for ${device.name}: ${JSON.stringify(device.facts ?? device)}`);
		const common = ['--device', device.id, '--features', features.filter(name => dawn.features.includes(name)).join() || 'none'];
		const tunedModels = models.map(text => tuneModel(daemon, common, text));
		const kernels = tuneAll(daemon, common, ops, limit_s * 0.6);
		// Asked anew for what the probe measured; not by fetch, whose connection was closed while this was blocked.
		const { devices } = JSON.parse(ctl(daemon, '--json', 'devices'));
		return { device: devices.find(({ id }) => id === device.id), kernels, models: tunedModels };
	} finally {
		await daemon.stop();
	}
}

// ---- What is printed.

const isRight = (dtype, r, tolerance = PEER_TOLERANCE) => r && !r.failure && r.max_rel_err < tolerance[dtype];

// What the roofline allows, from the probe's figures: milliseconds, and which bound it is.
function roofline(task, { fma_gflops, memory_gbps }) {
	if (!(fma_gflops > 0 && memory_gbps > 0))
		return null; // the probe could not tell
	const width = task.dtype === 'f16' ? 2 : 4, count = shape => shape.reduce((x, y) => x * y, 1);
	const bytes = width * [...Object.values(task.shapes), task.out].reduce((sum, shape) => sum + count(shape), 0);
	const compute = (task.entry.flops?.(task.op) ?? 0) / fma_gflops / 1e6, memory = bytes / memory_gbps / 1e6;
	return { ms: Math.max(compute, memory), bound: compute > memory ? 'FMA' : 'memory' };
}

function describe(text, task, result, facts) {
	console.log(`\n${text}`);
	const limit = facts && roofline(task, facts);
	for (const [name, r] of Object.entries(result))
		console.log(r.failure ? `  ${NAMES[name].padEnd(17)} cannot: ${r.failure.split('\n')[0].slice(0, 160)}` :
			`  ${NAMES[name].padEnd(17)}${(r.median_ms * 1e3).toFixed(2).padStart(11)} us  least ${(r.min_ms * 1e3).toFixed(2).padStart(10)}` +
			`  wall ${((r.wall_ms ?? 0) * 1e3).toFixed(2).padStart(10)}  ${String(r.kernels).padStart(2)} kernels x${r.dispatches}` +
			`${task.entry.flops ? ` ${(task.entry.flops(task.op) / r.median_ms / 1e9).toFixed(3).padStart(8)} TFLOP/s` : ''}` +
			`${limit ? ` ${(100 * limit.ms / r.median_ms).toFixed(1).padStart(6)}% of ${limit.bound}` : ''}` +
			`  relative error ${r.max_rel_err.toExponential(1)}${isRight(task.dtype, r, name === 'nnjit' ? TOLERANCE : PEER_TOLERANCE) ? '' : '  WRONG'}`);
}

// The best right time of ONNX Runtime, however it was put.
function bestOf(row, names) {
	const times = names.map(name => row.result[name]).filter(r => isRight(row.task.dtype, r)).map(r => r.median_ms);
	return times.length ? Math.min(...times) : null;
}

// Of the set roofline: 'f32_gemv=0.91 ...', the best of each kind.
function fractions(rows, facts) {
	const best = {};
	for (const { set, task: { op, dtype }, task, result } of rows) {
		const limit = set === 'roofline' && facts && roofline(task, facts), name = `${dtype}_${op.m === 1 ? 'gemv' : `matmul_${op.m}`}`;
		if (limit)
			best[name] = Math.max(best[name] ?? 0, limit.ms / result.nnjit.median_ms);
	}
	return Object.entries(best).map(([name, fraction]) => `${name}=${fraction.toFixed(3)}`);
}

function summarise(rows, facts) {
	const ratio = (row, names) => bestOf(row, names) / row.result.nnjit.median_ms;
	const ort = ['ort', 'ort_fused', 'ort_nchw'], line = [];
	const right = rows.filter(({ task, result }) => isRight(task.dtype, result.nnjit, TOLERANCE));
	for (const [set, ops] of Object.entries({ ...SETS, other: null }))
		for (const [peer, names] of Object.entries({ ort, tfjs: ['tfjs'] })) {
			const ratios = right.filter(row => (ops ? ops.includes(row.text) : row.set === 'other') && bestOf(row, names)).map(row => ratio(row, names));
			if (ratios.length)
				line.push(`${set}_${peer}_geomean=${geomean(ratios).toFixed(2)} ${set}_${peer}_worst=${Math.min(...ratios).toFixed(2)} ${set}_${peer}_ops=${ratios.length}`);
		}
	console.log('\nop: nnjit_us ort_us tfjs_us fraction bound');
	for (const row of right) {
		const limit = facts && roofline(row.task, facts), us = ms => ms === null ? '-' : (ms * 1e3).toFixed(2);
		console.log(`${row.text}: ${us(row.result.nnjit.median_ms)} ${us(bestOf(row, ort))} ${us(bestOf(row, ['tfjs']))} ` +
			`${limit ? `${(limit.ms / row.result.nnjit.median_ms).toFixed(3)} ${limit.bound}` : '-'}`);
	}
	console.log([`wrong=${rows.length - right.length}`, ...fractions(right, facts), ...line].join(' '));
}

// ----

async function measureAll(ops, kernels, device, { rounds, limit_s, contenders }) {
	const { measure } = await import('/bench/peers.js'), { operatorOf } = await import('/bench/operators.js');
	(await import('/bench/capture.js')).install();
	const rows = [];
	for (const [i, artifact] of kernels.entries()) {
		if (!artifact)
			continue;
		if (seconds() > limit_s) {
			console.log(`not timed within the time: ${ops.slice(i).join('; ')}`);
			break;
		}
		const task = operatorOf(ops[i]);
		try {
			const result = await measure(ops[i], artifact, { rounds, budgetMs: 8, clock: 'gpu', lenient: true, variants: true,
				sampleWork: 1e6, contenders, ortBundle: 'ort.webgpu.bundle.min.mjs', npm });
			rows.push({ text: ops[i], set: Object.keys(SETS).find(set => SETS[set].includes(ops[i])) ?? 'other', task, result });
			describe(ops[i], task, result, device.facts);
		} catch (error) {
			console.log(`\n${ops[i]}\n  failed: ${error.stack}`);
		}
	}
	return rows;
}

async function main() {
	const option = (initial) => ({ type: 'string', default: initial });
	const { values, positionals } = parseArgs({ allowPositionals: true, options: { rounds: option('5'), 'budget-s': option('3'),
		'limit-s': option('3600'), models: option(''),
		features: option('subgroups,shader-f16'), json: option(''), contenders: option('nnjit,tfjs,ort') } });
	const dawn = await openDawn();
	if (!dawn)
		throw new Unavailable('Dawn finds no adapter here');
	console.log(`Dawn's adapter: ${dawn.text}\n  ${dawn.features.join(' ')}`);
	const ops = (positionals.length ? positionals : Object.keys(SETS)).flatMap(word => SETS[word] ?? [opText(word)]);
	const limit_s = Number(values['limit-s']);
	const { device, kernels, models } = await tune(ops, dawn, { budget_s: values['budget-s'], limit_s,
		features: values.features.split(','), models: values.models.split(',').filter(Boolean) });
	console.log(`tuning took ${seconds().toFixed(1)} s`);
	const rows = await measureAll(ops, kernels, device, { rounds: Number(values.rounds), limit_s, contenders: values.contenders.split(',') });
	summarise(rows, device.facts);
	if (values.json)
		writeFileSync(values.json, JSON.stringify({ adapter: dawn.text, device, models, kernels,
			rows: rows.map(({ text, set, result }) => ({ op: text, set, ...result })) }, null, 1));
	return rows.length && rows.every(({ task, result }) => isRight(task.dtype, result.nnjit, TOLERANCE)) ? 0 : 1;
}

process.exitCode = await main().catch(error => {
	console.error(error instanceof Unavailable ? `native: ${error.message}` : error);
	return error instanceof Unavailable ? 77 : 1;
});
process.exit(); // Dawn's threads would keep Node
