// SPDX-License-Identifier: Apache-2.0
//
// A headless Firefox driven by WebDriver BiDi (W3C), which it speaks itself: no geckodriver, no Marionette. Just
// enough of it for the tests here: one page, its address, and expressions in it.

import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { modules, Unavailable } from '../bench/browser.mjs';

const PATHS = [process.env.NNJIT_FIREFOX, '/usr/bin/firefox-esr', '/usr/bin/firefox'];
const START_MS = 60000;

// No page of a test leads to the local network's guard: the daemon's own rules must hold alone.
const PREFS = { 'network.lna.enabled': false, 'network.lna.blocking': false, 'datareporting.policy.dataSubmissionEnabled': false,
	'app.update.enabled': false, 'browser.shell.checkDefaultBrowser': false, 'network.captive-portal-service.enabled': false,
	'network.connectivity-service.enabled': false, 'dom.disable_open_during_load': false };

const pref = ([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});\n`;

function started(child) {
	return new Promise((resolve, reject) => {
		let said = '';
		const timer = setTimeout(() => reject(new Error(`Firefox did not start: ${said}`)), START_MS);
		child.once('exit', code => reject(new Error(`Firefox ended (${code}): ${said}`)));
		child.stderr.on('data', data => {
			said += data;
			const [, url] = /WebDriver BiDi listening on (ws:\S+)/.exec(said) ?? [];
			if (url) {
				clearTimeout(timer);
				resolve(url);
			}
		});
	});
}

// Commands over one socket: send(method, params).
async function bidi(url) {
	const { ws: Socket } = modules()('playwright-core/lib/utilsBundle');
	const socket = new Socket(url, { perMessageDeflate: false });
	const waiting = new Map();
	let last = 0;
	socket.on('message', data => {
		const { id, result, error, message } = JSON.parse(data);
		const [resolve, reject] = waiting.get(id) ?? [];
		waiting.delete(id);
		error ? reject?.(new Error(`${error}: ${message}`)) : resolve?.(result);
	});
	await new Promise((done, fail) => socket.once('open', done).once('error', fail));
	return { close: () => socket.close(), send: (method, params = {}) => new Promise((resolve, reject) => {
		waiting.set(++last, [resolve, reject]);
		socket.send(JSON.stringify({ id: last, method, params }));
	}) };
}

// hosts: names that mean this machine. { goto(url), evaluate(expression), close() }.
export async function openFirefox({ hosts = [] } = {}) {
	const path = PATHS.find(one => one && existsSync(one));
	if (!path)
		throw new Unavailable('Firefox is not installed (Debian: apt install firefox-esr)');
	const profile = mkdtempSync(join(tmpdir(), 'nnjit-firefox-'));
	writeFileSync(join(profile, 'user.js'), Object.entries({ ...PREFS, 'network.dns.localDomains': hosts.join(',') }).map(pref).join(''));
	const child = spawn(path, ['--headless', '--remote-debugging-port=0', '--profile', profile], { stdio: ['ignore', 'ignore', 'pipe'],
		env: { ...process.env, HOME: profile } });
	const ended = new Promise(done => child.once('exit', done));
	const stop = async () => {
		child.kill('SIGKILL');
		await ended;
		rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
	};
	try {
		const session = await bidi(`${await started(child)}/session`);
		await session.send('session.new', { capabilities: { alwaysMatch: { acceptInsecureCerts: true } } });
		const { contexts: [{ context }] } = await session.send('browsingContext.getTree');
		return {
			goto: url => session.send('browsingContext.navigate', { context, url, wait: 'complete' }),
			async evaluate(expression) {
				const { result, exceptionDetails } = await session.send('script.evaluate', { expression, target: { context }, awaitPromise: true });
				if (exceptionDetails)
					throw new Error(exceptionDetails.text);
				return result.value;
			},
			async close() {
				session.close();
				await stop();
			},
		};
	} catch (error) {
		await stop();
		throw error;
	}
}
