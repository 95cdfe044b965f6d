// SPDX-License-Identifier: Apache-2.0
//
// Reaching the own machine from a page, and finding out quickly whether a daemon is there. Browsers
// guard the loopback network more and more: some ask their user, some refuse.

/**
 * fetch to the own machine: newer browsers want to be told so, older ones may refuse the word.
 * @param {URL} url
 * @param {RequestInit} init
 */
export async function loopbackFetch(url, init) {
	try {
		return await fetch(url, /** @type {RequestInit} */ ({ credentials: 'omit', cache: 'no-store', ...init, targetAddressSpace: 'loopback' }));
	} catch (error) {
		if (error instanceof TypeError && /targetAddressSpace|enum value/i.test(error.message))
			return fetch(url, { credentials: 'omit', cache: 'no-store', ...init });
		throw error;
	}
}

// 'granted', 'prompt' or 'denied' for pages that need leave to reach this machine; 'granted' where the
// browser knows no such permission.
async function permission() {
	for (const name of ['loopback-network', 'local-network-access']) {
		try {
			return (await navigator.permissions.query({ name: /** @type {PermissionName} */ (name) })).state;
		} catch { /* this browser does not know that name */ }
	}
	return 'granted';
}

/** @param {URL} base */
const health = base => new URL('/v1/health', base.href.replace(/^ws/, 'http'));

// Pages that come from this machine themselves are never asked.
const fromHere = () => typeof location === 'undefined' || /^(localhost|127\.[\d.]+|\[::1\])$/.test(location.hostname);

/**
 * One signal out of a time limit and the given ones (any may be undefined).
 * @param {number} ms
 * @param {(AbortSignal | undefined)[]} signals
 */
export function limited(ms, ...signals) {
	const stop = new AbortController(), abort = () => stop.abort();
	const timer = setTimeout(abort, ms);
	for (const signal of signals) {
		signal?.addEventListener('abort', abort);
		if (signal?.aborted)
			abort();
	}
	return { signal: stop.signal, release() {
		clearTimeout(timer);
		signals.forEach(signal => signal?.removeEventListener('abort', abort));
	} };
}

/**
 * Something answers there, though this page may not read what: a daemon that refuses its origin.
 * @param {URL} base
 * @param {AbortSignal} signal
 */
async function answersBlindly(base, signal) {
	try {
		await loopbackFetch(health(base), { signal, mode: 'no-cors' });
		return typeof location !== 'undefined';
	} catch {
		return false;
	}
}

/** What the daemon says about this page's origin in a refusal. @type {Record<string, string>} */
const VERDICTS = { 'origin-pending': 'pending', 'origin-denied': 'origin-denied' };

/** @param {Response} response */
async function verdict(response) {
	const { code } = await response.json().catch(() => ({}));
	return VERDICTS[code] ?? 'wrong-origin';
}

/**
 * Is there a daemon that this page may use? 'ok', or the reason why not (see connect()). A fetch goes
 * first because a browser that asks its user does so for fetch; a WebSocket would only fail. While
 * the user is being asked, promptMs is the limit instead of timeoutMs.
 * @param {{ base: URL, timeoutMs: number, promptMs: number, signal?: AbortSignal }} options
 */
export async function probe({ base, timeoutMs, promptMs, signal }) {
	const state = await permission();
	const asks = state === 'prompt' && !fromHere();
	if (asks && promptMs === 0)
		return 'denied';
	const limit = limited(asks ? Math.max(promptMs, timeoutMs) : timeoutMs, signal);
	try {
		const response = await loopbackFetch(health(base), { signal: limit.signal });
		if (response.status === 403)
			return await verdict(response);
		return response.ok && /json/.test(response.headers.get('content-type') ?? '') ? 'ok' : 'not-nnjit';
	} catch {
		if (limit.signal.aborted)
			return signal?.aborted ? 'aborted' : 'timeout';
		if (await permission() === 'denied' && !fromHere())
			return 'denied';
		return await answersBlindly(base, limit.signal) ? 'wrong-origin' : 'refused';
	} finally {
		limit.release();
	}
}
