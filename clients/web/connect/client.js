// SPDX-License-Identifier: Apache-2.0
//
// The page's side of the conversation with nnjitd. connect() finds the daemon (or says null); a Client
// asks it for kernels. Over a WebSocket, or by fetch where the browser blocks that: both transports
// answer call() and subscribe() alike, so nothing here depends on which it is.

import { opBeyond } from './beyond.js';
import { HttpTransport } from './http.js';
import { given, kernelParams } from './params.js';
import { probe } from './probe.js';
import { NnjitError } from './problem.js';
import { SocketTransport } from './socket.js';

/**
 * @import { Artifact, ConnectOptions, Dims, Kernel, KernelOptions, Op, PrefetchProgress, WatchOptions } from '../nnjit.d.ts'
 * @import { SocketOptions } from './socket.js'
 */

/** @typedef {SocketTransport | HttpTransport} Transport */

const PENDING_MS = [1000, 5000]; // between two questions whether the owner has decided
const DEFAULT_URL = 'ws://127.0.0.1:6174/v1/ws';

/** The numbers among a GPUSupportedLimits's members, as a plain object. @param {any} limits */
function plainLimits(limits) {
	/** @type {Record<string, number>} */
	const plain = {};
	for (const name in limits)
		if (typeof limits[name] === 'number')
			plain[name] = limits[name];
	return plain;
}

/**
 * The hello message: plain objects out of the browser's own. With a GPUDevice its limits and features
 * count, since they bound what the page can run; else the features that the adapter would allow, and the limits
 * that a device has unless it is made with more.
 * @param {GPUAdapter} [adapter]
 * @param {GPUDevice} [gpuDevice]
 */
function introduce(adapter, gpuDevice) {
	/** @type {Partial<GPUAdapterInfo>} */
	const info = adapter?.info ?? gpuDevice?.adapterInfo ?? {};
	const source = gpuDevice ?? adapter;
	return {
		adapter: { vendor: info.vendor ?? '', architecture: info.architecture ?? '', device: info.device ?? '',
			description: info.description ?? '' },
		limits: plainLimits(gpuDevice?.limits),
		features: [...source?.features ?? []],
		language_features: [...globalThis.navigator?.gpu?.wgslLanguageFeatures ?? []],
	};
}

/**
 * What a message of a watch says: { kernel, progress, over }. Throws what ends it without a kernel.
 * @param {any} message
 * @param {boolean} [again]  a tuned kernel is measured anew, so that it ends nothing
 */
function readMessage(message, again) {
	const said = message.kernel ?? message.result;
	/** @type {Artifact | undefined} */
	const kernel = said?.code || said?.steps ? said : undefined;
	if (message.event === 'failed' && !kernel)
		throw NnjitError.from(message.error);
	return { kernel, progress: message.progress ?? said?.progress,
		over: message.event === 'tuned' || message.event === 'failed' || (kernel?.status === 'tuned' && !again) };
}

/** What tells one version of a kernel from another. @param {Artifact} artifact */
const versionOf = artifact => [artifact, ...'steps' in artifact ? artifact.kernels : []].map(kernel =>
	`${kernel.op} ${kernel.status} ${'schedule' in kernel ? kernel.schedule : ''}`).join('; ');

/** @param {Artifact} kernel @param {Artifact | null} last */
const isNew = (kernel, last) => !last || versionOf(kernel) !== versionOf(last);

export class Client extends EventTarget {
	#transport;

	/** @param {Transport} transport */
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
	// A client is made once its transport is open.
	get state() { return /** @type {'open' | 'reconnecting' | 'pending' | 'closed'} */ (this.#transport.state); }
	get transport() { return this.#transport.name; } // 'websocket' or 'fetch'

	/**
	 * The kernel as known now: tuned, or predicted at once while its tuning is queued.
	 * `runs`: how often it will be run, where that is so seldom that compiling counts. `constant`: an input that
	 * stays the same, as weights do: the answer may have a step that lays it out anew, once (Runner.prepare).
	 * @param {Op} op
	 * @param {KernelOptions} [options]
	 * @returns {Promise<Artifact>}
	 */
	kernel(op, options = {}) {
		return this.#transport.call('kernel', kernelParams(op, options), options.signal);
	}

	/**
	 * The kernel for dimensions that may lie beyond what `kernel` was verified for: itself, or the operator's
	 * anew, tuned as those dimensions are.
	 * @param {Artifact} kernel
	 * @param {Dims} dims
	 * @param {KernelOptions} [options]
	 * @returns {Promise<Artifact>}
	 */
	async kernelFor(kernel, dims, options = {}) {
		const op = opBeyond(kernel, dims);
		return op ? this.kernel(op, options) : kernel;
	}

	/**
	 * Every version of the kernel from what is known now to the tuned one, each better than the last.
	 * onProgress({ measured, of }) hears of the search in between; `again` measures a tuned kernel anew.
	 * Leaving the loop, or the signal, ends the watch. Where every schedule failed on the device it ends with
	 * the plainest kernel, whose status is 'naive'.
	 * @param {Op} op
	 * @param {WatchOptions} [options]
	 * @returns {AsyncGenerator<Artifact, void, void>}
	 */
	async *watch(op, options = {}) {
		const { again, onProgress, signal } = options;
		const params = given({ ...kernelParams(op, options), again });
		/** @type {Artifact | null} */
		let last = null;
		for await (const message of this.#transport.subscribe('watch', params, signal)) {
			const { kernel, progress, over } = readMessage(message, again);
			if (progress)
				onProgress?.(progress);
			if (kernel && (over || isNew(kernel, last)))
				yield last = kernel;
			if (over)
				return;
		}
	}

	/**
	 * Tunes many operators; resolves with the last progress when all have ended, `failed` of them badly.
	 * onProgress({ done, of, failed, op }) hears of each that ends.
	 * @param {Op[]} ops
	 * @param {(progress: PrefetchProgress) => void} [onProgress]
	 * @param {{ device?: string, signal?: AbortSignal }} [options]
	 * @returns {Promise<PrefetchProgress>}
	 */
	async prefetch(ops, onProgress, { device, signal } = {}) {
		/** @type {PrefetchProgress} */
		let progress = { done: 0, of: ops.length, failed: 0 };
		for await (const message of this.#transport.subscribe('prefetch', given({ ops, device }), signal)) {
			if (message.event === 'finished')
				return message.progress;
			if (message.progress)
				onProgress?.(progress = message.progress);
		}
		return progress;
	}

	/**
	 * Tells the daemon what the page measured of a kernel it was served.
	 * dispatches: how many each sample was; quantum_ns: the steps of the page's clock, a browser's usual if left out.
	 * @param {Kernel} artifact
	 * @param {{ median_ns: number, samples: number, dispatches?: number, quantum_ns?: number }} timing
	 */
	report(artifact, { median_ns, samples, dispatches, quantum_ns }) {
		return this.call('report', given({ op: artifact.op, device: artifact.device, schedule: artifact.schedule, median_ns: Math.round(median_ns),
			samples, dispatches, quantum_ns }));
	}

	/**
	 * The kernel and those within 5% of it by the daemon's measure: { leaders }, for compare().
	 * @param {Op} op
	 * @param {KernelOptions} [options]
	 * @returns {Promise<{ leaders: Kernel[] }>}
	 */
	leaders(op, { device, target, signal } = {}) {
		return this.#transport.call('leaders', given({ op, device, target }), signal);
	}

	/**
	 * Any other method of the protocol: 'status', 'devices', 'kernels', 'trials'.
	 * @param {string} method
	 * @param {object} [params]
	 * @param {AbortSignal} [signal]
	 */
	call(method, params = {}, signal) {
		return this.#transport.call(method, params, signal);
	}

	close() {
		this.#transport.close();
	}
}

/** @param {SocketOptions} options */
async function openTransport(options) {
	try {
		if (options.base.protocol.startsWith('ws'))
			return await SocketTransport.open(options);
	} catch (error) {
		if (!(error instanceof NnjitError && error.code === 'blocked'))
			throw error;
	}
	return new HttpTransport(options);
}

/** @param {number} ms @param {AbortSignal} [signal] @returns {Promise<void>} */
function pause(ms, signal) {
	return new Promise(done => {
		const over = () => { clearTimeout(timer); signal?.removeEventListener('abort', over); done(); };
		const timer = setTimeout(over, ms);
		signal?.addEventListener('abort', over);
	});
}

/**
 * As probe(), but where the owner of the device has not decided about this page's origin it waits for
 * the decision, asking ever more slowly. A daemon that is away meanwhile may come back.
 * @param {Parameters<typeof probe>[0]} where
 * @param {number} pendingMs
 * @param {ConnectOptions['onStatus']} onStatus
 */
async function decided(where, pendingMs, onStatus) {
	let found = await probe(where);
	if (found !== 'pending' || !pendingMs)
		return found;
	onStatus?.({ status: 'pending' });
	const until = Date.now() + pendingMs;
	for (let wait = PENDING_MS[0]; Date.now() < until; wait = Math.min(wait * 1.3, PENDING_MS[1])) {
		await pause(Math.min(wait, until - Date.now()), where.signal);
		if (where.signal?.aborted)
			return 'aborted';
		found = await probe(where);
		if (!['pending', 'refused', 'timeout'].includes(found))
			break;
	}
	if (found === 'ok')
		onStatus?.({ status: 'approved' });
	return found;
}

/**
 * Resolves to a Client, or to null where no daemon can be used; `onAbsent(reason)` then hears why:
 * 'refused' (nothing listens), 'timeout', 'denied' (the browser or its user forbids it), 'not-nnjit'
 * (something else listens), 'wrong-origin' (the daemon serves no page of this kind), 'origin-denied'
 * (the device's owner denied this origin), 'pending' (not decided within pendingMs), 'aborted'. Where the
 * owner has not decided yet, onStatus hears { status: 'pending' }, and the promise waits. Never throws
 * for absence; only for a url that cannot be one.
 * @param {ConnectOptions} [options]
 */
export async function connect(options = {}) {
	const { url = DEFAULT_URL, adapter, device, onAbsent } = options;
	const base = new URL(url);
	if (!/^(ws|http)s?:$/.test(base.protocol))
		throw new TypeError(`connect: the url must begin with ws:// or http://, not ${base.protocol}`);
	const { timeoutMs = 300, promptMs = 30000, pendingMs = Infinity, reconnect = true, signal, onStatus } = options;
	const where = { base, introduction: introduce(adapter, device), timeoutMs, promptMs, signal, reconnect };
	try {
		const found = await decided(where, pendingMs, onStatus);
		if (found === 'ok')
			return new Client(await openTransport(where));
		onAbsent?.(found);
	} catch (error) {
		onAbsent?.(error instanceof NnjitError ? error.code : 'refused');
	}
	return null;
}
