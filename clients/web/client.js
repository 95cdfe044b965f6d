// SPDX-License-Identifier: Apache-2.0
//
// The page's side of the conversation with nnjitd. connect() finds the daemon (or says null); a Client
// asks it for kernels. Over a WebSocket, or by fetch where the browser blocks that: both transports
// answer call() and subscribe() alike, so nothing here depends on which it is.

import { HttpTransport } from './http.js';
import { probe } from './probe.js';
import { NnjitError } from './problem.js';
import { SocketTransport } from './socket.js';

const DEFAULT_URL = 'ws://127.0.0.1:6174/v1/ws';

// The hello message: plain objects out of the browser's own. With a GPUDevice its limits and features
// count, since they bound what the page can run; else those that the adapter would allow.
function introduce(adapter, gpuDevice) {
	const info = adapter?.info ?? gpuDevice?.adapterInfo ?? {};
	const source = gpuDevice ?? adapter;
	const limits = {};
	for (const name in source?.limits)
		if (typeof source.limits[name] === 'number')
			limits[name] = source.limits[name];
	return {
		adapter: { vendor: info.vendor ?? '', architecture: info.architecture ?? '', device: info.device ?? '',
			description: info.description ?? '' },
		limits,
		features: [...source?.features ?? []],
		language_features: [...globalThis.navigator?.gpu?.wgslLanguageFeatures ?? []],
	};
}

const given = object => Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));

export class Client extends EventTarget {
	#transport;

	constructor(transport) {
		super();
		this.#transport = transport;
		transport.onstate = state => this.dispatchEvent(new CustomEvent('statechange', { detail: state }));
	}

	// The daemon's device that is this page's adapter, or null where it knows none; `reason` says why.
	get device() {
		const { device, name } = this.#transport.hello ?? {};
		return device ? { id: device, name } : null;
	}

	get version() { return this.#transport.hello?.version ?? null; }
	get reason() { return this.#transport.hello?.reason ?? null; }
	get state() { return this.#transport.state; } // 'open', 'reconnecting' or 'closed'
	get transport() { return this.#transport.name; } // 'websocket' or 'fetch'

	// The kernel as known now: tuned, or predicted at once while its tuning is queued.
	// `runs`: how often it will be run, where that is so seldom that compiling counts. `constant`: an input that
	// stays the same, as weights do: the kernel may be one that wants it laid out anew (Runner.prepare).
	kernel(op, { device, target, runs, constant, signal } = {}) {
		return this.#transport.call('get', given({ op, device, target, runs, constant }), signal);
	}

	// Every version of the kernel from what is known now to the tuned one, each better than the last.
	// onProgress({ measured, of }) hears of the search in between; `again` measures a tuned kernel anew.
	// Leaving the loop, or the signal, ends the watch. Where every schedule failed on the device it ends with
	// the plainest kernel, whose status is 'naive'.
	async *watch(op, { device, target, runs, constant, again, onProgress, signal } = {}) {
		let last = null;
		for await (const message of this.#transport.subscribe('watch', given({ op, device, target, runs, constant, again }), signal)) {
			const kernel = message.kernel ?? message.result;
			if (message.event === 'failed' && !kernel?.code)
				throw NnjitError.from(message.error);
			const progress = message.progress ?? kernel?.progress;
			if (progress)
				onProgress?.(progress);
			const over = message.event === 'tuned' || message.event === 'failed' || (kernel?.status === 'tuned' && !again);
			if (kernel?.code && (over || ['status', 'schedule', 'op'].some(member => kernel[member] !== last?.[member])))
				yield last = kernel;
			if (over)
				return;
		}
	}

	// Tunes many operators; resolves with the last progress when all have ended, `failed` of them badly.
	// onProgress({ done, of, failed, op }) hears of each that ends.
	async prefetch(ops, onProgress, { device, signal } = {}) {
		let progress = { done: 0, of: ops.length, failed: 0 };
		for await (const message of this.#transport.subscribe('prefetch', given({ ops, device }), signal)) {
			if (message.event === 'finished')
				return message.progress;
			if (message.progress)
				onProgress?.(progress = message.progress);
		}
		return progress;
	}

	// Tells the daemon what the page measured of a kernel it was served.
	// dispatches: how many each sample was; quantum_ns: the steps of the page's clock, a browser's usual if left out.
	report(artifact, { median_ns, samples, dispatches, quantum_ns }) {
		return this.call('report', given({ op: artifact.op, device: artifact.device, schedule: artifact.schedule, median_ns: Math.round(median_ns),
			samples, dispatches, quantum_ns }));
	}

	// The kernel and those within 5% of it by the daemon's measure: { leaders }, for compare().
	leaders(op, { device, target, signal } = {}) {
		return this.#transport.call('leaders', given({ op, device, target }), signal);
	}

	// Any other method of the protocol: 'status', 'devices', 'kernels', 'trials'.
	call(method, params = {}, signal) {
		return this.#transport.call(method, params, signal);
	}

	close() {
		this.#transport.close();
	}
}

async function openTransport(options) {
	try {
		if (options.base.protocol.startsWith('ws'))
			return await SocketTransport.open(options);
	} catch (error) {
		if (error.code !== 'blocked')
			throw error;
	}
	return new HttpTransport(options);
}

// Resolves to a Client, or to null where no daemon can be used; `onAbsent(reason)` then hears why:
// 'refused' (nothing listens), 'timeout', 'denied' (the browser or its user forbids it), 'not-nnjit'
// (something else listens), 'wrong-origin' (the daemon does not serve this page), 'aborted'. Never
// throws for absence; only for a url that cannot be one.
export async function connect({ url = DEFAULT_URL, adapter, device, timeoutMs = 300, promptMs = 30000,
	signal, reconnect = true, onAbsent = () => {} } = {}) {
	const base = new URL(url);
	if (!/^(ws|http)s?:$/.test(base.protocol))
		throw new TypeError(`connect: the url must begin with ws:// or http://, not ${base.protocol}`);
	const options = { base, introduction: introduce(adapter, device), timeoutMs, promptMs, signal, reconnect };
	try {
		const found = await probe(options);
		if (found === 'ok')
			return new Client(await openTransport(options));
		onAbsent(found);
	} catch (error) {
		onAbsent(error.code ?? 'refused');
	}
	return null;
}
