// SPDX-License-Identifier: Apache-2.0
//
// fidelity: does our timing rank kernels as a page would? Every candidate of an operator's lite space is
// timed natively under profile web, natively under profile native, and by timestamp queries in a page of
// headless Chromium, all on one device, in interleaved rounds.
//
//   tests/bench/run fidelity [OP ...] [--device NAME] [--builds N] [--rounds N] [--seconds S] [--save FILE] [--rows] [--dawn]
//                          [--lock FILE]
//   tests/bench/run fidelity --load FILE ...
//
// Without an OP, ten operators. --dawn puts Dawn in Node in Chromium's place, for a machine with a GPU and no
// browser. --device (default swiftshader) is a part of the Vulkan device's name; it must
// be the one that Chromium or Dawn uses. --seconds bounds the timing of one operator in one build (default 30). --save
// adds the measured times to FILE, one JSON line an operator; --load prints what such files hold, all together, the
// last of each operator. --rows prints every candidate. --lock holds FILE (flock) while an operator is timed,
// for a machine on which others measure too.
// The same kernel built twice differs: SwiftShader's code may happen to lie so that it takes 1.1 to 2 times as long,
// in a page and natively, in one kernel of four by more than 8%. So everything is built --builds times (2), on all
// sides, and a candidate's time is that of its better build; of one build, the lower quartile of its rounds.
// tau: Kendall's tau-b against the page, pairs within 2% of each other tied. loss: the page's time of the
// candidate that our web timing puts first, over the page's own least. time: ours over the page's, geometric mean.
// one build: tau where both have one, the mean over builds. `page itself`: its first build against its last, which
// is as near as one visit comes to another.
// Last line: tau (mean over operators), tau_least, loss_geomean, loss_max, the same of profile native, and tau of the page itself and of one build.

import { execFileSync, spawn } from 'node:child_process';
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { build, chromiumVersion, openPage as openInChromium, Unavailable } from './browser.mjs';
import { openPage as openInDawn } from './dawn.mjs';
import { geomean, kendall, loss, lowerQuartile, median } from './rank.mjs';
import { nativeDevice, startWorker } from './worker.mjs';

const OPS = [
	'matmul m=192 n=192 k=192',
	'matmul m=24 n=768 k=256',
	'matmul m=1 n=2048 k=1024 trans_b=1',
	'matmul m=64 n=64 k=64 batch=16',
	'softmax rows=512 n=512',
	'layernorm rows=512 n=768',
	'gelu shape=256,1024',
	'conv2d c=32 h=28 w=28 oc=32 kernel=3 pad=1',
	'conv2d c=96 h=56 w=56 oc=96 kernel=3 pad=1 groups=96',
	'attention heads=4 q=128 kv=128 dim=64',
];
const PAGE_SAMPLE_MS = 10;
const SLOW = 8; // candidates that take this many times the least are timed in the first rounds only
const SLOW_ROUNDS = 3;

// The space as the generator offers it for a processor or a GPU, with the operator's inputs and outputs.
function candidatesOf(op, kind) {
	const program = join(build, 'tests/libjit/dump_space');
	if (!existsSync(program))
		execFileSync('make', ['-s', 'tests/libjit/dump_space'], { cwd: build, stdio: 'inherit' });
	const lines = execFileSync(program, [kind, op], { encoding: 'utf8', maxBuffer: 1 << 30 }).trim().split('\n').map(l => JSON.parse(l));
	return { task: lines.find(line => line.case).case, artifacts: lines.filter(line => !line.case) };
}

// Builds them all under a profile; those that are right stay loaded. null, or why not, of each.
async function loadNative(worker, device, profile, op, artifacts) {
	await worker.ask('open', { device: device.id, profile });
	await worker.ask('load', { op, seed: 1 });
	const failures = [];
	for (const [candidate, { schedule }] of artifacts.entries())
		failures.push(await worker.ask('build', { candidate, schedule }).then(({ right, why }) => right ? null : why, error => error.message));
	return failures;
}

async function timeNative(worker, order) {
	const { samples_ns, clock } = await worker.ask('time', { candidates: order, samples: 1 });
	if (clock !== 'timestamp')
		throw new Unavailable('the device has no timestamps');
	return order.map(i => samples_ns[i][0]);
}

// All that time in turns: { name: time(order) -> ns in that order }.
function sidesOf(workers, page) {
	return {
		web: order => timeNative(workers.web, order),
		native: order => timeNative(workers.native, order),
		page: order => page.evaluate(async ([list, budgetMs]) => (await import('/bench/fidelity.js')).round(list, budgetMs), [order, PAGE_SAMPLE_MS]),
	};
}

const shuffled = (list, seed) => list.map((item, i) => [Math.sin((i + 1) * (seed + 1) * 12.9898) * 43758.5453 % 1, item])
	.sort(([x], [y]) => x - y).map(([, item]) => item);

// Rounds until their number or the time is over; { side: [[ns by round] by candidate] }.
async function measure(sides, usable, count, { rounds, seconds }) {
	const names = Object.keys(sides), end = Date.now() + seconds * 1e3;
	const times = Object.fromEntries(names.map(name => [name, Array.from({ length: count }, () => [])]));
	let order = usable;
	for (let round = 0; round < rounds && (round < SLOW_ROUNDS || Date.now() < end); round++) {
		if (round === SLOW_ROUNDS) {
			const least = Math.min(...usable.map(i => median(times.page[i])));
			order = usable.filter(i => median(times.page[i]) <= SLOW * least);
		}
		for (let turn = 0; turn < names.length; turn++) {
			const name = names[(round + turn) % names.length], list = shuffled(order, round);
			(await sides[name](list)).forEach((ns, i) => times[name][list[i]].push(ns));
		}
	}
	return times;
}

// Runs the function while nobody else holds the file.
async function locked(file, measureAll) {
	if (!file)
		return measureAll();
	const holder = spawn('flock', [file, 'sh', '-c', 'echo; exec cat'], { stdio: ['pipe', 'pipe', 'inherit'] });
	try {
		await new Promise((done, fail) => holder.once('error', fail).stdout.once('data', done));
		return await measureAll();
	} finally {
		holder.stdin.end();
	}
}

// All candidates built once, and timed: the samples of each, or why it is left out.
async function measureBuild(op, { task, artifacts }, { workers, device, page, options }) {
	const failures = {};
	await Promise.all(['web', 'native'].map(async profile => {
		failures[profile] = await loadNative(workers[profile], device, profile, op, artifacts);
	}));
	const loaded = await page.evaluate(async ([list, one]) => (await import('/bench/fidelity.js')).load(list, one), [artifacts, task]);
	failures.page = loaded.kernels.map(({ failure }) => failure ?? null);
	const usable = artifacts.map((_, i) => i).filter(i => !Object.values(failures).some(list => list[i]));
	if (usable.length < 2)
		throw new Error(`${op}: fewer than two candidates run on all sides: ${JSON.stringify(failures)}`);
	const times = await locked(options.lock, () => measure(sidesOf(workers, page), usable, artifacts.length, options));
	await page.evaluate(async () => (await import('/bench/fidelity.js')).unload());
	return { adapter: loaded.adapter, usable, times, pipeline_ms: loaded.kernels.map(kernel => kernel.pipeline_ms) };
}

async function measureOp(op, context) {
	const { device, options } = context, candidates = candidatesOf(op, device.kind === 'cpu' ? 'cpu' : 'gpu'), made = [];
	while (made.length < options.builds)
		made.push(await measureBuild(op, candidates, context));
	const usable = made[0].usable.filter(i => made.every(build => build.usable.includes(i)));
	const samples = i => Object.fromEntries(Object.keys(made[0].times).map(side => [side, made.map(build => build.times[side][i])]));
	return { op, device: device.name, browser: options.dawn ? 'Dawn in Node' : chromiumVersion(), adapter: made[0].adapter,
		left_out: candidates.artifacts.length - usable.length,
		candidates: usable.map(i => ({ schedule: candidates.artifacts[i].schedule, pipeline_ms: made[0].pipeline_ms[i], ...samples(i) })) };
}

// ---- What it says.

// Of each candidate: by one build, or by the better of all.
const byBuild = (row, side, build) => row.candidates.map(c => lowerQuartile(c[side][build]));
const byBest = (row, side) => row.candidates.map(c => Math.min(...c[side].map(lowerQuartile)));
const mean = list => list.reduce((sum, x) => sum + x, 0) / list.length;

function judge(row) {
	const [web, native, page] = ['web', 'native', 'page'].map(side => byBest(row, side)), builds = row.candidates[0].page.map((_, i) => i);
	const [first, last] = [0, builds.length - 1].map(build => byBuild(row, 'page', build));
	return { op: row.op, count: row.candidates.length, rounds: Math.max(...row.candidates.map(c => c.page[0].length)), best_ms: Math.min(...page) / 1e6,
		tau: kendall(web, page), native_tau: kendall(native, page), self: kendall(first, last),
		once: mean(builds.map(build => kendall(byBuild(row, 'web', build), byBuild(row, 'page', build)))),
		ratio: geomean(web.map((ns, i) => ns / page[i])), native_ratio: geomean(native.map((ns, i) => ns / page[i])),
		loss: loss(web, page), native_loss: loss(native, page), page_loss: loss(first, last) };
}

const percent = ratio => `${((ratio - 1) * 100).toFixed(1)}%`.padStart(8);

function printRows(row) {
	const sides = ['page', 'web', 'native'].map(side => byBest(row, side));
	const order = row.candidates.map((_, i) => i).sort((x, y) => sides[0][x] - sides[0][y]);
	for (const i of order)
		console.log(`   ${sides.map(side => (side[i] / 1e6).toFixed(3).padStart(9)).join('')}  ${row.candidates[i].schedule}`);
}

function print(rows, withRows) {
	const verdicts = rows.map(judge);
	console.log(`${rows[0].device}; ${Object.values(rows[0].adapter).filter(Boolean).join(' ')}; ${rows[0].browser}`);
	console.log(`${'operator'.padEnd(54)} cands rounds  best ms |   web: tau    loss  time  one build | native: tau    loss  time | page itself: tau    loss`);
	verdicts.forEach((v, i) => {
		console.log(`${v.op.padEnd(54)} ${String(v.count).padStart(5)} ${String(v.rounds).padStart(6)} ${v.best_ms.toFixed(3).padStart(8)} | ` +
			`${v.tau.toFixed(3).padStart(10)}${percent(v.loss)} ${v.ratio.toFixed(2)}x ${v.once.toFixed(3).padStart(10)} | ${v.native_tau.toFixed(3).padStart(11)}${percent(v.native_loss)} ${v.native_ratio.toFixed(2)}x | ` +
			`${v.self.toFixed(3).padStart(16)}${percent(v.page_loss)}`);
		if (withRows)
			printRows(rows[i]);
	});
	const of = name => verdicts.map(v => v[name]);
	console.log(`tau=${mean(of('tau')).toFixed(3)} tau_least=${Math.min(...of('tau')).toFixed(3)} loss_geomean=${geomean(of('loss')).toFixed(4)} ` +
		`loss_max=${Math.max(...of('loss')).toFixed(4)} native_tau=${mean(of('native_tau')).toFixed(3)} native_loss_geomean=${geomean(of('native_loss')).toFixed(4)} ` +
		`native_loss_max=${Math.max(...of('native_loss')).toFixed(4)} self_tau=${mean(of('self')).toFixed(3)} one_build_tau=${mean(of('once')).toFixed(3)}`);
}

function readRows(files) {
	const rows = files.flatMap(file => readFileSync(file, 'utf8').trim().split('\n').map(line => JSON.parse(line)));
	return [...new Map(rows.map(row => [row.op, row])).values()];
}

async function measureAll(ops, values) {
	const device = nativeDevice(values.device), workers = { web: startWorker(), native: startWorker() };
	const options = { builds: Number(values.builds), rounds: Number(values.rounds), seconds: Number(values.seconds), dawn: values.dawn, lock: values.lock };
	const opened = await (options.dawn ? openInDawn : openInChromium)().catch(async error => {
		await Promise.all(Object.values(workers).map(worker => worker.stop()));
		throw error;
	});
	const rows = [];
	try {
		for (const op of ops) {
			console.error(`fidelity: ${op}`);
			const row = await measureOp(op, { workers, device, page: opened.page, options });
			if (values.save)
				appendFileSync(values.save, `${JSON.stringify(row)}\n`);
			rows.push(row);
		}
	} finally {
		await opened.close();
		await Promise.all(Object.values(workers).map(worker => worker.stop()));
	}
	return rows;
}

async function main() {
	const { values, positionals } = parseArgs({ allowPositionals: true, options: {
		device: { type: 'string', default: 'swiftshader' }, builds: { type: 'string', default: '2' }, rounds: { type: 'string', default: '15' }, seconds: { type: 'string', default: '30' },
		lock: { type: 'string' }, save: { type: 'string' }, load: { type: 'boolean', default: false }, rows: { type: 'boolean', default: false },
		dawn: { type: 'boolean', default: false } } });
	print(values.load ? readRows(positionals) : await measureAll(positionals.length ? positionals : OPS, values), values.rows);
}

await main().catch(error => {
	console.error(error instanceof Unavailable ? `fidelity: ${error.message}` : error);
	process.exitCode = error instanceof Unavailable ? 77 : 1;
});
process.exit(); // Dawn's threads would keep Node
