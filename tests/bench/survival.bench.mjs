// SPDX-License-Identifier: Apache-2.0
//
// Whether the daemon survives what happens to its store, and what it serves then. A store is tuned
// once; each case takes a copy.
//
//   tests/bench/run survival [--stopped N] [--running N] [--kills N] [--seed N]
//
//   stopped  damage while no daemon runs: it must start, serve nothing damaged, and stop
//   running  damage under a running daemon: it may end by a signal once; the next start must serve
//   kills    kill -9 of a daemon that tunes and answers: nothing that was told may be missing after it
//
// Nothing damaged is served: each kernel, trial and device in an answer is one of the undamaged store,
// or the kernel is predicted. Exit status 1 if a case failed.

import { closeSync, copyFileSync, ftruncateSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { Unavailable } from './browser.mjs';
import { startDaemon } from './daemon.mjs';

const PAGE = 4096;
const OPERATORS = 24;

const { values } = parseArgs({
	options: {
		stopped: { type: 'string', default: '2000' },
		running: { type: 'string', default: '200' },
		kills: { type: 'string', default: '2000' },
		seed: { type: 'string', default: '1' },
	},
});

let state = BigInt(values.seed);

// A whole number from 0 to `below` - 1.
function draw(below) {
	state = (state * 6364136223846793005n + 1442695040888963407n) & 0xffffffffffffffffn;
	return Number((state >> 33n) % BigInt(below));
}

const pick = list => list[draw(list.length)];
const pause = ms => new Promise(done => setTimeout(done, ms));
const scratch = mkdtempSync(join(tmpdir(), 'nnjit-survival-'));
process.once('exit', () => rmSync(scratch, { recursive: true, force: true }));

let failures = 0;
function complain(what, why) {
	failures++;
	console.log(`FAILED: ${what}: ${why}`);
}

const opOf = i => `matmul m=${8 + 4 * (i % 6)} n=${8 + 8 * Math.floor(i / 6)} k=16`;
const operators = Array.from({ length: OPERATORS }, (_, i) => opOf(i));

// ---- Asking. null: no connection, or an answer that says why there is none.

async function ask(daemon, path) {
	try {
		const answer = await fetch(daemon.url + path, { signal: AbortSignal.timeout(10000) });
		const body = await answer.json();
		return answer.ok ? body : null;
	} catch {
		return null;
	}
}

const query = text => encodeURIComponent(text);
const kernelOf = (daemon, op) => ask(daemon, `/v1/kernel?op=${query(op)}`);
const trialsOf = (daemon, op) => ask(daemon, `/v1/trials?op=${query(op)}`);

const factOfKernel = k => JSON.stringify(['kernel', k.op, k.schedule, k.status, k.timing?.median_ns ?? k.median_ns]);
const factOfCode = k => JSON.stringify(['code', k.op, k.schedule, k.timing.median_ns, k.code]);
const factOfTrial = (op, t) => JSON.stringify(['trial', op, t.schedule, t.state, t.why ?? '', t.median_ns ?? 0, t.samples ?? 0]);
const factOfDevice = d => JSON.stringify(['device', d.id, d.name, d.class, d.limits, d.facts]);

// Everything that a daemon says of a store, as a set of facts. `some`: of that many operators only.
async function factsOf(daemon, some = OPERATORS) {
	const facts = [], start = draw(OPERATORS);
	for (const k of (await ask(daemon, '/v1/kernels'))?.kernels ?? [])
		facts.push(factOfKernel(k));
	for (const d of (await ask(daemon, '/v1/devices'))?.devices ?? [])
		facts.push(factOfDevice(d));
	for (let i = 0; i < some; i++) {
		const op = operators[(start + i) % OPERATORS];
		for (const t of (await trialsOf(daemon, op))?.trials ?? [])
			facts.push(factOfTrial(op, t));
		const kernel = await kernelOf(daemon, op);
		if (kernel && kernel.status !== 'predicted')
			facts.push(factOfCode(kernel));
		else if (kernel && !kernel.code)
			facts.push(`no code for ${op}`);
	}
	return facts;
}

// ---- The store of all cases.

const untuned = ['--worker', '/bin/false', '--log-level', 'warning'];

async function tuned(daemon, limitS) {
	for (const start = Date.now(); Date.now() - start < limitS * 1000; await pause(200)) {
		const { tuning, enumerated } = await ask(daemon, '/v1/status');
		if (enumerated && !tuning.jobs_queued && !tuning.jobs_running)
			return;
	}
	throw new Error(`the store was not tuned within ${limitS} s`);
}

async function makeStore() {
	const stateDir = join(scratch, 'whole');
	mkdirSync(stateDir);
	let daemon = await startDaemon({ stateDir, args: ['--budget', '1'] });
	await tuned(daemon, 60);
	if (!(await ask(daemon, '/v1/devices')).devices.length)
		throw new Unavailable('there is no Vulkan device');
	for (const op of operators)
		await kernelOf(daemon, op);
	await tuned(daemon, 300);
	await daemon.stop();
	const bytes = readFileSync(join(stateDir, 'data.mdb'));
	daemon = await startDaemon({ stateDir, args: untuned });
	const facts = new Set(await factsOf(daemon));
	await daemon.stop();
	return { stateDir, bytes, facts };
}

// ---- Damage: to the bytes of a database; returns what was done.

const flip = (bytes, at) => { bytes[at] ^= 1 << draw(8); };
const aPage = bytes => PAGE * draw(bytes.length / PAGE);

const damages = {
	'a bit': bytes => (flip(bytes, draw(bytes.length)), bytes),
	'bits': bytes => {
		for (let i = 2 + draw(60); i > 0; i--)
			flip(bytes, draw(bytes.length));
		return bytes;
	},
	'a page\'s head': bytes => (flip(bytes, aPage(bytes) + draw(16)), bytes),
	'a page\'s nodes': bytes => (flip(bytes, aPage(bytes) + 16 + draw(100)), bytes),
	'the file\'s heads': bytes => (flip(bytes, PAGE * draw(2) + draw(160)), bytes),
	'a number in the heads': bytes => (bytes.writeUInt32LE(draw(2 ** 31), PAGE * draw(2) + 4 * draw(40)), bytes),
	'a page of zeros': bytes => { const at = aPage(bytes); return bytes.fill(0, at, at + PAGE); },
	'a page of noise': bytes => {
		for (let at = aPage(bytes), end = at + PAGE; at < end; at++)
			bytes[at] = draw(256);
		return bytes;
	},
	'a page in another\'s place': bytes => {
		const from = aPage(bytes);
		bytes.copy(bytes, aPage(bytes), from, from + PAGE);
		return bytes;
	},
	'cut': bytes => bytes.subarray(0, draw(bytes.length)),
	'cut at a page': bytes => bytes.subarray(0, aPage(bytes)),
	'cut short': bytes => bytes.subarray(0, draw(3 * PAGE)),
};

// One fact or several that the undamaged store does not have.
function checkServed(what, whole, facts) {
	const wrong = facts.filter(fact => !whole.facts.has(fact));
	if (wrong.length)
		complain(what, `serves ${wrong[0].slice(0, 300)}`);
	return wrong.length === 0;
}

async function start(what, stateDir) {
	try {
		return await startDaemon({ stateDir, args: untuned });
	} catch (error) {
		complain(what, error.message);
		return null;
	}
}

// A start after whatever happened: it must answer, serve nothing damaged, and end when told to.
async function mustServe(what, whole, stateDir) {
	const daemon = await start(what, stateDir);
	if (!daemon)
		return {};
	const facts = await factsOf(daemon, 3);
	checkServed(what, whole, facts);
	const how = await daemon.stop();
	if (how !== 0)
		complain(what, `ended with ${how}: ${daemon.log().slice(-400)}`);
	return { aside: /set aside/.test(daemon.log()), served: facts.length };
}

async function stoppedCase(whole, number, counts) {
	const stateDir = join(scratch, 'case'), kind = pick(Object.keys(damages));
	const what = `stopped ${number} (${kind})`;
	mkdirSync(stateDir);
	writeFileSync(join(stateDir, 'data.mdb'), damages[kind](Buffer.from(whole.bytes)));
	if (!draw(4))
		writeFileSync(join(stateDir, 'lock'), pick(['', 'closed 1 2 3 4 5', 'x'.repeat(5000)]));
	const { aside, served } = await mustServe(what, whole, stateDir);
	counts.aside += !!aside;
	counts.served += served ?? 0;
	rmSync(stateDir, { recursive: true });
}

function damageInPlace(stateDir) {
	const kind = pick(Object.keys(damages));
	const fd = openSync(join(stateDir, 'data.mdb'), 'r+');
	const before = readFileSync(join(stateDir, 'data.mdb'));
	const after = damages[kind](Buffer.from(before));
	for (let at = 0; at < after.length; at += PAGE)
		if (after.compare(before, at, Math.min(at + PAGE, after.length), at, Math.min(at + PAGE, after.length)))
			writeSync(fd, after, at, Math.min(PAGE, after.length - at), at);
	if (after.length < before.length)
		ftruncateSync(fd, after.length);
	closeSync(fd);
	return kind;
}

async function runningCase(whole, number, counts) {
	const stateDir = join(scratch, 'case'), what = `running ${number}`;
	mkdirSync(stateDir);
	copyFileSync(join(whole.stateDir, 'data.mdb'), join(stateDir, 'data.mdb'));
	const daemon = await start(what, stateDir);
	if (daemon) {
		const kind = damageInPlace(stateDir);
		checkServed(`${what} (${kind})`, whole, await factsOf(daemon, 3));
		await kernelOf(daemon, `matmul m=${1 + draw(64)} n=7 k=7`); // a job is written
		await pause(draw(60));
		checkServed(`${what} (${kind})`, whole, await factsOf(daemon, 1));
		const how = await daemon.stop();
		counts.signals += typeof how === 'string' && how !== 'hung';
		if (how === 'hung')
			complain(`${what} (${kind})`, 'does not stop');
		const { aside } = await mustServe(`${what} (${kind}), afterwards`, whole, stateDir);
		counts.aside += !!aside;
	}
	rmSync(stateDir, { recursive: true });
}

// ---- Kills. Told facts stay: what is tuned, and trials that ended.

async function told(daemon, ops) {
	const facts = [];
	const list = await ask(daemon, '/v1/kernels');
	if (!list)
		return null;
	for (const k of list.kernels)
		facts.push(`kernel ${k.op}`, ...(k.status === 'tuned' ? [`tuned ${k.op}: ${k.schedule}`] : []));
	for (const op of ops) {
		const trials = (await trialsOf(daemon, op))?.trials;
		if (!trials)
			return null;
		for (const t of trials)
			if (t.samples > 0)
				facts.push(`trial ${op}: ${t.schedule} timed`);
			else if (t.state !== 'launched')
				facts.push(`trial ${op}: ${t.schedule} ${t.state}`);
	}
	return facts;
}

// Most lives are too short to tune anything: they end while the store is opened, the devices are
// listed or a job begins. Some are long enough.
const lifeMs = () => draw(4) ? draw(250) : draw(2500);

const firstNew = `matmul m=32 n=32 k=16`;

async function killCases(whole, kills) {
	const stateDir = join(scratch, 'killed'), ops = [...operators, firstNew];
	const counts = { facts: 0, slowest: 0, lost: 0, tuned: 0 };
	let known = null, last = [];
	mkdirSync(stateDir);
	copyFileSync(join(whole.stateDir, 'data.mdb'), join(stateDir, 'data.mdb'));
	for (let kill = 1; kill <= kills; kill++) {
		const begun = performance.now();
		const daemon = await startDaemon({ stateDir, args: ['--budget', '2', '--log-level', 'warning'] }).catch(error => {
			complain(`kill ${kill}`, error.message);
		});
		if (!daemon)
			break;
		counts.slowest = Math.max(counts.slowest, performance.now() - begun);
		const asked = [...ops.slice(-3), pick(operators)];
		if (known) {
			const kept = new Set(await told(daemon, known.asked));
			const lost = known.facts.filter(fact => !kept.has(fact));
			counts.lost += lost.length;
			counts.facts += known.facts.length;
			if (lost.length)
				complain(`kill ${kill}`, `lost ${lost[0]}`);
		}
		if (last.includes(`kernel ${ops.at(-1)}`))
			ops.push(`matmul m=${36 + 4 * ops.length} n=32 k=16`);
		const end = performance.now() + lifeMs();
		last = known?.facts ?? [];
		while (performance.now() < end) {
			await Promise.all([kernelOf(daemon, ops.at(-1)), kernelOf(daemon, pick(ops)), pause(2)]);
			last = await told(daemon, asked) ?? last;
		}
		counts.tuned = last.filter(fact => fact.startsWith('tuned')).length - OPERATORS;
		known = { asked: known && last === known.facts ? known.asked : asked, facts: last };
		await daemon.stop('SIGKILL');
	}
	return counts;
}

// ---- The run.

async function run() {
	const [stopped, running, kills] = [values.stopped, values.running, values.kills].map(Number);
	const figures = {};
	let begun;
	const timed = count => `${((performance.now() - begun) / 1000 / Math.max(count, 1)).toFixed(2)} s each`;

	const whole = await makeStore();
	console.log(`a store of ${whole.bytes.length} bytes, ${whole.facts.size} facts`);
	if (stopped || running) {
		let counts = { aside: 0, served: 0 };
		begun = performance.now();
		for (let i = 0; i < stopped; i++)
			await stoppedCase(whole, i, counts);
		console.log(`stopped: ${stopped} damaged, ${counts.aside} set aside, ${counts.served} facts served, ${timed(stopped)}`);
		Object.assign(figures, { stopped, stopped_aside: counts.aside });
		counts = { signals: 0, aside: 0 };
		begun = performance.now();
		for (let i = 0; i < running; i++)
			await runningCase(whole, i, counts);
		console.log(`running: ${running} damaged, ${counts.signals} ended by a signal, ${counts.aside} set aside at the next start, ${timed(running)}`);
		Object.assign(figures, { running, running_signals: counts.signals, running_aside: counts.aside });
	}
	if (kills) {
		begun = performance.now();
		const counts = await killCases(whole, kills);
		console.log(`kills: ${kills}, ${counts.facts} facts told and looked for, ${counts.lost} lost, ${counts.tuned} kernels tuned meanwhile; slowest start ${counts.slowest.toFixed(0)} ms, ${timed(kills)}`);
		Object.assign(figures, { kills, lost: counts.lost });
	}
	console.log(Object.entries({ ...figures, failures }).map(([key, value]) => `${key}=${value}`).join(' '));
	return failures ? 1 : 0;
}

run().then(status => process.exit(status), error => {
	console.log(error instanceof Unavailable ? `survival: ${error.message}` : error);
	process.exit(error instanceof Unavailable ? 77 : 1);
});
