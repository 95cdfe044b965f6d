// SPDX-License-Identifier: Apache-2.0
//
// The whole line, for real: a page asks a running nnjitd over WebSocket for a matmul, gets a predicted
// kernel at once, runs it in WebGPU, is pushed better ones, ends with the tuned one and right numbers; the
// result outlives the daemon. Then the demo page, in each of its states, with a screenshot.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

import { closedPort, echo, openPage, outFolder, Unavailable } from '../bench/browser.mjs';
import { findDevice, startDaemon } from '../bench/daemon.mjs';

const TOLERANCE = 1e-5;
const OP = 'matmul m=256 n=256 k=256';
const TIED = 'relu shape=200000'; // every schedule loads and stores as much: the best of them tie
const args = ['--trials', '16'];
const stateDir = mkdtempSync(join(tmpdir(), 'nnjit-e2e-'));

let skip = false, daemon, opened, page;
try {
	daemon = await startDaemon({ args, stateDir });
	await findDevice(daemon, 'swiftshader');
	opened = await openPage();
	page = opened.page;
} catch (error) {
	if (!(error instanceof Unavailable))
		throw error;
	skip = error.message;
}

after(async () => {
	await opened?.close();
	await daemon?.stop();
	rmSync(stateDir, { recursive: true, force: true });
});

// In the page: asks, runs every version that comes, checks each against f64 and times it.
function wholeLine([url, text]) {
	return Promise.all([import('/web/nnjit.js'), import('/web/demo/baseline.js'), import('/bench/kernels.js'), import('/web/testing/reference.js')])
		.then(async ([{ connect, createRunner }, { baselineArtifact }, { openDevice, check }, reference]) => {
			const { device } = await openDevice();
			const adapter = await navigator.gpu.requestAdapter();
			const client = await connect({ url, adapter, device });
			const op = reference.parseOp(text), base = await createRunner(device, baselineArtifact(op));
			const inputs = reference.randomInputs(base.artifact), elements = reference.sampleElements(op);
			const prepared = { buffers: base.allocate(inputs), elements, want: reference.referenceAt(op, inputs, elements) };
			const start = performance.now(), versions = [];
			let progress = null;
			for await (const kernel of client.watch(text, { onProgress: now => { progress = now; } })) {
				const at_ms = performance.now() - start;
				const runner = await createRunner(device, kernel);
				const { max_rel_err, checked } = await check(device, runner, prepared);
				const { median_ns } = await runner.time(prepared.buffers, { samples: 3 });
				versions.push({ at_ms, status: kernel.status, schedule: kernel.schedule, max_rel_err, checked, median_ns, timing: kernel.timing,
					verified: kernel.verified });
			}
			const stored = await client.kernel(text), { median_ns: base_ns } = await base.time(prepared.buffers, { samples: 3 });
			await client.report(stored, { median_ns: versions.at(-1).median_ns, samples: 3 });
			client.close();
			return { versions, base_ns, progress, stored: stored.status, schedule: stored.schedule };
		});
}

let tunedSchedule = null;

test('page, daemon, predicted kernel, improvements, tuned kernel, right numbers', { skip, timeout: 180e3 }, async t => {
	const { versions, base_ns, progress, stored, schedule } = await page.evaluate(wholeLine, [daemon.ws, OP]);
	const [first] = versions, last = versions.at(-1);
	t.diagnostic(`first (${first.status}) after ${first.at_ms.toFixed(1)} ms; ${versions.length} versions; tuned after ${(last.at_ms / 1e3).toFixed(1)} s; ` +
		`in the page: default ${(base_ns / 1e6).toFixed(2)} ms, tuned ${(last.median_ns / 1e6).toFixed(2)} ms`);
	assert.ok(['predicted', 'tuning'].includes(first.status), `the first answer is ${first.status}`);
	assert.ok(first.at_ms < 250, `the first answer took ${first.at_ms} ms`);
	assert.ok(versions.length >= 2);
	assert.equal(last.status, 'tuned');
	for (const { max_rel_err, schedule: text, checked } of versions)
		assert.ok(max_rel_err < TOLERANCE && checked > 0, `${text}: ${max_rel_err} over ${checked}`);
	assert.ok(last.verified.checked > 0 && last.verified.max_rel_err < TOLERANCE);
	assert.ok(last.timing.median_ns > 0 && last.timing.baseline_ns > 0 && last.timing.samples > 0);
	assert.ok(progress.measured > 0 && progress.of <= 16);
	assert.equal(stored, 'tuned');
	assert.ok(last.median_ns < base_ns, `tuned ${last.median_ns} ns, default ${base_ns} ns in the page`);
	tunedSchedule = schedule;
});

test('a tuned kernel outlives the daemon', { skip, timeout: 60e3 }, async () => {
	assert.equal(await daemon.stop(), 0);
	daemon = await startDaemon({ args, stateDir });
	const kernel = await page.evaluate(async ([url, op]) => {
		const { connect } = await import('/web/nnjit.js');
		const client = await connect({ url, adapter: await navigator.gpu.requestAdapter() });
		const answer = await client.kernel(op, client.device ? {} : { device: 'swiftshader' });
		client.close();
		return answer;
	}, [daemon.ws, OP]);
	assert.equal(kernel.status, 'tuned');
	assert.equal(kernel.schedule, tunedSchedule);
});

// In the page: the leaders in turns, the daemon's answer to that, and what a lie can do.
function pageInTheLoop([url, op]) {
	return Promise.all([import('/web/nnjit.js'), import('/bench/kernels.js')]).then(async ([{ compare, connect }, { openDevice }]) => {
		const { device } = await openDevice();
		const client = await connect({ url, adapter: await navigator.gpu.requestAdapter(), device });
		for await (const _ of client.watch(op)); // until it is tuned
		const { leaders } = await client.leaders(op), first = await client.kernel(op);
		const { kernel, timings } = await compare(client, device, op, { samples: 3, budgetMs: 5 });
		const { reports } = await client.call('trials', { op });
		for (const leader of leaders)
			await client.report(leader, { median_ns: leader === leaders.at(-1) ? 1 : 1e9, samples: 1000, quantum_ns: 0 });
		const lied = await client.kernel(op);
		client.close();
		return { leaders: leaders.map(({ schedule, timing }) => ({ schedule, ns: timing.median_ns })), first: first.schedule,
			served: kernel.schedule, timings, reports, lied: lied.schedule };
	});
}

test('a page settles near-ties, for itself', { skip, timeout: 120e3 }, async t => {
	const { leaders, first, served, timings, reports, lied } = await page.evaluate(pageInTheLoop, [daemon.ws, TIED]);
	t.diagnostic(`${leaders.length} leaders; quantum ${timings[0]?.quantum_ns} ns; served ${served === first ? 'as before' : 'another'}`);
	assert.ok(leaders.length > 1, 'nothing ties');
	assert.equal(leaders[0].schedule, first);
	assert.ok(leaders.every(({ ns }) => ns <= leaders[0].ns * 1.05));
	assert.ok(leaders.some(({ schedule }) => schedule === served));
	assert.equal(timings.length, leaders.length);
	assert.ok(timings.every(({ schedule }) => reports.some(report => report.schedule === schedule)));
	assert.ok(reports.every(({ weight, median_ns }) => weight > 0 && weight < 1 && median_ns > 0));
	assert.equal(lied, leaders.at(-1).schedule); // a near-tie at worst
	const other = await (await fetch(`${daemon.url}/v1/kernel?op=${encodeURIComponent(TIED)}&device=swiftshader&features=subgroups`)).json();
	assert.equal(other.schedule, first);
});

// In the page: every version of a kernel with an open dimension, each run with several sizes.
function openLine([url, sizes]) {
	return Promise.all([import('/web/nnjit.js'), import('/bench/kernels.js'), import('/web/testing/reference.js')])
		.then(async ([{ connect, createRunner }, { openDevice }, reference]) => {
			const { device } = await openDevice();
			const client = await connect({ url, adapter: await navigator.gpu.requestAdapter(), device });
			const versions = [];
			for await (const kernel of client.watch('matmul m=?48 n=96 k=64 act=relu')) {
				const runner = await createRunner(device, kernel);
				const buffers = runner.allocate({}, { m: Math.max(...sizes) }); // the same for all
				for (const m of sizes) {
					const op = reference.parseOp(`matmul m=${m} n=96 k=64 act=relu`), elements = reference.sampleElements(op);
					const inputs = { a: reference.randomArray(m * 64, m), b: reference.randomArray(64 * 96, 7) };
					for (const name in inputs)
						device.queue.writeBuffer(buffers[name], 0, inputs[name]);
					device.queue.writeBuffer(buffers.out, 0, new Float32Array(m * 96).fill(NaN));
					runner.run(buffers, null, { m });
					const { max_rel_err } = reference.compare(await runner.read(buffers.out, 'out', { m }),
						reference.referenceAt(op, inputs, elements), elements);
					versions.push({ status: kernel.status, schedule: kernel.schedule, m, max_rel_err });
				}
				Object.values(buffers).forEach(buffer => buffer.destroy());
			}
			client.close();
			return versions;
		});
}

test('a kernel with an open dimension is right with every size, predicted and tuned', { skip, timeout: 180e3 }, async () => {
	const versions = await page.evaluate(openLine, [daemon.ws, [48, 1, 7, 49, 200]]);
	assert.equal(versions.at(-1).status, 'tuned');
	for (const { max_rel_err, schedule, m } of versions)
		assert.ok(max_rel_err < TOLERANCE, `${schedule} at m=${m}: ${max_rel_err}`);
});

// In the page: every version of a kernel whose b is constant; then both layouts, whichever is faster.
function constantLine([url, text, otherText, transposeText]) {
	return Promise.all([import('/web/nnjit.js'), import('/bench/kernels.js'), import('/web/testing/reference.js'), import('/web/demo/baseline.js')])
		.then(async ([{ connect, createRunner }, { openDevice, check }, reference, { baselineArtifact }]) => {
			const { device } = await openDevice();
			const client = await connect({ url, adapter: await navigator.gpu.requestAdapter(), device });
			const op = reference.parseOp(text), base = await createRunner(device, baselineArtifact(op));
			const inputs = reference.randomInputs(base.artifact), elements = reference.sampleElements(op);
			const buffers = base.allocate(inputs), want = reference.referenceAt(op, inputs, elements), versions = [];
			const check1 = async kernel => {
				const runner = await createRunner(device, kernel), prepared = await runner.prepare(buffers);
				const { max_rel_err } = await check(device, runner, { buffers: prepared, elements, want });
				versions.push({ status: kernel.status, max_rel_err, anew: 'scratch' in prepared, steps: kernel.steps?.length ?? 1 });
			};
			for await (const kernel of client.watch(text, { constant: 'b' }))
				await check1(kernel);
			const [asked, other, transpose] = await Promise.all([text, otherText, transposeText].map(one => client.kernel(one)));
			await check1(asked);
			await check1({ ...asked, scratch: asked.bindings[1].bytes, kernels: [transpose, other], steps: [
				{ kernel: 0, repeat: 1, once: true, buffers: ['b', 'scratch'].map(name => ({ name, offset: 0, advance: 0 })) },
				{ kernel: 1, repeat: 1, once: false, buffers: ['a', 'scratch', 'out'].map(name => ({ name, offset: 0, advance: 0 })) }] });
			client.close();
			return versions;
		});
}

test('a constant input may be laid out anew, and the numbers are right either way', { skip, timeout: 180e3 }, async t => {
	const versions = await page.evaluate(constantLine, [daemon.ws, 'matmul m=3 n=96 k=160', 'matmul m=3 n=96 k=160 trans_b=1',
		'transpose shape=160,96 perm=1,0']);
	t.diagnostic(versions.map(({ status, steps }) => `${status}, ${steps} steps`).join('; '));
	assert.equal(versions.at(-3).status, 'tuned');
	assert.deepEqual(versions.slice(-2).map(({ anew, status }) => [anew, status]), [[false, 'tuned'], [true, 'tuned']]);
	for (const { max_rel_err, anew, steps } of versions) {
		assert.ok(max_rel_err < TOLERANCE, `${steps} steps: ${max_rel_err}`);
		assert.equal(anew, steps > 1);
	}
});

// In the page: an operator with large tensors on a device with these limits, predicted, through the runner.
function largeLine([url, text, requiredLimits]) {
	return Promise.all([import('/web/nnjit.js'), import('/web/testing/reference.js')]).then(async ([{ connect, createRunner }, reference]) => {
		const adapter = await navigator.gpu.requestAdapter(), device = await adapter.requestDevice({ requiredLimits });
		const client = await connect({ url, adapter, device }), kernel = await client.kernel(text);
		let complaint = null;
		device.addEventListener('uncapturederror', ({ error }) => { complaint = error.message; });
		const runner = await createRunner(device, kernel), gather = text.startsWith('gather');
		const size = name => kernel.bindings.find(binding => binding.name === name).bytes / 4;
		const block = reference.randomArray(65521, 3), at = i => block[i % 65521];
		const fill = length => Float32Array.from({ length }, (_, i) => at(i)), indices = Int32Array.from([0, 50256, 25000, 30000, -1, 7]);
		const inputs = gather ? { x: fill(size('x')), indices } : { a: fill(size('a')), b: fill(size('b')) };
		const buffers = runner.allocate(inputs);
		device.queue.writeBuffer(buffers.out, 0, new Float32Array(size('out')).fill(NaN));
		runner.run(buffers);
		const got = await runner.read(buffers.out), { n, k, trans_b, inner } = reference.parseOp(text);
		let worst = 0, checked = 0;
		for (let i = 0; i < got.length; i += Math.max(1, Math.floor(got.length / 97))) {
			let want = 0;
			for (let j = 0; !gather && j < k; j++)
				want += at(j) * at(trans_b ? i * k + j : j * n + i);
			if (gather)
				want = at((indices[Math.floor(i / inner)] + 50257) % 50257 * inner + i % inner);
			worst = Math.max(worst, Math.abs(got[i] - want));
			checked++;
		}
		const unwritten = got.some(Number.isNaN);
		Object.values(buffers).forEach(buffer => buffer.destroy());
		client.close();
		device.destroy();
		return { steps: kernel.steps?.length ?? 0, dispatches: kernel.steps?.reduce((sum, { repeat }) => sum + repeat, 0) ?? 1, worst, checked, unwritten, complaint };
	});
}

for (const op of ['matmul m=1 n=50257 k=768 trans_b=1', 'matmul m=1 n=50257 k=768', 'gather rows=50257 inner=768 count=6'])
	for (const [limits, dispatches] of [[{}, 2], [{ maxStorageBufferBindingSize: 1 << 30 }, 1]])
		test(`${op} with ${JSON.stringify(limits)}: ${dispatches} dispatches, right numbers`, { skip, timeout: 120e3 }, async () => {
			const got = await page.evaluate(largeLine, [daemon.ws, op, limits]);
			assert.equal(got.complaint, null);
			assert.equal(got.dispatches, dispatches);
			assert.equal(got.steps > 0, dispatches > 1);
			assert.ok(got.checked > 90 && !got.unwritten && got.worst < 1e-3, JSON.stringify(got));
		});

const state = (on, name, timeout = 15e3) => on.waitForFunction(want => document.documentElement.dataset.state === want, name, { timeout });

test('the demo page shows default and tuned', { skip, timeout: 240e3 }, async t => {
	const demo = await opened.browser.newPage({ viewport: { width: 1280, height: 900 } });
	echo(demo);
	await demo.goto(`${daemon.url}/?shapes=256x256x256,97x131x65,64x64x64`);
	await state(demo, 'ready');
	await demo.click('#start');
	await state(demo, 'done', 220e3);
	const rows = await demo.$$eval('#rows tr', list => list.map(row => [...row.cells].map(cell => cell.textContent)));
	t.diagnostic(rows.map(row => row.slice(0, 5).join('  ')).join(' | '));
	const file = join(outFolder(), 'demo.png');
	await demo.screenshot({ path: file, fullPage: true });
	assert.equal(rows.length, 3);
	for (const row of rows) {
		assert.match(row[3], /^\d+(\.\d)?×$/, `speedup of ${row[0]}`);
		assert.ok(Number(row[6]) < TOLERANCE, `error of ${row[0]}: ${row[6]}`);
		assert.match(row[7], /\w+=\d+/);
	}
	assert.match(await demo.textContent('#geomean'), /^\d+(\.\d)?×$/);
	assert.match(await demo.textContent('#device'), /swiftshader/i);
	assert.equal(await demo.$$eval('.card[data-status="tuned"] .chart .dot', dots => dots.length > 4), true);
	assert.ok(statSync(file).size > 50e3, `${file} has ${statSync(file).size} bytes`);
	await demo.close();
});

test('the demo page without a daemon', { skip, timeout: 60e3 }, async () => {
	const demo = await opened.browser.newPage();
	await demo.goto(`${opened.server.url}web/index.html?port=${await closedPort()}&shapes=16x16x16`);
	await state(demo, 'ready');
	await demo.click('#start');
	await state(demo, 'no-daemon');
	assert.match(await demo.textContent('#notice'), /No nnjit service/);
	await demo.waitForSelector('.card[data-status="alone"]');
	await demo.close();
});

test('the demo page without WebGPU', { skip, timeout: 60e3 }, async () => {
	const demo = await opened.browser.newPage();
	await demo.addInitScript(() => Object.defineProperty(Navigator.prototype, 'gpu', { value: undefined }));
	await demo.goto(`${daemon.url}/?shapes=16x16x16`);
	await state(demo, 'no-webgpu');
	assert.match(await demo.textContent('#notice'), /no WebGPU/);
	await demo.close();
});
