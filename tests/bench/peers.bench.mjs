// SPDX-License-Identifier: Apache-2.0
//
// peers: nnjit's tuned matmul against those of TensorFlow.js and ONNX Runtime Web, all through WebGPU in
// one headless Chromium on its SwiftShader adapter, in turns.
//
//   tests/bench/run peers [m,n,k ...] [--rounds N] [--kernels FILE]
//
// Default shapes: 256,256,256 128,768,768 97,131,65. The kernels come from an nnjitd that this starts on a
// temporary state folder and has tune them first, on SwiftShader; --kernels FILE takes artifacts (JSON lines
// or an array) instead. Each contender keeps its inputs on the GPU; a measurement queues dispatches for
// about a quarter second and waits once; medians over rounds in which each takes its turn. Results are
// checked against f64. Last line: geometric means of the peers' times over ours, and the least ratio.

import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

import { parseOp } from '../../clients/web/reference.js';
import { chromiumVersion, modules, openPage, Unavailable } from './browser.mjs';
import { ctl, findDevice, startDaemon } from './daemon.mjs';

const TOLERANCE = 1e-5;
const SHAPES = ['256,256,256', '128,768,768', '97,131,65'];
const NAMES = { nnjit: 'nnjit', tfjs: 'TensorFlow.js', ort: 'ONNX Runtime Web' };
const ORT_BUNDLE = 'ort.webgpu.bundle.min.mjs'; // what the package exports as onnxruntime-web/webgpu

function opText(shape) {
	const sizes = shape.split(',').map(Number);
	if (sizes.length !== 3 || sizes.some(size => !(Number.isInteger(size) && size > 0)))
		throw new Error(`'${shape}' is no shape; give m,n,k such as 256,256,256`);
	return `matmul m=${sizes[0]} n=${sizes[1]} k=${sizes[2]}`;
}

async function tuneKernels(ops) {
	const daemon = await startDaemon();
	try {
		await findDevice(daemon, 'swiftshader');
		return ops.map(op => {
			console.error(`peers: tuning ${op}`);
			ctl(daemon, '--device', 'swiftshader', 'tune', ...op.split(' '));
			return JSON.parse(ctl(daemon, '--device', 'swiftshader', 'get', ...op.split(' '), '--json'));
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

function describe(op, result) {
	const { m, n, k } = parseOp(op);
	console.log(`\n${op}`);
	for (const [name, r] of Object.entries(result))
		console.log(`  ${NAMES[name].padEnd(17)}${r.median_ms.toFixed(3).padStart(9)} ms  least ${r.min_ms.toFixed(3).padStart(8)}` +
			`${(2 * m * n * k / r.median_ms / 1e6).toFixed(2).padStart(8)} GFLOP/s  ${String(r.dispatches).padStart(3)} dispatches a turn` +
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
	const { values, positionals } = parseArgs({ allowPositionals: true, options: {
		rounds: { type: 'string', default: '7' }, kernels: { type: 'string' } } });
	const ops = (positionals.length ? positionals : SHAPES).map(opText);
	const load = modules({ install: true });
	const artifacts = values.kernels ? readKernels(values.kernels, ops) : await tuneKernels(ops);
	const { page, close } = await openPage();
	try {
		const version = name => JSON.parse(readFileSync(load.resolve.paths(name)[0] + `/${name}/package.json`, 'utf8')).version;
		console.log(`${chromiumVersion()}, adapter ${await page.evaluate(async () => (await import('/bench/peers.js')).adapterText())}, ` +
			`TensorFlow.js ${version('@tensorflow/tfjs-backend-webgpu')}, ONNX Runtime Web ${version('onnxruntime-web')}`);
		const results = [];
		for (const artifact of artifacts) {
			results.push(await page.evaluate(async ([op, a, options]) => (await import('/bench/peers.js')).measure(op, a, options),
				[parseOp(artifact.op), artifact, { rounds: Number(values.rounds), ortBundle: ORT_BUNDLE }]));
			describe(artifact.op, results.at(-1));
		}
		summarise(ops, results);
		return results.every(r => Object.values(r).every(c => c.max_rel_err < TOLERANCE)) ? 0 : 1;
	} finally {
		await close();
	}
}

process.exitCode = await main().catch(error => {
	console.error(error instanceof Unavailable ? `peers: ${error.message}` : error);
	return error instanceof Unavailable ? 77 : 1;
});
