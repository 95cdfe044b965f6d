// SPDX-License-Identifier: Apache-2.0
//
// A daemon of one's own: nnjitd from the build folder on a state folder under the system's temporary
// one, any free port. What the browser tests and benchmarks in JavaScript share.

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { build, source, Unavailable } from './browser.mjs';

const pause = ms => new Promise(done => setTimeout(done, ms));

function program(name) {
	const path = join(build, name);
	if (!existsSync(path))
		throw new Unavailable(`${name} is not built in ${build} (make)`);
	return path;
}

async function until(what, limitMs, check) {
	for (const start = Date.now(); Date.now() - start < limitMs; await pause(20)) {
		const value = await check();
		if (value)
			return value;
	}
	throw new Error(`${what} did not happen within ${limitMs / 1000} s`);
}

async function healthy(url) {
	try {
		return (await fetch(`${url}/v1/health`)).ok;
	} catch {
		return false;
	}
}

// { pid, port, url, ws, stateDir, stop() }. `args`: more options; `stateDir`: an existing one, kept at the end.
export async function startDaemon({ args = [], stateDir, port = 0 } = {}) {
	const folder = stateDir ?? mkdtempSync(join(tmpdir(), 'nnjit-'));
	const log = [];
	const portFile = join(folder, 'port');
	rmSync(portFile, { force: true });
	const child = spawn(program('nnjitd'), ['--state-dir', folder, '--port', String(port), '--page-dir', join(source, 'clients/web'),
		...args], { stdio: ['ignore', 'ignore', 'pipe'] });
	const reap = () => child.kill('SIGKILL'); // never outlive this process
	process.once('exit', reap);
	child.stderr.on('data', data => log.push(data));
	const ended = new Promise(done => child.once('exit', (code, signal) => done(signal ?? code)));
	let over = null;
	ended.then(how => {
		over = how;
		process.off('exit', reap);
	});
	async function stop(signal = 'SIGTERM') {
		child.kill(signal);
		const how = await Promise.race([ended, pause(10000).then(() => child.kill('SIGKILL') && 'hung')]);
		if (!stateDir)
			rmSync(folder, { recursive: true, force: true });
		return how;
	}
	try {
		const actual = await until('the daemon\'s start', 10000, () => {
			if (over !== null)
				throw new Error(`nnjitd ended (${over}): ${Buffer.concat(log)}`);
			return existsSync(portFile) && Number(readFileSync(portFile, 'utf8'));
		});
		const url = `http://127.0.0.1:${actual}`;
		await until('an answer from the daemon', 5000, () => healthy(url));
		return { pid: child.pid, port: actual, url, ws: `ws://127.0.0.1:${actual}/v1/ws`, stateDir: folder, stop, log: () => Buffer.concat(log).toString() };
	} catch (error) {
		await stop('SIGKILL');
		throw error;
	}
}

// The id of the device whose name contains `name`, once the daemon has looked for devices.
export function findDevice(daemon, name, limitMs = 60000) {
	return until(`the daemon's finding of a device named ${name}`, limitMs, async () => {
		const { devices, enumerated } = await (await fetch(`${daemon.url}/v1/devices`)).json();
		const device = devices.find(d => d.name.toLowerCase().includes(name));
		if (!device && enumerated)
			throw new Unavailable(`the daemon sees no device named ${name}`);
		return device;
	});
}

// Runs nnjitctl against the daemon: { status, stdout, complaint }.
export function runCtl(daemon, ...args) {
	const { status, stdout, stderr, error } = spawnSync(program('nnjitctl'), ['--port', String(daemon.port), '--socket', join(daemon.stateDir, 'nnjitd.sock'), ...args],
		{ encoding: 'utf8', timeout: 600e3, maxBuffer: 64 << 20 });
	return { status, stdout, complaint: error?.message ?? (stderr || stdout).trim() };
}

// Its standard output. Throws with what it said if it failed.
export function ctl(daemon, ...args) {
	const { status, stdout, complaint } = runCtl(daemon, ...args);
	if (status !== 0)
		throw new Error(`nnjitctl ${args.join(' ')}: ${complaint}`);
	return stdout;
}
