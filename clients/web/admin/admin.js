// SPDX-License-Identifier: Apache-2.0
//
// The page of the device's owner: which origins asked, and the owner's decisions. It works with the secret that
// `nnjitctl admin` put behind the # of its address, and takes it out of the address at once. Whatever comes from a
// site, as its origin does, is shown as text and never as markup.

/** @import { Origin, OriginsAnswer } from '../protocol.js' */

const ROWS_MAX = 200;
const REFRESH_MS = 2000;
/** What each button says, by the choice that it is. @type {Record<string, string>} */
const TITLES = { approve: 'Approve', once: 'Only until the service ends', deny: 'Deny', revoke: 'Revoke' };
const CHOICES = { pending: ['approve', 'once', 'deny'], approved: ['revoke', 'deny'], denied: ['revoke', 'approve'] };

/** @param {string} id @returns {any} */
const $ = id => document.getElementById(id);
const table = /** @type {HTMLTableElement} */ (document.querySelector('table'));
const secret = location.hash.slice(1);
let shown = ''; // the list as it stands in the table

/** @param {string} state @param {string} [text] */
function say(state, text = '') {
	document.documentElement.dataset.state = state;
	$('notice').hidden = !text;
	$('notice').textContent = text;
}

/** @param {string} method @param {string} path @param {Record<string, string>} [params] */
async function ask(method, path, params = {}) {
	const url = new URL(path, location.origin);
	for (const [name, value] of Object.entries(params))
		url.searchParams.set(name, value);
	const response = await fetch(url, { method, headers: { 'Nnjit-Admin': secret }, cache: 'no-store' });
	const body = await response.json();
	if (!response.ok)
		throw Object.assign(new Error(body.detail), { code: body.code });
	return body;
}

/** @param {any} error */
function explain(error) {
	if (error.code === 'not-owner')
		return say('no-secret', 'This page works for a quarter of an hour after `nnjitctl admin` has opened it. Run that again.');
	say('failed', error.code ? error.message : 'The service does not answer.');
}

/** @param {string} choice @param {string} origin */
async function decide(choice, origin) {
	try {
		const once = choice === 'once';
		await ask('POST', `/v1/origins/${once ? 'approve' : choice}`, { origin, ...(once ? { once: '1' } : {}) });
		await refresh();
	} catch (error) {
		explain(error);
	}
}

/** @param {string} choice @param {string} origin */
function button(choice, origin) {
	const made = document.createElement('button');
	made.textContent = TITLES[choice];
	made.dataset.choice = choice;
	made.onclick = () => decide(choice, origin);
	return made;
}

/** @param {HTMLTableRowElement} row @param {Origin} of */
function fill(row, { origin, status, kept, since_s, heard_s, requests }) {
	row.dataset.status = status;
	row.dataset.origin = origin;
	for (const text of [origin, kept ? `${status}, ${kept}` : status, new Date((heard_s ?? since_s) * 1000).toLocaleString(), requests ?? ''])
		row.insertCell().textContent = String(text);
	const choices = kept === 'configured' ? ['deny'] : CHOICES[status];
	row.insertCell().append(...choices.map(choice => button(choice, origin)));
}

/**
 * The latest to ask stand first. A table that did not change is left alone, so that no button moves under a hand.
 * @param {Origin[]} origins
 */
function show(origins) {
	const wanted = $('filter').value.trim();
	const rows = origins.filter(({ origin }) => origin.includes(wanted)).sort((a, b) =>
		Number(a.status !== 'pending') - Number(b.status !== 'pending') || (b.heard_s ?? b.since_s) - (a.heard_s ?? a.since_s)).slice(0, ROWS_MAX);
	const text = JSON.stringify(rows);
	$('filter-label').hidden = table.hidden = !origins.length;
	if (text === shown)
		return;
	shown = text;
	$('rows').replaceChildren();
	rows.forEach(row => fill($('rows').insertRow(), row));
}

async function refresh() {
	const { origins } = /** @type {OriginsAnswer} */ (await ask('GET', '/v1/origins'));
	show(origins);
	say('ready', origins.length ? '' : 'No page has asked yet.');
}

async function main() {
	history.replaceState(null, '', location.pathname);
	$('filter').oninput = () => refresh().catch(explain);
	for (;;) {
		await refresh().catch(explain);
		if (document.documentElement.dataset.state === 'no-secret')
			return;
		await new Promise(done => setTimeout(done, REFRESH_MS));
	}
}

addEventListener('hashchange', () => location.reload()); // a fresh secret in a tab that is open already
main();
