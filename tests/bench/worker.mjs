// SPDX-License-Identifier: Apache-2.0
//
// Drives a worker process (nnjit-gpu) over its descriptor 3 as the daemon does (protocol/wire.h): one
// request, one line of answer, in order. Knows nothing of what is asked.

import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { build, Unavailable } from './browser.mjs';

function program() {
	const path = join(build, 'nnjit-gpu');
	if (!existsSync(path))
		throw new Unavailable(`nnjit-gpu is not built in ${build} (make)`);
	return path;
}

// The device whose name contains `part`, any case.
export function nativeDevice(part) {
	const { stdout } = spawnSync(program(), ['--list', '--json'], { encoding: 'utf8' });
	const device = JSON.parse(stdout).devices.find(d => d.name.toLowerCase().includes(part.toLowerCase()));
	if (!device)
		throw new Unavailable(`there is no Vulkan device named ${part} here`);
	return device;
}

// { ask(do, fields) -> the answer's `ok`, stop() }. An answer that is an error is thrown with its `code`.
export function startWorker() {
	const child = spawn(program(), [], { stdio: ['ignore', 'ignore', 'inherit', 'pipe'] });
	const socket = child.stdio[3], waiting = [];
	let text = '';
	const fail = () => waiting.splice(0).forEach(({ reject }) => reject(new Error('nnjit-gpu ended')));
	const reap = () => child.kill('SIGKILL'); // never outlive this process
	process.once('exit', reap);
	child.once('exit', () => {
		process.off('exit', reap);
		fail();
	});
	socket.on('error', fail);
	socket.on('data', data => {
		const lines = (text += data).split('\n');
		text = lines.pop();
		for (const line of lines) {
			const { ok, error } = JSON.parse(line), { resolve, reject } = waiting.shift();
			if (ok)
				resolve(ok);
			else
				reject(Object.assign(new Error(`nnjit-gpu: ${error.text}`), { code: error.code }));
		}
	});
	return {
		ask: (name, fields = {}) => new Promise((resolve, reject) => {
			waiting.push({ resolve, reject });
			socket.write(`${JSON.stringify({ do: name, ...fields })}\n`);
		}),
		stop: () => new Promise(done => {
			child.once('exit', done);
			socket.end();
			setTimeout(() => child.kill('SIGKILL'), 5000).unref();
		}),
	};
}
