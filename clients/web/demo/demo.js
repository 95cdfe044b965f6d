// SPDX-License-Identifier: Apache-2.0
//
// The demo page: for each shape, the default kernel against the best one the daemon has so far, both timed
// and checked here. One shape after the other, so that measurements do not disturb each other.
// ?shapes=256x256x256,97x131x65 chooses others. Nothing is measured or tuned before a click.

import { baselineArtifact } from './baseline.js';
import { drawChart } from './chart.js';
import { connect, createRunner } from '../nnjit.js';
import { compare, flops, parseOp, randomInputs, referenceAt, sampleElements } from '../testing/reference.js';

const TOLERANCE = 1e-5;
const ROUNDS = 5; // of the last measurement
const SHAPES_MAX = 12;
const SHAPES = [
	['256x256x256', 'a square'],
	['128x768x768', 'BERT-base, 128 tokens'],
	['97x131x65', 'nothing divides it'],
	['1x768x768', 'one token'],
];
const STATUS = { waiting: 'waiting', measuring: 'timing the default', predicted: 'predicted', tuning: 'tuning', stale: 'measuring again',
	tuned: 'tuned', failed: 'failed', alone: 'default only' };

const $ = id => document.getElementById(id);
const page = { gpu: null, client: null, cards: [], queue: [], started: false, busy: false };

// `html` is a sentence of our own; `detail` may come from outside and fills its empty <span>.
function say(state, html = '', detail = '') {
	document.documentElement.dataset.state = state;
	$('notice').hidden = !html;
	$('notice').innerHTML = html;
	const slot = $('notice').querySelector('span');
	if (slot)
		slot.textContent = detail;
}

const ms = ns => {
	const value = ns / 1e6;
	return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value >= 1 ? value.toFixed(2) : value.toFixed(3);
};
const times = ratio => ratio >= 9.95 ? `${ratio.toFixed(0)}×` : `${ratio.toFixed(1)}×`;
const rate = (op, ns) => flops(op) / ns;
const brief = value => value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);

// ---- A card: one shape.

class Card {
	constructor(shape, what) {
		const [m, n, k] = shape.split(/[x×,]/).map(Number);
		this.title = `${m} × ${n} × ${k}`;
		this.text = `matmul m=${m} n=${n} k=${k}`;
		this.op = parseOp(this.text);
		this.points = [];
		this.node = $('card').content.firstElementChild.cloneNode(true);
		this.part = name => this.node.querySelector(name);
		this.part('h3').textContent = this.title;
		this.part('.what').textContent = what;
		$('cards').append(this.node);
		this.row = $('rows').insertRow();
		for (let i = 0; i < 8; i++)
			this.row.insertCell();
		this.status('waiting');
		this.fill();
	}

	status(name, note) {
		this.node.dataset.status = this.row.dataset.status = name;
		this.part('.status').textContent = note ?? STATUS[name];
	}

	get speedup() { return this.tuned ? this.base.median_ns / this.tuned.median_ns : null; }

	fill() {
		const { base, tuned, kernel, error } = this;
		const cells = [this.title, base && ms(base.median_ns), tuned && ms(tuned.median_ns), tuned && times(this.speedup),
			tuned && brief(rate(this.op, tuned.median_ns)), kernel?.timing?.median_ns && ms(kernel.timing.median_ns),
			error && error.max_rel_err.toExponential(1), kernel?.schedule];
		cells.forEach((text, i) => { this.row.cells[i].textContent = text || '–'; });
		this.row.cells[3].className = 'speed';
		this.part('.speedup b').textContent = tuned ? times(this.speedup) : '–';
		this.part('.speedup').classList.toggle('known', Boolean(tuned));
		const slowest = Math.max(base?.median_ns ?? 0, tuned?.median_ns ?? 0);
		for (const [name, timing] of [['default', base], ['tuned', tuned]]) {
			this.part(`.bar.${name} i`).style.width = timing ? `${Math.max(1, 100 * timing.median_ns / slowest)}%` : '0';
			this.part(`.bar.${name} b`).textContent = timing ? `${ms(timing.median_ns)} ms` : '';
			this.part(`.bar.${name} em`).textContent = timing ? `${brief(rate(this.op, timing.median_ns))} GFLOP/s` : '';
		}
		this.part('.schedule').textContent = this.part('.schedule').title = kernel?.schedule ?? '';
		if (error) {
			const good = error.max_rel_err < TOLERANCE;
			this.part('.error').textContent = `${good ? 'right' : 'WRONG'} to ${error.max_rel_err.toExponential(1)}, ${error.checked.toLocaleString('en')} elements`;
			this.part('.error').className = good ? 'error good' : 'error bad';
		}
		this.draw();
	}

	draw() {
		const now = this.start ? ((this.end ?? performance.now()) - this.start) / 1e3 : 1;
		drawChart(this.part('.chart'), { points: this.points, baseline: this.base ? rate(this.op, this.base.median_ns) : 0, now });
	}

	progress({ measured, of }) {
		this.part('progress').value = of ? measured / of : 0;
		if (this.node.dataset.status !== 'tuned')
			this.status('tuning', `tuning, ${measured} of ${of}`);
		this.draw();
	}
}

// ---- Measuring. All kernels of a card share buffers and reference.

async function prepare(card) {
	const artifact = baselineArtifact(card.op);
	card.baseline = await createRunner(page.gpu, artifact);
	const inputs = randomInputs(artifact);
	card.buffers = card.baseline.allocate(inputs);
	card.elements = sampleElements(card.op);
	card.want = referenceAt(card.op, inputs, card.elements);
	card.base = await card.baseline.time(card.buffers, { samples: 3 });
	$('clock').textContent = card.base.source === 'queue' ? 'queue, wall time' : 'GPU timestamps';
}

async function check(card, runner) {
	const { out } = card.buffers;
	page.gpu.queue.writeBuffer(out, 0, new Float32Array(out.size / 4).fill(NaN));
	runner.run(card.buffers);
	return compare(await runner.read(out), card.want, card.elements);
}

// A new kernel from the daemon: run it, check it, time it, show it.
async function show(card, kernel) {
	const runner = await createRunner(page.gpu, kernel);
	const error = await check(card, runner);
	const timing = await runner.time(card.buffers, { samples: 3 });
	const better = !card.tuned || kernel.status === 'tuned' || timing.median_ns < card.tuned.median_ns;
	Object.assign(card, better ? { runner, kernel, error, tuned: timing } : {});
	card.points.push({ seconds: (performance.now() - card.start) / 1e3, gflops: rate(card.op, card.tuned.median_ns) });
	if (kernel.status !== 'tuned')
		card.status(kernel.status);
	card.fill();
}

// The search is over and the device is quiet: both again, in turns, for the numbers that stay.
async function settle(card) {
	const rounds = { baseline: [], runner: [] };
	for (let round = 0; round < ROUNDS; round++)
		for (const name of ['baseline', 'runner'])
			rounds[name].push(await card[name].time(card.buffers, { samples: 1, warmup: false }));
	const middle = list => list.sort((a, b) => a.median_ns - b.median_ns)[ROUNDS >> 1];
	card.base = middle(rounds.baseline);
	card.tuned = middle(rounds.runner);
	card.end = performance.now();
	card.points.push({ seconds: (card.end - card.start) / 1e3, gflops: rate(card.op, card.tuned.median_ns) });
	card.part('progress').value = 1;
	card.status('tuned');
	page.client.report(card.kernel, { median_ns: card.tuned.median_ns, samples: ROUNDS }).catch(() => {});
}

async function tune(card) {
	card.status('measuring');
	await prepare(card);
	card.start = performance.now();
	card.fill();
	if (!page.client)
		return card.status('alone');
	for await (const kernel of page.client.watch(card.text, { onProgress: progress => card.progress(progress) }))
		await show(card, kernel);
	await settle(card);
	Object.values(card.buffers).forEach(buffer => buffer.destroy());
	card.fill();
}

function summarise() {
	const done = page.cards.filter(card => card.node.dataset.status === 'tuned');
	if (!done.length)
		return;
	const geomean = Math.exp(done.reduce((sum, card) => sum + Math.log(card.speedup), 0) / done.length);
	$('geomean').textContent = times(geomean);
	document.querySelector('.score').classList.add('known');
	$('geomean-note').textContent = `geometric mean speedup over the default kernel${done.length < page.cards.length ? `, ${done.length} of ${page.cards.length} shapes so far` : ''}`;
}

async function work() {
	if (page.busy)
		return;
	page.busy = true;
	for (let card; (card = page.queue.shift());) {
		try {
			await tune(card);
		} catch (error) {
			card.status('failed');
			card.part('.schedule').textContent = `${error.code ?? error.name}: ${error.message}`;
		}
		summarise();
	}
	page.busy = false;
	if (page.client)
		say('done');
}

function add(shape, what) {
	const card = new Card(shape, what);
	page.cards.push(card);
	page.queue.push(card);
}

// ---- The page's parts.

async function openGpu() {
	const adapter = await navigator.gpu?.requestAdapter({ powerPreference: 'high-performance' });
	if (!adapter)
		return null;
	const requiredFeatures = ['timestamp-query', 'subgroups'].filter(name => adapter.features.has(name));
	page.gpu = await adapter.requestDevice({ requiredFeatures });
	const { vendor, architecture, description } = adapter.info;
	$('adapter').textContent = [vendor, architecture].filter(Boolean).join(' ') || description || 'unnamed';
	return adapter;
}

// The daemon that served this page; or where something else did, the one at ?port=, else the usual one.
function daemonUrl() {
	const port = new URLSearchParams(location.search).get('port');
	if (port === null && location.protocol === 'http:' && /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(location.hostname))
		return `ws://${location.host}/v1/ws`;
	if (port !== null && !(/^[1-9]\d{0,4}$/.test(port) && Number(port) < 65536))
		throw new Error(`the address names the port ${JSON.stringify(port)}; a port is from 1 to 65535`);
	return `ws://127.0.0.1:${port ?? 6174}/v1/ws`;
}

async function openClient(adapter, url) {
	let why = '';
	const onStatus = ({ status }) => status === 'pending' && say('pending', 'The owner of this machine has not let pages of <span></span> ' +
		'in yet: <code>nnjitctl origins</code>. This page goes on by itself then.', location.origin);
	page.client = await connect({ url, adapter, device: page.gpu, timeoutMs: 1000, onStatus, onAbsent: reason => { why = reason; } });
	if (!page.client) {
		$('device').textContent = 'no service';
		return say('no-daemon', 'No nnjit service answers on this machine (<span></span>). Start it with <code>systemctl start nnjitd</code> ' +
			'or <code>./quickstart</code>, then reload. Until then only the default kernel can be shown.', why);
	}
	const { device, reason } = page.client;
	$('device').textContent = device?.name ?? 'none';
	if (device || page.client.transport === 'fetch')
		return say('tuning');
	say('no-device', 'The service knows no device that is this page\'s adapter: <span></span>.', reason ?? 'it gave no reason');
	page.client.close();
	page.client = null;
}

function wireControls() {
	$('theme').onclick = () => {
		const dark = getComputedStyle(document.documentElement).colorScheme === 'dark' ||
			(!document.documentElement.dataset.theme && matchMedia('(prefers-color-scheme: dark)').matches);
		document.documentElement.dataset.theme = dark ? 'light' : 'dark';
	};
	$('add').onsubmit = event => {
		event.preventDefault();
		const shape = $('shape').value.replace(/\s+/g, '');
		$('shape').setCustomValidity(SHAPE.test(shape) ? '' : 'Three sizes, such as 197x768x768');
		if (!$('shape').reportValidity() || !page.gpu)
			return;
		add(shape, 'yours');
		$('shape').value = '';
		if (page.started)
			work();
	};
	addEventListener('resize', () => page.cards.forEach(card => card.draw()));
	$('shape').oninput = () => $('shape').setCustomValidity('');
}

const SHAPE = /^[1-9]\d{0,4}([x×,][1-9]\d{0,4}){2}$/;

// Those of the address, of which the first few count, or our own.
function shapes() {
	const asked = new URLSearchParams(location.search).get('shapes')?.split(',').filter(shape => SHAPE.test(shape)).slice(0, SHAPES_MAX);
	return asked?.length ? asked.map(shape => SHAPES.find(([known]) => known === shape) ?? [shape, 'yours']) : SHAPES;
}

// An address must start nothing by itself: any site can link to it.
function startClicked() {
	say('ready');
	$('start').hidden = false;
	return new Promise(done => {
		$('start').onclick = () => {
			$('start').hidden = page.started = true;
			done();
		};
	});
}

async function main() {
	wireControls();
	for (const [shape, what] of shapes())
		add(shape, what);
	const adapter = await openGpu();
	if (!adapter) {
		$('adapter').textContent = $('device').textContent = $('clock').textContent = 'none';
		return say('no-webgpu', 'This browser offers no WebGPU adapter, so nothing can be measured here. Chrome, Edge, Firefox and Safari ' +
			'have WebGPU in their current versions; on Linux it may need <code>chrome://flags/#enable-unsafe-webgpu</code>.');
	}
	const url = daemonUrl();
	await startClicked();
	await openClient(adapter, url);
	await work();
}

main().catch(error => say('failed', 'Something went wrong: <span></span>', error.message));
