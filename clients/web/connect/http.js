// SPDX-License-Identifier: Apache-2.0
//
// Messages to the daemon by plain requests and polling, for browsers that block ws:// to the own
// machine (Safari). Offers what socket.js offers, but for reports and the page's introduction, which
// REST does not have: the page's limits go along with each call; name the device, or get the best one.

import { kernelParams, opText } from './params.js';
import { loopbackFetch, limited } from './probe.js';
import { NnjitError } from './problem.js';

const CALL_MS = 15000;
/** Methods that REST has; `get` is an old name. @type {Record<string, string>} */
const PATHS = { kernel: '/v1/kernel', get: '/v1/kernel', status: '/v1/status', devices: '/v1/devices', kernels: '/v1/kernels',
	trials: '/v1/trials', leaders: '/v1/leaders' };

/** What a kernel's status means for a watch. @type {Record<string, string>} */
const ENDINGS = { tuned: 'tuned', naive: 'failed' };

/** Limits that kernels depend on; WebGPU's defaults need no telling. @type {Record<string, number>} */
const DEFAULTS = { maxComputeInvocationsPerWorkgroup: 256, maxComputeWorkgroupSizeX: 256, maxComputeWorkgroupSizeY: 256,
	maxComputeWorkgroupStorageSize: 16384, maxStorageBufferBindingSize: 134217728 };

/** The page's limits as the parameter of a request. @param {Record<string, number>} limits */
const limitsText = limits => Object.entries(DEFAULTS).filter(([name, value]) => (limits[name] ?? value) !== value)
	.map(([name]) => `${name}=${limits[name]}`).join();

/** @param {number} ms */
const pause = ms => new Promise(done => setTimeout(done, ms));

export class HttpTransport {
	name = /** @type {const} */ ('fetch');
	/** @type {'open' | 'closed'} */
	state = 'open';
	hello = null;
	/** @type {(state: string) => void} */
	onstate = () => {};
	#base;
	#own;
	#stop = new AbortController();

	/** @param {{ base: URL, introduction?: { limits?: Record<string, number> } }} options */
	constructor({ base, introduction }) {
		this.#base = base.href.replace(/^ws/, 'http');
		this.#own = limitsText(introduction?.limits ?? {});
	}

	/** @param {string} method @param {object} params @param {AbortSignal} [signal] */
	async call(method, params, signal) {
		if (!PATHS[method])
			throw new NnjitError('unknown-method', `'${method}' needs a WebSocket, which this browser blocks.`);
		return (await this.#get(PATHS[method], params, signal)).result;
	}

	/** @param {string} path @param {object} params */
	#url(path, params) {
		const url = new URL(path, this.#base);
		if (this.#own && 'op' in params && path !== PATHS.kernels)
			url.searchParams.set('limits', this.#own);
		for (const [name, value] of Object.entries(params))
			url.searchParams.set(name, typeof value === 'object' ? opText(value) : value);
		return url;
	}

	/**
	 * @param {string} path
	 * @param {object} params
	 * @param {AbortSignal} [signal]
	 * @param {string | null} [etag]  of the last answer: the same one again is none
	 * @returns {Promise<{ result?: any, etag: string | null }>}
	 */
	async #get(path, params, signal, etag) {
		const url = this.#url(path, params);
		if (this.state === 'closed')
			throw new NnjitError('closed', 'The client was closed.');
		const limit = limited(CALL_MS, signal, this.#stop.signal);
		try {
			const response = await loopbackFetch(url, { signal: limit.signal,
				headers: { accept: 'application/json', ...(etag ? { 'if-none-match': etag } : {}) } });
			if (response.status === 304)
				return { etag: etag ?? null };
			const body = await response.json();
			if (!response.ok)
				throw NnjitError.from(body);
			return { result: body, etag: response.headers.get('etag') };
		} catch (error) {
			if (error instanceof NnjitError)
				throw error;
			const { message } = /** @type {Error} */ (error);
			throw signal?.aborted ? new NnjitError('aborted', 'The caller gave up.') :
				new NnjitError('disconnected', `The daemon could not be reached: ${message}`);
		} finally {
			limit.release();
		}
	}

	/**
	 * Async iterator of events, as SocketTransport's.
	 * @param {string} method
	 * @param {any} params
	 * @param {AbortSignal} [signal]
	 * @returns {AsyncGenerator<any, void, void>}
	 */
	subscribe(method, params, signal) {
		return method === 'prefetch' ? this.#prefetch(params, signal) : this.#watch(params, signal);
	}

	/**
	 * Asks again, ever more slowly, until the kernel is tuned: asking is what queues the tuning.
	 * @param {any} options  what REST has no parameter for is left out
	 * @param {AbortSignal} [signal]
	 * @returns {AsyncGenerator<any, void, void>}
	 */
	async *#watch(options, signal) {
		const params = kernelParams(options.op, options);
		/** @type {string | null} */
		let etag = null;
		for (let wait = 200; ; wait = Math.min(wait * 1.3, 2000)) {
			const got = await this.#get(PATHS.kernel, params, signal, etag);
			etag = got.etag;
			const event = ENDINGS[got.result?.status];
			if (got.result)
				yield { event: event ?? 'improved', kernel: got.result };
			if (event)
				return;
			await pause(wait);
		}
	}

	/** @param {any} params @param {AbortSignal} [signal] @returns {AsyncGenerator<any, void, void>} */
	async *#prefetch({ ops, device }, signal) {
		const progress = { done: 0, of: ops.length, failed: 0 };
		for (const op of ops) {
			for await (const { event } of this.#watch({ op, device }, signal)) {
				progress.done += Number(event === 'tuned' || event === 'failed');
				progress.failed += Number(event === 'failed');
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
