// SPDX-License-Identifier: Apache-2.0
//
// stored: is the time that the daemon stores the time that a page sees? Kernels are tuned one by one, the
// device idle before each as a user's is, and what Dawn's timestamps say of each tuned kernel is held
// against the time stored with it.
//
//   tests/bench/run stored [OP ...] [--budget-s N] [--idle-s N] [--from N] [--count N] [--limit-s N] [--clocks] [--json FILE]
//
// Without an OP, forty operators; --from and --count take some of them. --idle-s (10) passes before each tuning of
// --budget-s (5). Dawn in Node runs the kernel until its time no longer falls, then measures it, by timestamps
// around repeated dispatches in one pass, robust access on. No kernel is begun after --limit-s. --clocks prints
// what nvidia-smi says of the clock before and behind each tuning.
// ratio: the stored time over Dawn's. Last line: how many, the share of ratios within 10%, the least and the
// greatest, and the fewest candidates that were measured.

import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

import { Unavailable } from './browser.mjs';
import { ctl, findDevice, startDaemon } from './daemon.mjs';
import { openDawn } from './dawn.mjs';

const OPS = [
	// Short ones: a launch is most of them.
	'add shape=1024', 'gelu shape=128,3072', 'relu shape=64,56,56', 'softmax rows=1536 n=128', 'layernorm rows=128 n=768',
	'rmsnorm rows=1 n=2048', 'matmul m=1 n=2048 k=2048', 'matmul m=64 n=64 k=64', 'transpose shape=128,12,64 perm=1,0,2',
	'reduce_sum rows=64 n=4096', 'matmul m=97 n=131 k=65', 'attention heads=12 q=1 kv=128 dim=64',
	'conv2d c=144 h=56 w=56 oc=144 kernel=3 pad=1 groups=144', 'softmax rows=128 n=1024 dtype=f16', 'gelu shape=128,3072 dtype=f16',
	// Tens of microseconds.
	'matmul m=128 n=768 k=768', 'matmul m=128 n=3072 k=768 bias=1 act=gelu', 'matmul m=128 n=768 k=3072', 'matmul m=1 n=8192 k=2048',
	'matmul m=1 n=4096 k=4096 trans_b=1', 'matmul m=384 n=768 k=768 a=f16 b=f16 out=f16', 'conv2d c=64 h=56 w=56 oc=64 kernel=3 pad=1',
	'attention heads=12 q=128 kv=128 dim=64 order=bshd', 'attention heads=12 q=128 kv=128 dim=64 dtype=f16',
	'layernorm rows=4096 n=1024', 'softmax rows=8192 n=1024', 'add shape=4096,4096', 'matmul m=128 n=128 k=64 batch=12 trans_b=1',
	'conv2d c=128 h=28 w=28 oc=128 kernel=3 pad=1', 'matmul m=256 n=256 k=256', 'cumsum rows=1024 n=1024',
	'conv2d c=3 h=224 w=224 oc=64 kernel=7 stride=2 pad=3',
	// Hundreds and more.
	'attention heads=8 q=1024 kv=1024 dim=80 order=bshd', 'attention heads=16 q=1024 kv=1024 dim=64',
	'attention heads=32 q=512 kv=512 dim=128 causal=1', 'attention heads=8 q=4096 kv=4096 dim=40 order=bshd',
	'matmul m=1024 n=1024 k=1024', 'matmul m=2048 n=2048 k=2048', 'conv2d c=320 h=64 w=64 oc=320 kernel=3 pad=1',
	'matmul m=512 n=4096 k=4096 a=f16 b=f16 out=f16',
];
const SAMPLE_MS = 8, SAMPLES = 15;
const WARM_MS = 400, STEADY = 5, NEAR = 1.02; // warm once so many samples lie within 2% of the least

const started = performance.now();
const seconds = () => (performance.now() - started) / 1e3;
const pause = s => new Promise(done => setTimeout(done, s * 1e3));
const median = values => values.toSorted((x, y) => x - y)[values.length >> 1];

function clock() {
	const { stdout } = spawnSync('nvidia-smi', ['--query-gpu=clocks.sm', '--format=csv,noheader,nounits'], { encoding: 'utf8' });
	return Number(stdout?.trim() || NaN);
}

// ---- What a page sees.

// Numbers between -1 and 1, by the binding's type: f32, or halves; the same 256 KiB over and over.
function fill(dtype, bytes) {
	const words = new Uint32Array(Math.ceil(bytes / 4)), piece = Math.min(words.length, 65536);
	const floats = new Float32Array(words.buffer);
	for (let i = 0, state = 1; i < piece; i++) {
		state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
		if (dtype === 'f16')
			words[i] = (state & 0x83ff83ff) | 0x38003800; // 0.5 to 1 of either sign
		else
			floats[i] = state / 2 ** 31 - 1;
	}
	for (let done = piece; done < words.length; done *= 2)
		words.copyWithin(done, 0, Math.min(done, words.length - done));
	return words;
}

async function timeInDawn(artifact) {
	const { createRunner } = await import('/web/runtime/runner.js');
	const { Replay } = await import('/bench/capture.js'), { openDevice } = await import('/bench/kernels.js');
	const { device } = await openDevice([artifact]);
	const runner = await createRunner(device, artifact);
	const inputs = artifact.bindings.filter(({ type }) => type === 'read-only-storage');
	const buffers = runner.allocate(Object.fromEntries(inputs.map(({ name, dtype, bytes }) => [name, fill(dtype, bytes)])));
	const replay = new Replay(device);
	await replay.take(async () => runner.run(buffers));
	const begin = performance.now(), ms = [];
	let times = await replay.size(SAMPLE_MS), least = Infinity;
	for (let steady = 0; steady < STEADY && performance.now() - begin < 5 * WARM_MS;) {
		const one = await replay.stamped(times);
		steady = one < least / NEAR || one > least * NEAR || performance.now() - begin < WARM_MS ? 0 : steady + 1;
		least = Math.min(least, one);
	}
	times = await replay.size(SAMPLE_MS); // for the clock that it works at
	for (let i = 0; i < SAMPLES; i++)
		ms.push(await replay.stamped(times));
	replay.destroy();
	device.destroy();
	return median(ms) * 1e6;
}

// ----

async function tuneOne(daemon, common, op, { idleS, clocks }) {
	await pause(idleS);
	const before = clocks ? clock() : null, begin = seconds();
	ctl(daemon, ...common, 'tune', ...op.split(' '));
	const tune_s = seconds() - begin, behind = clocks ? clock() : null;
	const artifact = JSON.parse(ctl(daemon, ...common, 'get', ...op.split(' '), '--json'));
	return { artifact, tune_s, clocks: clocks ? ` ${before} to ${behind} MHz` : '' };
}

function summarise(rows) {
	const ratios = rows.map(({ ratio }) => ratio), near = ratios.filter(r => r <= 1.1 && r >= 1 / 1.1);
	console.log('\noperator | stored | Dawn | ratio | candidates');
	for (const { op, stored_ns, dawn_ns, ratio, measured } of rows)
		console.log(`${op} | ${(stored_ns / 1e3).toFixed(2)} us | ${(dawn_ns / 1e3).toFixed(2)} us | ${ratio.toFixed(3)} | ${measured}`);
	console.log(`kernels=${rows.length} within_10=${(near.length / rows.length).toFixed(3)} least=${Math.min(...ratios).toFixed(3)} ` +
		`most=${Math.max(...ratios).toFixed(3)} fewest=${Math.min(...rows.map(({ measured }) => measured))}`);
}

async function main() {
	const option = initial => ({ type: 'string', default: initial });
	const { values, positionals } = parseArgs({ allowPositionals: true, options: { 'budget-s': option('5'), 'idle-s': option('10'),
		from: option('0'), count: option('1000'), 'limit-s': option('3600'), json: option(''), clocks: { type: 'boolean', default: false } } });
	const dawn = await openDawn();
	if (!dawn)
		throw new Unavailable('Dawn finds no adapter here');
	(await import('/bench/capture.js')).install();
	const from = Number(values.from), rows = [];
	const ops = positionals.length ? positionals : OPS.slice(from, from + Number(values.count));
	const daemon = await startDaemon({ args: ['--budget', values['budget-s']] });
	try {
		const name = /swiftshader/i.test(dawn.text) ? 'swiftshader' : process.env.NNJIT_DEVICE ?? '';
		const device = await findDevice(daemon, name.toLowerCase());
		console.log(`Dawn's adapter: ${dawn.text}; the daemon's device: ${device.name}`);
		const common = ['--device', device.id, '--features', ['subgroups', 'shader-f16'].filter(f => dawn.features.includes(f)).join() || 'none'];
		for (const op of ops) {
			if (seconds() > Number(values['limit-s'])) {
				console.log(`not reached within the time: ${ops.slice(ops.indexOf(op)).join('; ')}`);
				break;
			}
			try {
				const { artifact, tune_s, clocks } = await tuneOne(daemon, common, op, { idleS: Number(values['idle-s']), clocks: values.clocks });
				const stored_ns = artifact.timing.median_ns, dawn_ns = await timeInDawn(artifact), { measured, of } = artifact.progress;
				rows.push({ op, stored_ns, dawn_ns, ratio: stored_ns / dawn_ns, measured, tune_s, schedule: artifact.schedule });
				console.log(`${(stored_ns / dawn_ns).toFixed(3)}  stored ${(stored_ns / 1e3).toFixed(2).padStart(9)} us  Dawn ${(dawn_ns / 1e3).toFixed(2).padStart(9)} us  ` +
					`${measured} of ${of} in ${tune_s.toFixed(1)} s${clocks}  ${op}: ${artifact.schedule}`);
			} catch (error) {
				console.log(`failed: ${op}: ${error.message}`);
			}
		}
		console.log(daemon.log().split('\n').filter(line => /warning|error/.test(line)).join('\n'));
	} finally {
		await daemon.stop();
	}
	if (values.json)
		writeFileSync(values.json, JSON.stringify({ adapter: dawn.text, rows }, null, 1));
	if (rows.length)
		summarise(rows);
	return rows.length === ops.length ? 0 : 1;
}

process.exitCode = await main().catch(error => {
	console.error(error instanceof Unavailable ? `stored: ${error.message}` : error);
	return error instanceof Unavailable ? 77 : 1;
});
process.exit(); // Dawn's threads would keep Node
