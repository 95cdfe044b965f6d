// SPDX-License-Identifier: Apache-2.0
//
// What origins cost: 10,000 that nobody knows ask one after the other, each on a connection of its own. Memory before
// and after, whether honest ones that asked before and after still show, and what an approved page's request takes on a
// kept connection: without any pending origin, with the full table, and during the flood. In one run, of one daemon.

import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { performance } from 'node:perf_hooks';

import { Unavailable } from './browser.mjs';
import { ctl, startDaemon } from './daemon.mjs';

const FLOOD = 10000, ASKS = 3000;
const APPROVED = 'https://approved.example';

// One request of an origin on its own connection; the status.
const ask = (daemon, origin) => new Promise((resolve, reject) => {
	const socket = connect(daemon.port, '127.0.0.1');
	let text = '';
	socket.on('connect', () => socket.write(`GET /v1/health HTTP/1.1\r\nHost: 127.0.0.1:${daemon.port}\r\nOrigin: ${origin}\r\nConnection: close\r\n\r\n`));
	socket.on('data', data => { text += data; });
	socket.on('error', reject);
	socket.on('close', () => resolve(Number(text.slice(9, 12))));
});

// The approved page's requests, one after the other on one connection; milliseconds each.
async function times(daemon, count, over = () => false) {
	const socket = connect(daemon.port, '127.0.0.1');
	await new Promise(done => socket.once('connect', done));
	socket.setNoDelay();
	const request = `GET /v1/health HTTP/1.1\r\nHost: 127.0.0.1:${daemon.port}\r\nOrigin: ${APPROVED}\r\n\r\n`, taken = [];
	while (taken.length < count && !over()) {
		const start = performance.now();
		socket.write(request);
		const answer = String(await new Promise(done => socket.once('data', done)));
		taken.push(performance.now() - start);
		if (!answer.startsWith('HTTP/1.1 200'))
			throw new Error(`the approved page was answered ${answer.slice(0, 40)}`);
	}
	socket.destroy();
	return taken.sort((a, b) => a - b);
}

const at = (sorted, part) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];
const anonymous = daemon => Number(/RssAnon:\s+(\d+)/.exec(readFileSync(`/proc/${daemon.pid}/status`, 'utf8'))[1]);
const shows = (daemon, origin) => JSON.parse(ctl(daemon, 'origins', '--json')).origins.some(row => row.origin === origin);

async function main() {
	const daemon = await startDaemon({ args: ['--origin', APPROVED, '--log-level', 'error'] });
	try {
		await times(daemon, 500);
		const alone = await times(daemon, ASKS), kib = anonymous(daemon);
		await ask(daemon, 'https://before.example');
		let over = false;
		const during = times(daemon, Infinity, () => over);
		for (let i = 0; i < FLOOD; i++)
			if (await ask(daemon, `https://site${i}.example`) !== 403)
				throw new Error('an unknown origin was served');
		over = true;
		const flooded = await during;
		await ask(daemon, 'https://after.example');
		const grown = anonymous(daemon) - kib, full = await times(daemon, ASKS);
		const before = shows(daemon, 'https://before.example'), after = shows(daemon, 'https://after.example');
		for (const [name, sorted] of Object.entries({ alone, flooded, full }))
			console.log(`${name.padEnd(8)} ${sorted.length} requests  p50 ${at(sorted, 0.5).toFixed(3)} ms  p99 ${at(sorted, 0.99).toFixed(3)} ms`);
		console.log(`${FLOOD} unknown origins: ${grown} KiB more; the one before shows: ${before}, the one after: ${after}`);
		console.log(`alone_p99_ms=${at(alone, 0.99).toFixed(3)} flooded_p99_ms=${at(flooded, 0.99).toFixed(3)} full_p99_ms=${at(full, 0.99).toFixed(3)} grown_kib=${grown}`);
		process.exitCode = before && after ? 0 : 1;
	} finally {
		await daemon.stop();
	}
}

main().catch(error => {
	console.error(error instanceof Unavailable ? error.message : error);
	process.exitCode = error instanceof Unavailable ? 77 : 1;
});
