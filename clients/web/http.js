// SPDX-License-Identifier: Apache-2.0
//
// Messages to the daemon by plain requests and polling, for browsers that block ws:// to the own
// machine (Safari). Offers what socket.js offers, but for reports and the page's introduction, which
// REST does not have: name the device in each call, or get the best one.

import { loopbackFetch, limited } from './probe.js';
import { NnjitError } from './problem.js';

const CALL_MS = 15000;
const PATHS = { get: '/v1/kernel', status: '/v1/status', devices: '/v1/devices', kernels: '/v1/kernels', trials: '/v1/trials', leaders: '/v1/leaders' };

const pause = ms => new Promise(done => setTimeout(done, ms));

// An operator as an object, in its text form. Activations stand one after another, all else side by side.
function opText({ op, ...fields }) {
	const text = (name, value) => Array.isArray(value) ? value.join(name === 'act' ? '+' : ',') || 'none' :
		typeof value === 'boolean' ? Number(value) : value;
	return [op, ...Object.entries(fields).map(([name, value]) => `${name}=${text(name, value)}`)].join(' ');
}

export class HttpTransport {
	name = 'fetch';
	state = 'open';
	hello = null;
	onstate = () => {};
	#base;
	#stop = new AbortController();

	constructor({ base }) {
		this.#base = base.href.replace(/^ws/, 'http');
	}

	async call(method, params, signal) {
		if (!PATHS[method])
			throw new NnjitError('unknown-method', `'${method}' needs a WebSocket, which this browser blocks.`);
		return (await this.#get(PATHS[method], params, signal)).result;
	}

	async #get(path, params, signal, etag) {
		const url = new URL(path, this.#base);
		for (const [name, value] of Object.entries(params))
			url.searchParams.set(name, typeof value === 'object' ? opText(value) : value);
		if (this.state === 'closed')
			throw new NnjitError('closed', 'The client was closed.');
		const limit = limited(CALL_MS, signal, this.#stop.signal);
		try {
			const response = await loopbackFetch(url, { signal: limit.signal,
				headers: { accept: 'application/json', ...(etag ? { 'if-none-match': etag } : {}) } });
			if (response.status === 304)
				return { etag };
			const body = await response.json();
			if (!response.ok)
				throw NnjitError.from(body);
			return { result: body, etag: response.headers.get('etag') };
		} catch (error) {
			if (error instanceof NnjitError)
				throw error;
			throw signal?.aborted ? new NnjitError('aborted', 'The caller gave up.') :
				new NnjitError('disconnected', `The daemon could not be reached: ${error.message}`);
		} finally {
			limit.release();
		}
	}

	subscribe(method, params, signal) {
		return method === 'prefetch' ? this.#prefetch(params, signal) : this.#watch(params, signal);
	}

	// Asks again, ever more slowly, until the kernel is tuned: asking is what queues the tuning.
	async *#watch({ op, device, target, runs, constant }, signal) {
		const params = Object.fromEntries(Object.entries({ op, device, target, runs, constant }).filter(([, value]) => value !== undefined));
		for (let wait = 200, etag; ; wait = Math.min(wait * 1.3, 2000)) {
			const got = await this.#get(PATHS.get, params, signal, etag);
			etag = got.etag;
			const event = { tuned: 'tuned', naive: 'failed' }[got.result?.status];
			if (got.result)
				yield { event: event ?? 'improved', kernel: got.result };
			if (event)
				return;
			await pause(wait);
		}
	}

	async *#prefetch({ ops, device }, signal) {
		const progress = { done: 0, of: ops.length, failed: 0 };
		for (const op of ops) {
			for await (const { event } of this.#watch({ op, device }, signal)) {
				progress.done += event === 'tuned' || event === 'failed';
				progress.failed += event === 'failed';
			}
			yield { event: 'progress', progress: { ...progress, op } };
		}
		yield { event: 'finished', progress };
	}

	close() {
		this.state = 'closed';
		this.#stop.abort();
		this.onstate('closed');
	}
}
