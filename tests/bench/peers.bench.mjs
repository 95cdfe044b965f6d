// SPDX-License-Identifier: Apache-2.0
//
// peers: nnjit's tuned kernels against those of TensorFlow.js and ONNX Runtime Web, all through WebGPU in
// one headless Chromium on its SwiftShader adapter, in turns.
//
//   tests/bench/run peers [SET | m,n,k | OP ...] [--rounds N] [--budget-s N] [--kernels FILE]
//
// SET is matmul or catalogue; without any, both. An OP is an operator's text in quotes, of those that
// pages/operators.js knows. The kernels come from an nnjitd that this starts on a temporary state folder
// and has tune them first, on SwiftShader, --budget-s seconds each; --kernels FILE takes artifacts (JSON
// lines or an array) instead. Each contender keeps its inputs on the GPU; a measurement queues dispatches
// for about a quarter second and waits once; medians over rounds in which each takes its turn. Results
// are checked against f64. Last line: geometric means of the peers' times over ours, and the least ratio.

import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

import { chromiumVersion, modules, openPage, Unavailable } from './browser.mjs';
import { ctl, findDevice, startDaemon } from './daemon.mjs';
import { operatorOf } from './pages/operators.js';

const TOLERANCE = 1e-5;
const FEATURES = 'subgroups'; // of those that Chromium has on SwiftShader, what kernels use
const SETS = {
	matmul: ['256,256,256', '128,768,768', '64,768,3072', 'matmul m=128 n=64 k=128 batch=12', '97,131,65'],
	catalogue: [ // BERT-base at sequence 128, and MobileNetV2
		'softmax rows=1536 n=128',
		'layernorm rows=128 n=768',
		'gelu shape=128,3072',
		'attention heads=12 q=128 kv=128 dim=64 order=bshd',
		'conv2d c=3 h=224 w=224 oc=32 kernel=3 stride=2 pad=1',
		'conv2d c=64 h=56 w=56 oc=64 kernel=3 pad=1',
		'conv2d c=32 h=112 w=112 oc=32 kernel=3 pad=1 groups=32',
		'conv2d c=144 h=56 w=56 oc=144 kernel=3 pad=1 groups=144',
		'conv2d c=384 h=14 w=14 oc=384 kernel=3 pad=1 groups=384',
	],
};
const NAMES = { nnjit: 'nnjit', tfjs: 'TensorFlow.js', ort: 'ONNX Runtime Web' };
const ORT_BUNDLE = 'ort.webgpu.bundle.min.mjs'; // what the package exports as onnxruntime-web/webgpu

function opText(word) {
	if (!/^[\d,]+$/.test(word))
		return word;
	const sizes = word.split(',').map(Number);
	if (sizes.length !== 3 || sizes.some(size => !(Number.isInteger(size) && size > 0)))
		throw new Error(`'${word}' is no shape; give m,n,k such as 256,256,256`);
	return `matmul m=${sizes[0]} n=${sizes[1]} k=${sizes[2]}`;
}

async function tuneKernels(ops, budgetS) {
	const daemon = await startDaemon({ args: ['--budget', String(budgetS)] });
	try {
		await findDevice(daemon, 'swiftshader');
		return ops.map(op => {
			console.error(`peers: tuning ${op}`);
			const common = ['--device', 'swiftshader', '--features', FEATURES];
			ctl(daemon, ...common, 'tune', ...op.split(' '));
			return JSON.parse(ctl(daemon, ...common, 'get', ...op.split(' '), '--json'));
		});
	} finally {
		await daemon.stop(); // nothing else may run while the contenders are timed
	}
}

function readKernels(file, ops) {
	const text = readFileSync(file, 'utf8').trim();
	const all = text.startsWith('[') ? JSON.parse(text) : text.split('\n').map(line => JSON.parse(line));
	return ops.map(op => {
		const artifact = all.find(a => a.op === op);
		if (!artifact)
			throw new Error(`${file} holds no kernel of ${op}`);
		return artifact;
	});
}

function describe(text, result) {
	const { op, entry } = operatorOf(text);
	console.log(`\n${text}`);
	for (const [name, r] of Object.entries(result))
		console.log(`  ${NAMES[name].padEnd(17)}${r.median_ms.toFixed(3).padStart(9)} ms  least ${r.min_ms.toFixed(3).padStart(8)}` +
			`${entry.flops ? `${(entry.flops(op) / r.median_ms / 1e6).toFixed(2).padStart(8)} GFLOP/s` : ''}  ` +
			`${String(r.dispatches).padStart(3)} dispatches a turn` +
			`  relative error ${r.max_rel_err.toExponential(1)}${r.max_rel_err < TOLERANCE ? '' : '  WRONG'}`);
}

const geomean = list => Math.exp(list.reduce((sum, x) => sum + Math.log(x), 0) / list.length);

function summarise(ops, results) {
	const over = peer => results.map(r => r[peer].median_ms / r.nnjit.median_ms);
	const tfjs = over('tfjs'), ort = over('ort');
	console.log('\nHow each was timed:');
	for (const [name, { how }] of Object.entries(results[0]))
		console.log(`  ${NAMES[name]}: ${how}`);
	console.log('\nop: nnjit_ms tfjs_ms ort_ms');
	results.forEach((r, i) => console.log(`${ops[i]}: ${r.nnjit.median_ms.toFixed(3)} ${r.tfjs.median_ms.toFixed(3)} ${r.ort.median_ms.toFixed(3)}`));
	console.log(`tfjs_geomean=${geomean(tfjs).toFixed(2)} ort_geomean=${geomean(ort).toFixed(2)} worst=${Math.min(...tfjs, ...ort).toFixed(2)}`);
}

async function main() {
	const { values, positionals } = parseArgs({ allowPositionals: true, options: { rounds: { type: 'string', default: '7' },
		'budget-s': { type: 'string', default: '20' }, kernels: { type: 'string' } } });
	const ops = (positionals.length ? positionals : Object.keys(SETS)).flatMap(word => SETS[word] ?? [word]).map(opText);
	ops.forEach(operatorOf); // what it does not know is said before anything is tuned
	const load = modules({ install: true });
	const artifacts = values.kernels ? readKernels(values.kernels, ops) : await tuneKernels(ops, values['budget-s']);
	const { page, close } = await openPage();
	try {
		const version = name => JSON.parse(readFileSync(load.resolve.paths(name)[0] + `/${name}/package.json`, 'utf8')).version;
		console.log(`${chromiumVersion()}, adapter ${await page.evaluate(async () => (await import('/bench/peers.js')).adapterText())}, ` +
			`TensorFlow.js ${version('@tensorflow/tfjs-backend-webgpu')}, ONNX Runtime Web ${version('onnxruntime-web')}`);
		const results = [];
		for (const [i, artifact] of artifacts.entries()) {
			results.push(await page.evaluate(async ([op, a, options]) => (await import('/bench/peers.js')).measure(op, a, options),
				[ops[i], artifact, { rounds: Number(values.rounds), ortBundle: ORT_BUNDLE }]));
			describe(ops[i], results.at(-1));
			console.log(`  ${artifact.schedule}`);
		}
		summarise(ops, results);
		return results.every(r => r.nnjit.max_rel_err < TOLERANCE) ? 0 : 1;
	} finally {
		await close();
	}
}

process.exitCode = await main().catch(error => {
	console.error(error instanceof Unavailable ? `peers: ${error.message}` : error);
	return error instanceof Unavailable ? 77 : 1;
});
