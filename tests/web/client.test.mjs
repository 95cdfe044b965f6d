// SPDX-License-Identifier: Apache-2.0
//
// nnjit-web in a page, against a real daemon: finding one or none, asking, refusals, running kernels of
// every element type and with open dimensions, giving up, losing the connection, and the way round a
// blocked WebSocket. What needs no page (sizes, element types) is tested first, without one.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { closedPort, launch, openPage, serve, Unavailable } from '../bench/browser.mjs';
import { findDevice, startDaemon } from '../bench/daemon.mjs';
import { relativeError } from '../../clients/web/testing/reference.js';
import { opBeyond } from '../../clients/web/connect/beyond.js';
import { arrayOf, bytesAt, dimsOf, fromNumbers, toNumbers, workgroupsAt } from '../../clients/web/runtime/tensor.js';

// ---- Without a page.

const open = { op: 'matmul m=?20 n=48 k=?5..9', workgroups: [2, 1, 1],
	dimensions: [{ name: 'm', min: 1, max: 100, hint: 20 }, { name: 'k', min: 5, max: 9, hint: 6 }],
	dispatch: [{ times: 48, over: 32, dims: [] }, { times: 3, over: 32, dims: ['m', 'k'], most: 10 }, { times: 1, over: 1, dims: [] }],
	bindings: [{ name: 'a', type: 'read-only-storage', dtype: 'i8', shape: [20, 12], dims: ['m', 'k'], bytes: 240 },
		{ name: 'out', type: 'storage', dtype: 'f32', shape: [48], bytes: 192 }] };

test('open dimensions are given by name, in order, or not at all', () => {
	assert.deepEqual(dimsOf(open), [20, 6]);
	assert.deepEqual(dimsOf(open, { k: 9, m: 1 }), [1, 9]);
	assert.deepEqual(dimsOf(open, [100, 5]), [100, 5]);
	assert.deepEqual(dimsOf({ op: 'x' }, {}), []);
});

for (const [given, field, says] of [[{ m: 0, k: 5 }, 'm', /'m' is 0; .* takes 1 to 100/], [{ m: 101, k: 5 }, 'm', /101/], [{ m: 1, k: 4 }, 'k', /5 to 9/],
	[{ m: 1.5, k: 5 }, 'm', /1\.5/], [{ m: '3', k: 5 }, 'm', /3/], [{ m: 3 }, 'k', /undefined/], [{ m: 3, k: 5, q: 1 }, 'q', /no open dimension 'q'; it has m, k/],
	[[1], 'k', /undefined/], [[1, 5, 2], 'number 3', /number 3/]])
	test(`refused: dimensions ${JSON.stringify(given)}`, () =>
		assert.throws(() => dimsOf(open, given), error => error.code === 'bad-dims' && error.field === field && says.test(error.detail)));

test('beyond what a kernel was verified for the operator is asked for again', () => {
	assert.equal(opBeyond(open, { m: 100, k: 5 }), null);
	assert.equal(opBeyond(open, { m: 5000, k: 9 }), 'matmul m=?5000 n=48 k=?9');
	assert.equal(opBeyond(open, [101, 6]), 'matmul m=?101 n=48 k=?6');
	assert.equal(opBeyond({ op: 'copy shape=?4,8,?2..16', dimensions: [{ name: 'shape[0]', min: 1, max: 9, hint: 4 },
		{ name: 'shape[2]', min: 2, max: 16, hint: 6 }] }, { 'shape[0]': 70, 'shape[2]': 16 }), 'copy shape=?70,8,?16');
	assert.equal(opBeyond({ op: 'copy shape=4' }, {}), null);
});

test('infinities and NaN are compared as what they are', () => {
	for (const [got, want, right] of [[NaN, NaN, true], [1, NaN, false], [Infinity, Infinity, true], [-Infinity, Infinity, false],
		[3e38, Infinity, false], [Infinity, 1e39, true], [Infinity, 3.4028e38, true], [3.4028e38, 3.4028e38, true], [Infinity, 1e30, false],
		[NaN, 1, false], [1, 1, true]])
		assert.equal(relativeError(got, want, 1) < 1e-3, right, `${got} for ${want}`);
});

test('workgroups and bytes follow the dimensions', () => {
	assert.deepEqual(workgroupsAt(open, [20, 6]), [2, 10, 1]); // 11.25, at most 10
	assert.deepEqual(workgroupsAt(open, [2, 5]), [2, 1, 1]);
	assert.deepEqual(workgroupsAt({ workgroups: [3, 2, 1] }, []), [3, 2, 1]);
	assert.equal(bytesAt(open, open.bindings[0], [3, 5]), 32); // 3 x 10 bytes, in words
	assert.equal(bytesAt(open, open.bindings[1], [3, 5]), 192);
	assert.equal(arrayOf(open, open.bindings[0], [3, 5], new ArrayBuffer(64)).length, 30);
});

test('numbers and elements, both ways', () => {
	for (const [dtype, numbers, bytes] of [['f32', [1.5, -2], 8], ['i32', [7, -8], 8], ['i8', [1, -2, 3, -4, 5], 8], ['u8', [0, 255], 4],
		['bool', [1, 0, 1], 4], ['u4', [1, 15, 7], 4], ['f16', [1.5, -0.25, 65504], 8]]) {
		const array = fromNumbers(dtype, numbers);
		assert.equal(array.byteLength, bytes, dtype);
		assert.deepEqual([...toNumbers(dtype, array)].slice(0, numbers.length), numbers, dtype);
	}
});

test('every f16 there is survives, and roundings are to even', () => {
	for (let bits = 0; bits < 1 << 16; bits++) {
		const [number] = toNumbers('f16', Uint16Array.of(bits));
		if (!Number.isNaN(number))
			assert.equal(new Uint16Array(fromNumbers('f16', [number]).buffer)[0], bits);
	}
	for (const [number, bits] of [[65519.99, 0x7bff], [65520, 0x7c00], [2 ** -25, 0], [3 * 2 ** -25, 2], [1 + 2 ** -11, 0x3c00], [1 + 3 * 2 ** -11, 0x3c02]])
		assert.equal(new Uint16Array(fromNumbers('f16', [number]).buffer)[0], bits, String(number));
});

// ---- In a page.

const stateDir = mkdtempSync(join(tmpdir(), 'nnjit-client-'));
const args = ['--trials', '6']; // how good the kernels are is not asked here
let skip = false, daemon, browser, page;
try {
	daemon = await startDaemon({ args, stateDir });
	await findDevice(daemon, 'swiftshader');
	browser = await openPage();
	page = browser.page;
} catch (error) {
	if (!(error instanceof Unavailable))
		throw error;
	skip = error.message;
}

after(async () => {
	await browser?.close();
	await daemon?.stop();
	rmSync(stateDir, { recursive: true, force: true });
});

// In the page: `client` stays connected from test to test.
before(() => skip || page.evaluate(async url => {
	const nnjit = await import('/web/nnjit.js');
	const adapter = await navigator.gpu.requestAdapter();
	Object.assign(globalThis, { nnjit, adapter, client: await nnjit.connect({ url, adapter }) });
	globalThis.refusal = call => call().then(() => null, ({ name, code, field, detail }) => ({ name, code, field, detail }));
}, daemon.ws));

const absent = options => page.evaluate(async given => {
	const start = performance.now();
	let reason = null;
	const client = await nnjit.connect({ adapter, ...given, onAbsent: why => { reason = why; } });
	return { client: client === null ? null : 'a client', reason, ms: performance.now() - start };
}, options);

test('no daemon: null within half a second', { skip }, async () => {
	const { client, reason, ms } = await absent({ url: `ws://127.0.0.1:${await closedPort()}/v1/ws` });
	assert.equal(client, null);
	assert.equal(reason, 'refused');
	assert.ok(ms < 500, `${ms} ms`);
});

test('a listener that says nothing: null within half a second', { skip }, async () => {
	const silent = createServer(() => {});
	await new Promise(done => silent.listen(0, '127.0.0.1', done));
	const { client, reason, ms } = await absent({ url: `ws://127.0.0.1:${silent.address().port}/v1/ws` });
	silent.close();
	assert.equal(client, null);
	assert.equal(reason, 'timeout');
	assert.ok(ms < 500, `${ms} ms`);
});

test('another service: null', { skip }, async () => {
	const { client, reason } = await absent({ url: browser.server.url.replace('http', 'ws') });
	assert.equal(client, null);
	assert.equal(reason, 'not-nnjit');
});

test('a url that cannot be one throws', { skip }, async () => {
	assert.match(await page.evaluate(() => nnjit.connect({ url: 'ftp://127.0.0.1/' }).catch(error => error.message)), /must begin with ws/);
});

test('the page is matched with its device', { skip }, async () => {
	const { device, state, transport } = await page.evaluate(() => ({ device: client.device, state: client.state, transport: client.transport }));
	assert.match(device.name, /swiftshader/i);
	assert.equal(state, 'open');
	assert.equal(transport, 'websocket');
});

test('a kernel, asked for by text and by object', { skip }, async () => {
	const [text, object] = await page.evaluate(() => Promise.all([client.kernel('matmul m=24 n=40 k=56 act=relu'),
		client.kernel({ op: 'matmul', k: 56, n: 40, m: 24, act: 'relu' })]));
	assert.equal(text.key, object.key);
	assert.equal(text.op, 'matmul m=24 n=40 k=56 act=relu');
	assert.equal(text.target, 'wgsl');
	assert.deepEqual(text.bindings.map(b => [b.name, b.type, ...b.shape]), [['a', 'read-only-storage', 24, 56],
		['b', 'read-only-storage', 56, 40], ['out', 'storage', 24, 40]]);
	assert.match(text.code, /@compute/);
	assert.ok(['predicted', 'tuning', 'tuned'].includes(text.status), text.status);
});

test('an operator with lists and open dimensions, by text and by object', { skip }, async () => {
	const [text, object] = await page.evaluate(() => Promise.all([client.kernel('transpose shape=3,?5,4 perm=2,0,1'),
		client.kernel({ op: 'transpose', perm: [2, 0, 1], shape: [3, '?5', 4] })]));
	assert.equal(text.key, object.key);
	assert.deepEqual(text.dimensions.map(({ name, min, hint }) => [name, min, hint]), [['shape[1]', 1, 5]]);
	assert.equal(text.dispatch.length, 3);
	assert.deepEqual(text.bindings.map(b => [b.name, b.type, b.dims ?? null]), [['x', 'read-only-storage', [null, 'shape[1]', null]],
		['out', 'storage', [null, null, 'shape[1]']], ['dims', 'uniform', null]]);
});

const refusals = [
	['conv9 m=1', 'unknown-operator'],
	['matmul m=1 n=1 k=1 j=3', 'unknown-field', 'j'],
	['matmul m=1 n=1', 'missing-field', 'k'],
	['matmul m=1 m=2 n=1 k=1', 'duplicate-field', 'm'],
	['matmul m=0 n=1 k=1', 'bad-value', 'm'],
	['matmul m=1 n=1 k=1 act=tan', 'bad-value', 'act'],
	['matmul m=60000 n=60000 k=60000', 'too-large'],
	['matmul m m', 'bad-syntax'],
];
for (const [op, code, field] of refusals)
	test(`refused: ${op}`, { skip }, async () => {
		const refused = await page.evaluate(text => refusal(() => client.kernel(text)), op);
		assert.equal(refused?.name, 'NnjitError');
		assert.equal(refused.code, code);
		if (field)
			assert.equal(refused.field, field);
		assert.ok(refused.detail.length > 10, refused.detail);
		assert.equal(await page.evaluate(() => client.kernel('matmul m=1 n=1 k=1').then(kernel => kernel.op)), 'matmul m=1 n=1 k=1');
	});

test('refused: a device that is not there', { skip }, async () => {
	const refused = await page.evaluate(() => refusal(() => client.kernel('matmul m=1 n=1 k=1', { device: 'no such thing' })));
	assert.equal(refused?.code, 'unknown-device');
});

test('a watch ends with its signal, and with its loop', { skip }, async () => {
	const { aborted, first } = await page.evaluate(async () => {
		const stop = new AbortController();
		const told = refusal(async () => {
			for await (const kernel of client.watch('matmul m=200 n=200 k=300', { signal: stop.signal }))
				stop.abort(kernel);
		});
		const result = { aborted: await told };
		for await (const kernel of client.watch('matmul m=200 n=200 k=300')) {
			result.first = kernel.op;
			break;
		}
		return result;
	});
	assert.equal(aborted?.code, 'aborted');
	assert.equal(first, 'matmul m=200 n=200 k=300');
});

test('prefetch tells its progress and ends', { skip, timeout: 120e3 }, async () => {
	const heard = await page.evaluate(async () => {
		const list = [];
		await client.prefetch(['matmul m=8 n=8 k=8', 'matmul m=1 n=8 k=8'], progress => list.push(progress));
		const statuses = await Promise.all(['matmul m=8 n=8 k=8', 'matmul m=1 n=8 k=8'].map(op => client.kernel(op).then(k => k.status)));
		return { list, statuses };
	});
	assert.ok(heard.list.length > 0);
	assert.deepEqual(heard.statuses, ['tuned', 'tuned']);
});

test('a report of a tuned kernel is taken', { skip }, async () => {
	assert.equal(await page.evaluate(async () => refusal(async () =>
		client.report(await client.kernel('matmul m=8 n=8 k=8'), { median_ns: 1234.5, samples: 7 }))), null);
});

// In the page: runs the operator on these inputs (numbers), with each of these dimensions, on one runner.
async function runThere([op, calls]) {
	const kernel = await client.kernel(op, client.device ? {} : { device: 'swiftshader' });
	const device = await (await navigator.gpu.requestAdapter()).requestDevice({ requiredFeatures: kernel.required_features });
	const runner = await nnjit.createRunner(device, kernel), tensor = name => kernel.bindings.find(binding => binding.name === name);
	const results = [];
	for (const { inputs, dims } of calls) {
		const buffers = runner.allocate(Object.fromEntries(Object.entries(inputs).map(([name, numbers]) =>
			[name, nnjit.fromNumbers(tensor(name).dtype, numbers)])), dims);
		runner.run(buffers, null, dims);
		const values = await runner.read(buffers.out, 'out', dims);
		results.push({ type: values.constructor.name, numbers: [...nnjit.toNumbers(tensor('out').dtype, values)] });
		Object.values(buffers).forEach(buffer => buffer.destroy());
	}
	device.destroy();
	return results;
}

const range = (count, of) => Array.from({ length: count }, (_, i) => of(i));

test('one kernel for all sizes', { skip, timeout: 60e3 }, async () => {
	const n = 16, k = 8, a = i => (i * 7 % 11) / 4 - 1, b = i => (i * 5 % 13) / 8 - 0.5;
	const sizes = [20, 1, 37, 64, 5];
	const results = await page.evaluate(runThere, [`matmul m=?20 n=${n} k=${k}`, sizes.map(m =>
		({ dims: { m }, inputs: { a: range(m * k, a), b: range(k * n, b) } }))]);
	sizes.forEach((m, at) => {
		assert.equal(results[at].numbers.length, m * n);
		results[at].numbers.forEach((got, i) => {
			const want = range(k, j => a(Math.floor(i / n) * k + j) * b(j * n + i % n)).reduce((x, y) => x + y);
			assert.ok(Math.abs(got - want) < 1e-5, `m=${m}, element ${i}: ${got}, not ${want}`);
		});
	});
});

const typed = [
	['cast shape=5 out=i8', { x: [1.5, -2.5, 100, -100, 0] }, 'Int8Array', [1, -2, 100, -100, 0]],
	['cast shape=5 dtype=u8 out=f32', { x: [0, 255, 1, 2, 3] }, 'Float32Array', [0, 255, 1, 2, 3]],
	['not shape=7', { x: [1, 0, 0, 1, 1, 0, 1] }, 'Uint8Array', [0, 1, 1, 0, 0, 1, 0]],
	['add shape=2,3 y=3 dtype=i32', { x: [1, 2, 3, 4, 5, 6], y: [10, -20, 30] }, 'Int32Array', [11, -18, 33, 14, -15, 36]],
	['mul shape=6 dtype=f16', { x: [1, 2, 3, 0.5, -1, 4], y: [2, 2, 2, 2, 2, 0.25] }, /^(Float|Uint)16Array$/, [2, 4, 6, 1, -2, 1]],
	['argmax rows=2 n=3', { x: [1, 5, 2, 9, 0, 3] }, 'Int32Array', [1, 0]],
];
for (const [op, inputs, type, numbers] of typed)
	test(`elements of ${op}`, { skip, timeout: 60e3 }, async () => {
		const [result] = await page.evaluate(runThere, [op, [{ inputs }]]);
		assert.match(result.type, type instanceof RegExp ? type : new RegExp(`^${type}$`));
		assert.deepEqual(result.numbers, numbers);
	});

test('a runner refuses what does not fit', { skip, timeout: 60e3 }, async () => {
	const refused = await page.evaluate(async () => {
		const kernel = await client.kernel('matmul m=?2..40 n=16 k=8', client.device ? {} : { device: 'swiftshader' });
		const device = await (await navigator.gpu.requestAdapter()).requestDevice({ requiredFeatures: kernel.required_features });
		const runner = await nnjit.createRunner(device, kernel), buffers = runner.allocate({}, { m: 10 });
		const list = [];
		for (const call of [() => runner.run(buffers, null, { m: 41 }), () => runner.run(buffers, null, { m: 1 }), () => runner.run(buffers, null, { q: 3 }),
			() => runner.run(buffers, null, { m: 11 }), () => runner.run({ a: buffers.a }, null, { m: 10 }), () => runner.allocate({ a: new Float32Array(81) }, { m: 10 }),
			() => runner.read(buffers.out, 'nothing'), () => nnjit.createRunner(device, { ...kernel, required_language_features: ['no_such_thing'] })])
			list.push(await refusal(async () => call()));
		device.destroy();
		return list;
	});
	assert.deepEqual(refused.map(error => [error?.code, error?.field]), [['bad-dims', 'm'], ['bad-dims', 'm'], ['bad-dims', 'q'], ['bad-buffers', 'a'],
		['bad-buffers', 'b'], ['bad-buffers', 'a'], ['bad-buffers', 'nothing'], ['missing-feature', 'no_such_thing']]);
	assert.match(refused[0].detail, /'m' is 41; .* takes 2 to 40/);
});

test('by fetch where the WebSocket is blocked', { skip, timeout: 60e3 }, async () => {
	const got = await page.evaluate(async url => {
		const RealWebSocket = globalThis.WebSocket;
		globalThis.WebSocket = class { constructor() { queueMicrotask(() => this.onerror?.()); } close() {} };
		try {
			const plain = await nnjit.connect({ url, adapter });
			const versions = [];
			for await (const kernel of plain.watch('matmul m=8 n=8 k=8', { device: 'swiftshader' }))
				versions.push(kernel.status);
			const listed = await plain.kernel({ op: 'conv2d', c: 3, h: 8, w: 8, oc: 4, kernel: [3, 2], act: ['relu', 'tanh'] }, { device: 'swiftshader' });
			return { transport: plain.transport, versions, listed: listed.op, refused: await refusal(() => plain.kernel('matmul m=1 n=1')) };
		} finally {
			globalThis.WebSocket = RealWebSocket;
		}
	}, daemon.ws);
	assert.equal(got.transport, 'fetch');
	assert.equal(got.versions.at(-1), 'tuned');
	assert.equal(got.listed, 'conv2d c=3 h=8 w=8 oc=4 kernel=3,2 act=relu+tanh');
	assert.equal(got.refused?.code, 'missing-field');
});

// A page that the browser takes for one from the internet, as --ip-address-space-overrides makes it: without
// its user's leave it reaches nothing on this machine, with it everything.
async function asPublicPage(permissions) {
	const server = await serve();
	const chromium = await launch({ args: [`--ip-address-space-overrides=${new URL(server.url).host}=public`] });
	try {
		const context = await chromium.newContext();
		await context.grantPermissions(permissions);
		const stranger = await context.newPage();
		await stranger.goto(server.url);
		return await stranger.evaluate(async url => {
			const { connect } = await import('/web/nnjit.js');
			const start = performance.now();
			const found = await connect({ url, adapter: await navigator.gpu.requestAdapter(), timeoutMs: 2000 });
			const kernel = await found?.kernel('matmul m=8 n=8 k=8', found.device ? {} : { device: 'swiftshader' });
			return { ms: performance.now() - start, op: kernel?.op ?? null, transport: found?.transport };
		}, daemon.ws);
	} finally {
		await chromium.close();
		server.close();
	}
}

test('a public page without leave: null', { skip, timeout: 60e3 }, async () => {
	assert.equal((await asPublicPage([])).op, null);
});

test('a public page with its user\'s leave', { skip, timeout: 60e3 }, async () => {
	const { op, transport } = await asPublicPage(['local-network-access']);
	assert.equal(op, 'matmul m=8 n=8 k=8');
	assert.equal(transport, 'websocket');
});

test('a killed daemon that comes back is found again', { skip, timeout: 60e3 }, async () => {
	await page.evaluate(() => {
		globalThis.states = [];
		client.addEventListener('statechange', ({ detail }) => states.push(detail));
	});
	daemon = await restart();
	const op = await page.evaluate(() => globalThis.asked);
	const states = await page.evaluate(() => states);
	await page.evaluate(() => client.close());
	assert.equal(op, 'matmul m=8 n=8 k=8');
	assert.deepEqual(states, ['reconnecting', 'open']);
});

// Kills the daemon, asks while it is gone, starts it again on the same port and state.
async function restart() {
	await daemon.stop('SIGKILL');
	await page.waitForFunction(() => states.includes('reconnecting'));
	await page.evaluate(() => { globalThis.asked = client.kernel('matmul m=8 n=8 k=8').then(kernel => kernel.op); });
	return startDaemon({ args, port: daemon.port, stateDir });
}
