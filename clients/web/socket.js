// SPDX-License-Identifier: Apache-2.0
//
// Messages to the daemon over one WebSocket. A lost connection is made again with back-off, the page
// introduced again, and what was under way asked again: requests outlive connections. Offers what
// http.js offers: call(method, params, signal) and subscribe(method, params, signal).

import { NnjitError } from './problem.js';
import { EventQueue } from './queue.js';

const SUBPROTOCOL = 'nnjit.v1';
const CALL_MS = 15000; // a request without an answer for that long has failed
const BACKOFF_MS = [100, 250, 500, 1000, 2000, 5000, 10000];

const pause = ms => new Promise(done => setTimeout(done, ms));
const aborted = () => new NnjitError('aborted', 'The caller gave up.');
const gone = code => new NnjitError(code, code === 'closed' ? 'The client was closed.' : 'The connection to the daemon was lost.');

function opened(base, timeoutMs, signal) {
	return new Promise((resolve, reject) => {
		const socket = new WebSocket(base, SUBPROTOCOL);
		const fail = () => settle(reject, signal?.aborted ? aborted() : new NnjitError('blocked', 'The WebSocket did not open.'));
		const timer = setTimeout(fail, timeoutMs);
		function settle(how, value) {
			clearTimeout(timer);
			signal?.removeEventListener('abort', fail);
			socket.onopen = socket.onerror = socket.onclose = null;
			if (how === reject)
				socket.close();
			how(value);
		}
		signal?.addEventListener('abort', fail);
		socket.onopen = () => settle(resolve, socket);
		socket.onerror = socket.onclose = fail;
	});
}

export class SocketTransport {
	name = 'websocket';
	state = 'connecting'; // then 'open', 'reconnecting', 'closed'
	hello = null; // the daemon's answer to the introduction
	onstate = () => {};
	#options;
	#socket = null;
	#lastId = 0;
	#requests = new Map(); // id -> { id, method, params, sink, timer }; sink: { answer, event, fail }

	// Fails with code 'blocked' if the socket does not open.
	static async open(options) {
		const transport = new SocketTransport();
		transport.#options = options;
		await transport.#connect(options.signal);
		return transport;
	}

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

	#enter(state) {
		if (this.state === state || this.state === 'closed')
			return;
		this.state = state;
		this.onstate(state);
	}

	#add(method, params, sink) {
		const request = { id: ++this.#lastId, method, params, sink };
		request.timer = setTimeout(() => this.#fail(request, this.state === 'open' ?
			new NnjitError('timeout', `The daemon did not answer '${method}' within ${CALL_MS / 1000} s.`) :
			gone('disconnected')), CALL_MS);
		this.#requests.set(request.id, request);
		return request;
	}

	#send({ id, method, params }) {
		this.#socket.send(JSON.stringify({ id, method, params }));
	}

	// While there is no connection, a request waits for the next one.
	#ask(method, params, sink) {
		const request = this.#add(method, params, sink);
		if (this.state === 'closed')
			this.#fail(request, gone('closed'));
		else if (this.state === 'open')
			this.#send(request);
		return request;
	}

	#forget(request) {
		clearTimeout(request.timer);
		return this.#requests.delete(request.id);
	}

	#fail(request, error) {
		if (this.#forget(request))
			request.sink.fail(error);
	}

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
		for (let attempt = 0; this.state === 'reconnecting'; attempt++) {
			await pause(BACKOFF_MS[Math.min(attempt, BACKOFF_MS.length - 1)] * (0.75 + Math.random() / 2));
			if (this.state === 'reconnecting')
				await this.#connect().catch(() => {}); // the next turn tries again
		}
	}

	call(method, params, signal) {
		return new Promise((answer, fail) => {
			if (signal?.aborted)
				return fail(aborted());
			const abort = () => this.#fail(request, aborted());
			const done = how => value => { signal?.removeEventListener('abort', abort); how(value); };
			const request = this.#ask(method, params, { answer: done(answer), fail: done(fail) });
			signal?.addEventListener('abort', abort);
		});
	}

	// Async iterator of { event, kernel, progress, error }; the first is { event: 'answer', result }.
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
