// SPDX-License-Identifier: Apache-2.0
//
// nnjit-web in a page, against a real daemon: finding one or none, asking, refusals, giving up,
// losing the connection, and the way round a blocked WebSocket.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { closedPort, launch, openPage, serve, Unavailable } from '../bench/browser.mjs';
import { findDevice, startDaemon } from '../bench/daemon.mjs';

const stateDir = mkdtempSync(join(tmpdir(), 'nnjit-client-'));
let skip = false, daemon, browser, page;
try {
	daemon = await startDaemon({ stateDir });
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

test('by fetch where the WebSocket is blocked', { skip, timeout: 60e3 }, async () => {
	const got = await page.evaluate(async url => {
		const RealWebSocket = globalThis.WebSocket;
		globalThis.WebSocket = class { constructor() { queueMicrotask(() => this.onerror?.()); } close() {} };
		try {
			const plain = await nnjit.connect({ url, adapter });
			const versions = [];
			for await (const kernel of plain.watch('matmul m=8 n=8 k=8', { device: 'swiftshader' }))
				versions.push(kernel.status);
			return { transport: plain.transport, versions, refused: await refusal(() => plain.kernel('matmul m=1 n=1')) };
		} finally {
			globalThis.WebSocket = RealWebSocket;
		}
	}, daemon.ws);
	assert.equal(got.transport, 'fetch');
	assert.equal(got.versions.at(-1), 'tuned');
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
	return startDaemon({ port: daemon.port, stateDir });
}
