// SPDX-License-Identifier: Apache-2.0
//
// Messages to the daemon over one WebSocket. A lost connection is made again with back-off, the page
// introduced again, and what was under way asked again: requests outlive connections. Offers what
// http.js offers: call(method, params, signal) and subscribe(method, params, signal).

import { probe } from './probe.js';
import { NnjitError } from './problem.js';
import { EventQueue } from './queue.js';

const SUBPROTOCOL = 'nnjit.v1';
const CALL_MS = 15000; // a request without an answer for that long has failed
const BACKOFF_MS = [100, 250, 500, 1000, 2000, 5000, 10000];

/**
 * What hears of a request: its answer or failure, and of a subscription every event.
 * @typedef {{ answer: (result: any) => void, event?: (message: any) => void, fail: (error: Error) => void }} Sink
 * @typedef {{ id: number, method: string, params: object, sink: Sink, timer: ReturnType<typeof setTimeout> | undefined }} Request
 * @typedef {{ base: URL, introduction: object, timeoutMs: number, signal?: AbortSignal, reconnect: boolean }} SocketOptions
 */

/** @param {number} ms */
const pause = ms => new Promise(done => setTimeout(done, ms));
const aborted = () => new NnjitError('aborted', 'The caller gave up.');
/** @param {'closed' | 'disconnected'} code */
const gone = code => new NnjitError(code, code === 'closed' ? 'The client was closed.' : 'The connection to the daemon was lost.');

/** @param {URL} base @param {number} timeoutMs @param {AbortSignal} [signal] @returns {Promise<WebSocket>} */
function opened(base, timeoutMs, signal) {
	return new Promise((resolve, reject) => {
		const socket = new WebSocket(base, SUBPROTOCOL);
		const fail = () => settle(reject, signal?.aborted ? aborted() : new NnjitError('blocked', 'The WebSocket did not open.'));
		const timer = setTimeout(fail, timeoutMs);
		/** @template T @param {(value: T) => void} how @param {T} value */
		function settle(how, value) {
			clearTimeout(timer);
			signal?.removeEventListener('abort', fail);
			socket.onopen = socket.onerror = socket.onclose = null;
			if (how !== /** @type {unknown} */ (resolve))
				socket.close();
			how(value);
		}
		signal?.addEventListener('abort', fail);
		socket.onopen = () => settle(resolve, socket);
		socket.onerror = socket.onclose = fail;
	});
}

export class SocketTransport {
	name = /** @type {const} */ ('websocket');
	/** @type {'connecting' | 'open' | 'reconnecting' | 'pending' | 'closed'} */
	state = 'connecting';
	/** The daemon's answer to the introduction. @type {any} */
	hello = null;
	/** @type {(state: string) => void} */
	onstate = () => {};
	#options;
	/** @type {WebSocket | null} */
	#socket = null;
	#lastId = 0;
	/** By id. @type {Map<number, Request>} */
	#requests = new Map();

	/** @param {SocketOptions} options */
	constructor(options) {
		this.#options = options;
	}

	/** Fails with code 'blocked' if the socket does not open. @param {SocketOptions} options */
	static async open(options) {
		const transport = new SocketTransport(options);
		await transport.#connect(options.signal);
		return transport;
	}

	/** @param {AbortSignal} [signal] */
	async #connect(signal) {
		const { base, introduction, timeoutMs } = this.#options;
		const socket = await opened(base, Math.max(1000, timeoutMs), signal);
		if (this.state === 'closed')
			return socket.close();
		this.#socket = socket;
		socket.onmessage = ({ data }) => this.#receive(data);
		socket.onclose = () => this.#lost(socket);
		this.hello = await new Promise((answer, fail) => this.#send(this.#add('hello', introduction, { answer, fail })));
		if (this.#socket !== socket)
			return;
		for (const request of this.#requests.values())
			this.#send(request); // what waited for a connection
		this.#enter('open');
	}

	/** @param {'open' | 'reconnecting' | 'pending' | 'closed'} state */
	#enter(state) {
		if (this.state === state || this.state === 'closed')
			return;
		this.state = state;
		this.onstate(state);
	}

	/** @param {string} method @param {object} params @param {Sink} sink */
	#add(method, params, sink) {
		/** @type {Request} */
		const request = { id: ++this.#lastId, method, params, sink, timer: undefined };
		request.timer = setTimeout(() => this.#fail(request, this.state === 'open' ?
			new NnjitError('timeout', `The daemon did not answer '${method}' within ${CALL_MS / 1000} s.`) :
			gone('disconnected')), CALL_MS);
		this.#requests.set(request.id, request);
		return request;
	}

	/** @param {{ id: number, method: string, params: object }} request */
	#send({ id, method, params }) {
		this.#socket?.send(JSON.stringify({ id, method, params }));
	}

	/** While there is no connection, a request waits for the next one. @param {string} method @param {object} params @param {Sink} sink */
	#ask(method, params, sink) {
		const request = this.#add(method, params, sink);
		if (this.state === 'closed')
			this.#fail(request, gone('closed'));
		else if (this.state === 'open')
			this.#send(request);
		return request;
	}

	/** @param {Request} request */
	#forget(request) {
		clearTimeout(request.timer);
		return this.#requests.delete(request.id);
	}

	/** @param {Request} request @param {Error} error */
	#fail(request, error) {
		if (this.#forget(request))
			request.sink.fail(error);
	}

	/** @param {string} data */
	#receive(data) {
		const message = JSON.parse(data);
		const request = this.#requests.get(message.id);
		if (!request)
			return; // an answer that nobody waits for any more
		clearTimeout(request.timer);
		if (message.event)
			return request.sink.event?.(message);
		if (message.error)
			return this.#fail(request, NnjitError.from(message.error));
		if (!request.sink.event)
			this.#forget(request);
		request.sink.answer(message.result);
	}

	/** @param {WebSocket} socket */
	#lost(socket) {
		if (this.#socket !== socket)
			return;
		this.#socket = null;
		const { reconnect } = this.#options;
		for (const request of this.#requests.values())
			if (!reconnect || request.method === 'hello')
				this.#fail(request, gone('disconnected'));
		if (!reconnect)
			this.#enter('closed');
		else if (this.state === 'open')
			this.#reconnect();
	}

	async #reconnect() {
		this.#enter('reconnecting');
		const away = () => this.state === 'reconnecting' || this.state === 'pending';
		for (let attempt = 0; away(); attempt++) {
			await pause(BACKOFF_MS[Math.min(attempt, BACKOFF_MS.length - 1)] * (0.75 + Math.random() / 2));
			if (away())
				await this.#connect().catch(() => this.#explain()); // the next turn tries again
		}
	}

	// A page whose origin has lost its approval waits for the next one. Nobody is prompted for that.
	async #explain() {
		const { base, timeoutMs } = this.#options;
		const found = await probe({ base, timeoutMs, promptMs: 0 });
		if (this.state === 'reconnecting' || this.state === 'pending')
			this.#enter(found === 'pending' ? 'pending' : 'reconnecting');
	}

	/** @param {string} method @param {object} params @param {AbortSignal} [signal] @returns {Promise<any>} */
	call(method, params, signal) {
		return new Promise((answer, fail) => {
			if (signal?.aborted)
				return fail(aborted());
			const abort = () => this.#fail(request, aborted());
			/** @param {(value: any) => void} how @returns {(value: any) => void} */
			const done = how => value => { signal?.removeEventListener('abort', abort); how(value); };
			const request = this.#ask(method, params, { answer: done(answer), fail: done(fail) });
			signal?.addEventListener('abort', abort);
		});
	}

	/**
	 * Async iterator of { event, kernel, progress, error }; the first is { event: 'answer', result }.
	 * @param {string} method
	 * @param {object} params
	 * @param {AbortSignal} [signal]
	 * @returns {AsyncGenerator<any, void, void>}
	 */
	subscribe(method, params, signal) {
		const queue = new EventQueue();
		const request = this.#ask(method, params, { answer: result => queue.push({ event: 'answer', result }),
			event: message => queue.push(message), fail: error => queue.end(error) });
		const abort = () => this.#fail(request, aborted());
		signal?.addEventListener('abort', abort);
		if (signal?.aborted)
			abort();
		return queue.drain(() => {
			signal?.removeEventListener('abort', abort);
			this.#forget(request);
			if (this.state === 'open') // one that is over already does not mind
				this.#send({ id: ++this.#lastId, method: 'cancel', params: { request: request.id } });
		});
	}

	close() {
		this.#enter('closed');
		for (const request of this.#requests.values())
			this.#fail(request, gone('closed'));
		const socket = this.#socket;
		this.#socket = null;
		socket?.close();
	}
}
