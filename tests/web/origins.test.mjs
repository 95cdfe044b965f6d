// SPDX-License-Identifier: Apache-2.0
//
// Pages of real sites, in real browsers: names that are mapped to this machine, certificates of their own. A page
// waits for the owner of the device, is served, loses its approval and gets it back; /admin decides, with its secret
// alone; and whatever a foreign page can have a browser send starts no work, in Chromium and in Firefox.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

import { launch, outFolder, source, Unavailable } from '../bench/browser.mjs';
import { ctl, findDevice, runCtl, startDaemon } from '../bench/daemon.mjs';
import { openFirefox } from './firefox.mjs';

const SITES = ['app.example', 'denied.example', 'evil.example'];
const WAIT = { timeout: 30e3 };
const pause = ms => new Promise(done => setTimeout(done, ms));

// ---- A site: any of its names, over TLS, with nnjit-web under /web/.

function certificate(folder) {
	const key = join(folder, 'key.pem'), cert = join(folder, 'cert.pem');
	try {
		execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-keyout', key,
			'-out', cert, '-subj', '/CN=nnjit test', '-addext', `subjectAltName=${SITES.map(name => `DNS:${name}`).join(',')}`], { stdio: 'ignore' });
	} catch (error) {
		throw new Unavailable(`openssl made no certificate (Debian: apt install openssl): ${error.message}`);
	}
	return { key: readFileSync(key), cert: readFileSync(cert) };
}

// A service worker that asks on behalf of its page.
const WORKER = `onmessage = async ({ data, ports: [port] }) => {
	const got = await Promise.allSettled(data.map(([url, init]) => fetch(url, init)));
	port.postMessage(got.map(({ status, value }) => status === 'fulfilled' ? value.status : status));
};`;

async function serveSite(folder) {
	const server = createServer(certificate(folder), ({ url }, response) => {
		const type = /\.js$/.test(url) ? 'text/javascript' : 'text/html';
		response.setHeader('content-type', type);
		if (/^\/web\/[\w./]+\.js$/.test(url) && !url.includes('..'))
			return response.end(readFileSync(join(source, 'clients/web', url.slice(5))));
		response.end(url === '/worker.js' ? WORKER : '<!doctype html><meta charset="utf-8"><title>a site</title><link rel="icon" href="data:,">');
	});
	await new Promise(done => server.listen(0, '127.0.0.1', done));
	return { port: server.address().port, close: () => { server.closeAllConnections(); server.close(); } };
}

// ---- What all tests share.

const stateDir = mkdtempSync(join(tmpdir(), 'nnjit-origins-'));
let skip = false, daemon, site, browser;
try {
	site = await serveSite(stateDir);
	daemon = await startDaemon({ args: ['--trials', '4'], stateDir });
	await findDevice(daemon, 'swiftshader');
	browser = await launch({ args: [`--host-resolver-rules=${SITES.map(name => `MAP ${name} 127.0.0.1`).join(',')}`,
		`--ip-address-space-overrides=127.0.0.1:${site.port}=public`] });
} catch (error) {
	if (!(error instanceof Unavailable))
		throw error;
	skip = error.message;
}
after(async () => {
	await browser?.close();
	await daemon?.stop();
	site?.close();
	rmSync(stateDir, { recursive: true, force: true });
});

const at = name => `https://${name}:${site.port}`;

// A page of a site whose user lets it reach this machine, or not.
async function openSite(name, granted = true, on = browser) {
	const context = await on.newContext({ ignoreHTTPSErrors: true });
	if (granted)
		await context.grantPermissions(['local-network-access'], { origin: at(name) });
	const page = await context.newPage();
	await page.goto(`${at(name)}/`);
	return page;
}

// In the page: connects, and keeps what it hears in `heard`.
async function startConnecting([url, options]) {
	const { connect } = await import('/web/nnjit.js');
	globalThis.heard = [];
	const client = connect({ url, timeoutMs: 5000, ...options, onStatus: ({ status }) => heard.push(status), onAbsent: reason => heard.push(reason) });
	client.then(got => {
		globalThis.client = got;
		heard.push(got ? 'connected' : 'null');
		got?.addEventListener('statechange', ({ detail }) => heard.push(detail));
	});
}
const heard = (page, word, times = 1) =>
	page.waitForFunction(([what, n]) => heard.filter(one => one === what).length >= n, [word, times], WAIT);
const connecting = (page, options = {}) => page.evaluate(startConnecting, [daemon.ws, options]);

const listed = origin => JSON.parse(ctl(daemon, 'origins', '--json')).origins.find(row => row.origin === origin);

// ---- The owner decides.

test('a public page waits, is approved, is served, is revoked and waits again', { skip, timeout: 120e3 }, async () => {
	const page = await openSite('app.example'), origin = at('app.example');
	await connecting(page);
	await heard(page, 'pending');
	assert.equal(listed(origin).status, 'pending');
	assert.equal(await page.evaluate(() => heard.includes('connected')), false);
	assert.match(ctl(daemon, 'origins', 'approve', origin), /is approved/);
	await heard(page, 'connected');
	assert.deepEqual(await page.evaluate(() => heard), ['pending', 'approved', 'connected']);
	assert.equal(await page.evaluate(() => client.transport), 'websocket');
	const kernel = await page.evaluate(() => client.kernel('relu shape=64', { device: 'swiftshader' }));
	assert.match(kernel.code, /fn main/);
	assert.equal(listed(origin).status, 'approved');
	ctl(daemon, 'origins', 'revoke', origin);
	await heard(page, 'reconnecting');
	await heard(page, 'pending', 2);
	assert.equal(await page.evaluate(() => client.state), 'pending');
	assert.equal(listed(origin).status, 'pending');
	ctl(daemon, 'origins', 'approve', origin, '--once');
	assert.equal(listed(origin).kept, 'once');
	await heard(page, 'open');
	assert.equal((await page.evaluate(() => client.call('status'))).version.length > 0, true);
	await page.context().close();
});

test('without the owner a page is refused, and told so', { skip, timeout: 60e3 }, async () => {
	const page = await openSite('denied.example'), origin = at('denied.example');
	await connecting(page, { pendingMs: 0 });
	await heard(page, 'null');
	assert.deepEqual(await page.evaluate(() => heard), ['pending', 'null']);
	await connecting(page);
	await heard(page, 'pending');
	ctl(daemon, 'origins', 'deny', origin);
	await heard(page, 'null');
	assert.deepEqual(await page.evaluate(() => heard), ['pending', 'origin-denied', 'null']);
	const opened = await page.evaluate(url => new Promise(done => {
		const socket = new WebSocket(url, 'nnjit.v1');
		socket.onopen = () => done(true);
		socket.onerror = () => done(false);
	}), daemon.ws);
	assert.equal(opened, false);
	await page.context().close();
});

test('without its user\'s permission a public page does not reach the daemon', { skip, timeout: 60e3 }, async () => {
	const page = await openSite('evil.example', false);
	await connecting(page);
	await heard(page, 'null');
	assert.deepEqual(await page.evaluate(() => heard), ['denied', 'null']);
	assert.equal(listed(at('evil.example')), undefined);
	await page.context().close();
});

test('/admin decides with its secret, and without it shows nothing', { skip, timeout: 60e3 }, async () => {
	const asking = await openSite('evil.example'), origin = at('evil.example');
	await connecting(asking);
	await heard(asking, 'pending');
	const page = await browser.newPage();
	const state = name => page.waitForFunction(want => document.documentElement.dataset.state === want, name, WAIT);
	await page.goto(`http://localhost:${daemon.port}/admin`);
	await state('no-secret');
	assert.equal(await page.locator('tr[data-origin]').count(), 0);
	await page.goto(ctl(daemon, 'admin').trim());
	const row = page.locator(`tr[data-origin="${origin}"]`);
	await row.locator('[data-choice="approve"]').waitFor(WAIT);
	assert.equal(page.url(), `http://localhost:${daemon.port}/admin`);
	await page.screenshot({ path: join(outFolder(), 'admin.png') });
	await row.locator('[data-choice="approve"]').click();
	await heard(asking, 'connected');
	await row.locator('[data-choice="revoke"]').click();
	await heard(asking, 'pending', 2);
	assert.equal(listed(origin).status, 'pending');
	await page.reload();
	await state('no-secret');
	assert.equal(await page.locator('tr[data-origin]').count(), 0);
	await asking.context().close();
	await page.close();
});

test('a page of this machine cannot act for the owner', { skip, timeout: 60e3 }, async () => {
	const secret = new URL(ctl(daemon, 'admin').trim()).hash.slice(1);
	const attempts = [[{}, 403], [{ 'nnjit-admin': secret }, 403], [{ 'nnjit-admin': secret, origin: `http://localhost:3000` }, 403],
		[{ 'nnjit-admin': secret, 'sec-fetch-site': 'same-site' }, 403], [{ 'nnjit-admin': secret, 'sec-fetch-site': 'same-origin' }, 200]];
	for (const [headers, status] of attempts) {
		const options = Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
		const got = execFileSync('curl', ['-s', '-o', '/dev/null', '-w', '%{http_code}', ...options, `${daemon.url}/v1/origins`], { encoding: 'utf8' });
		assert.equal(Number(got), status, JSON.stringify(Object.keys(headers)));
	}
	assert.equal(runCtl(daemon, 'origins', 'approve', 'http://app.example').status, 1);
});

// ---- A foreign page starts nothing.

// In the page: whatever makes a browser send something to the daemon, each with an operator of its own.
function attack(base) {
	let size = 1000;
	const kernel = () => `${base}/v1/kernel?op=${encodeURIComponent(`matmul m=${size++} n=37 k=59`)}`;
	const prefetch = () => `${base}/v1/prefetch?ops=${encodeURIComponent(`matmul m=${size++} n=37 k=59`)}`;
	const settled = (element, ms = 3000) => new Promise(done => {
		element.onload = element.onerror = done;
		setTimeout(done, ms);
	});
	const element = (name, set, ms) => {
		const made = Object.assign(document.createElement(name), set);
		const over = settled(made, ms);
		document.body.append(made);
		return over;
	};
	const form = method => {
		document.body.insertAdjacentHTML('beforeend', `<iframe name="${method}"></iframe>`);
		const made = Object.assign(document.createElement('form'), { method, action: method === 'post' ? prefetch() : `${base}/v1/kernel`, target: method });
		made.innerHTML = `<input name="op" value="matmul m=${size++} n=37 k=59">`;
		document.body.append(made);
		made.submit();
		return settled(document.querySelector(`[name=${method}]`));
	};
	const socket = () => new Promise(done => {
		const made = new WebSocket(`${base.replace('http', 'ws')}/v1/ws`, 'nnjit.v1');
		made.onopen = () => made.send(JSON.stringify({ id: 1, method: 'watch', params: { op: 'matmul m=999 n=37 k=59' } }));
		made.onerror = made.onclose = done;
		setTimeout(done, 3000);
	});
	const worker = async () => {
		await navigator.serviceWorker.register('/worker.js');
		const { active } = await navigator.serviceWorker.ready;
		const { port1, port2 } = new MessageChannel();
		active.postMessage([[kernel(), {}], [kernel(), { mode: 'no-cors' }], [prefetch(), { method: 'POST', mode: 'no-cors' }]], [port2]);
		return new Promise(done => { port1.onmessage = done; setTimeout(done, 5000); });
	};
	const beacon = async () => navigator.sendBeacon(prefetch());
	return Promise.allSettled([
		element('img', { src: kernel() }), element('script', { src: kernel() }), element('link', { rel: 'stylesheet', href: kernel() }),
		element('link', { rel: 'prefetch', href: kernel() }), element('iframe', { src: kernel() }), element('iframe', { src: `${base}/?shapes=1009x37x59` }),
		element('object', { data: kernel() }), element('video', { src: kernel() }), form('get'), form('post'), socket(), worker(), beacon(),
		fetch(kernel()), fetch(kernel(), { mode: 'no-cors' }), fetch(kernel(), { credentials: 'include' }), fetch(prefetch(), { method: 'POST' }),
		fetch(prefetch(), { method: 'POST', mode: 'no-cors' }), fetch(kernel().replace('/v1/', '/%761/'), { mode: 'no-cors' }),
		element('img', { src: kernel().replace('/v1/', '/%761/') }),
	]).then(results => results.length);
}

const status = async () => (await fetch(`${daemon.url}/v1/status`)).json();

// What was started, by the daemon's own counts.
async function started() {
	const { tuning } = await status();
	const { kernels } = await (await fetch(`${daemon.url}/v1/kernels?op=n%3D37`)).json();
	return tuning.jobs_queued + tuning.jobs_running + tuning.jobs_finished + tuning.trials + kernels.length;
}

// Attacks from `goto`ne pages, then by navigating to a kernel, and to the demo page with a shape in its address.
async function besiege({ goto, evaluate }) {
	const before = await started(), { net } = await status();
	await goto(`${at('evil.example')}/`);
	assert.ok(await evaluate(`(${attack})(${JSON.stringify(daemon.url)})`) >= 20);
	for (const path of ['/v1/kernel?op=matmul%20m=1010%20n=37%20k=59', '/?shapes=1011x37x59']) {
		await goto(`${at('evil.example')}/`);
		await evaluate(`void setTimeout(() => { location = ${JSON.stringify(daemon.url + path)}; })`);
		await pause(3000);
	}
	assert.equal(await started(), before);
	assert.ok((await status()).net.refused > net.refused, 'nothing of it reached the daemon');
}

// The daemon must be able to work at all, or the tests above would show nothing.
async function worksForPrograms(op) {
	const before = await started();
	await fetch(`${daemon.url}/v1/kernel?op=${encodeURIComponent(op)}`);
	assert.ok(await started() > before);
}

async function idle() {
	for (let i = 0; i < 300; i++) {
		const { tuning } = await status();
		if (!tuning.jobs_queued && !tuning.jobs_running)
			return;
		await pause(100);
	}
	throw new Error('the daemon goes on working');
}

test('a foreign page starts nothing in Chromium, where only the daemon guards', { skip, timeout: 180e3 }, async () => {
	const local = await launch({ args: [`--host-resolver-rules=${SITES.map(name => `MAP ${name} 127.0.0.1`).join(',')}`] });
	try {
		await idle();
		const page = await openSite('evil.example', false, local);
		await besiege({ goto: url => page.goto(url), evaluate: text => page.evaluate(text) });
		await worksForPrograms('matmul m=1012 n=37 k=59');
	} finally {
		await local.close();
	}
});

test('a foreign page starts nothing in Firefox', { skip, timeout: 180e3 }, async t => {
	let firefox;
	try {
		firefox = await openFirefox({ hosts: SITES });
	} catch (error) {
		if (!(error instanceof Unavailable))
			throw error;
		return t.skip(error.message);
	}
	try {
		await idle();
		await besiege(firefox);
		await worksForPrograms('matmul m=1013 n=37 k=59');
	} finally {
		await firefox.close();
	}
});
