// SPDX-License-Identifier: Apache-2.0
//
// Operators in steps, through the page's own runner in Dawn on SwiftShader, on a device with WebGPU's default
// limits: cut along every kind of dimension, with a constant input laid out anew, with dimensions left open.
// Small ones are cut to small bindings and compared with the f64 reference, every element. Heads and
// embeddings of models are cut to the default limit; elements at the parts' edges are compared. Each of them
// takes seconds, so NNJIT_STEPS_EVERY=N runs every Nth (8; 1: all, and the small ones with every kind of kernel).

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { build, modules, Unavailable } from '../bench/browser.mjs';
import { fromNumbers, toNumbers } from '../../clients/web/runtime/tensor.js';
import { createRunner } from '../../clients/web/runtime/runner.js';

const ICD = '/usr/lib/chromium/vk_swiftshader_icd.json';
const program = join(build, 'tests/libjit/dump_steps');
const DEFAULT_BINDING = 134217728;

// Bytes of a binding, and operators that take several steps under it.
const cut = [
	[4096, ['matmul m=64 n=32 k=32', 'matmul m=16 n=16 k=16 batch=12', 'softmax rows=64 n=64', 'gelu shape=40,64', 'gelu shape=2,40,64',
		'add shape=2,40,64 y=40,64', 'layernorm rows=64 n=64 residual=1', 'gather rows=300 inner=16 count=40 dtype=f16',
		'slice shape=100,64 size=10,64 begin=32,0', 'pad shape=64,30 before=0,1 after=0,1', 'concat sizes=16,32,20 inner=64']],
	[8192, ['gather rows=300 inner=16 count=?40', 'gather rows=300 inner=16 count=500 dtype=i32', 'matmul_nbits m=2 n=256 k=128 zeros=1',
		'matmul_nbits m=1 n=300 k=128 bias=1', 'matmul m=5 n=32 k=1024 a=i8 b=i8 out=i32']],
	[16384, ['matmul m=5 n=48 k=700 b=i8', 'transpose shape=4,16,16,8 perm=0,2,1,3', 'conv2d c=2 h=8 w=8 oc=160 kernel=3 pad=1 bias=1 residual=1']],
	[32768, ['matmul m=1 n=500 k=64 trans_b=1 bias=1', 'matmul m=1 n=512 k=64 trans_b=1', 'matmul m=?3 n=257 k=64 trans_b=1 bias=1',
		'matmul m=3 n=257 k=64 trans_b=1 bias=1 residual=1 act=relu', 'matmul m=4 n=321 k=96 trans_b=1 a=f16 b=f16 out=f16',
		'matmul m=1 n=64 k=300', 'matmul m=5 n=64 k=300 residual=1 bias=1 act=gelu scale=0.5', 'matmul m=?5 n=64 k=300 bias=1',
		'matmul m=5 n=64 k=300 trans_a=1', 'matmul m=5 n=33 k=1024 a=f16 b=f16 out=f16', 'matmul m=96 n=128 k=256']],
];
const relaid = [['a', ['matmul m=33 n=24 k=40']], ['b', ['matmul m=3 n=96 k=160', 'matmul m=4 n=24 k=16 batch=3 trans_b=1',
	'matmul m=4 n=24 k=16 a=f16 b=f16 out=f16 bias=1']]];
// Heads and embeddings: GPT-2, Llama, T5, BERT.
const models = ['matmul m=1 n=50257 k=768 trans_b=1', 'gather rows=50257 inner=768 count=9', 'matmul m=1 n=50257 k=768',
	'matmul m=1 n=32000 k=4096 trans_b=1 a=f16 b=f16 out=f16', 'matmul m=?5 n=50257 k=768 trans_b=1', 'gather rows=32000 inner=4096 count=7 dtype=f16',
	'matmul m=1 n=50257 k=4096 trans_b=1 b=i8', 'matmul_nbits m=1 n=128256 k=4096', 'matmul m=1 n=32000 k=1100 trans_b=1',
	'matmul m=3 n=32000 k=1100 trans_b=1', 'matmul m=2 n=32128 k=512 trans_b=1', 'matmul m=4 n=30522 k=768', 'matmul_nbits m=1 n=32000 k=4096 a=f16 scales=f16',
	'gather rows=30522 inner=768 count=5', 'gather rows=32128 inner=512 count=5', 'matmul m=1 n=50257 k=768 trans_b=1 bias=1 act=relu'];

async function loadDawn() {
	if (!existsSync(program))
		return 'tests/libjit/dump_steps is not built';
	if (!process.env.VK_ICD_FILENAMES && !existsSync(ICD))
		return 'SwiftShader is not installed (it comes with Debian\'s chromium)';
	process.env.VK_ICD_FILENAMES ??= ICD;
	process.env.XDG_RUNTIME_DIR ??= '/tmp';
	try {
		const dawn = await import(modules().resolve('webgpu'));
		Object.assign(globalThis, dawn.globals);
		return dawn;
	} catch (error) {
		if (error instanceof Unavailable)
			return error.message;
		throw error;
	}
}
const dawn = await loadDawn(), skip = typeof dawn === 'string' ? dawn : false;

let gpu, device; // a device goes when its instance goes
const complaints = [];
before(async () => {
	if (skip)
		return;
	gpu = dawn.create([]);
	device = await (await gpu.requestAdapter()).requestDevice();
	device.addEventListener('uncapturederror', ({ error }) => complaints.push(error.message));
});
after(() => device?.destroy());

// { cases, artifacts } of one operator.
function dump(how, parameter, op) {
	const cases = [], artifacts = [];
	for (const line of execFileSync(program, [how, String(parameter), op], { encoding: 'utf8', maxBuffer: 256 << 20 }).trim().split('\n')) {
		const object = JSON.parse(line);
		(object.case ? cases : artifacts).push(object.case ?? object);
	}
	return { cases, artifacts };
}

const decoded = text => new Uint8Array(Buffer.from(text, 'base64'));
const outputOf = artifact => artifact.bindings.find(({ type }) => type === 'storage');

// What a run leaves in the output over this fill, as numbers.
async function runOver(artifact, { inputs, dims, fill }) {
	const runner = await createRunner(device, artifact), { name, dtype } = outputOf(artifact), own = runner.allocate(inputs, dims);
	device.queue.writeBuffer(own[name], 0, new Uint8Array(own[name].size).fill(fill));
	const buffers = await runner.prepare(own);
	runner.run(buffers, null, dims);
	const numbers = toNumbers(dtype, await runner.read(buffers[name], name, dims));
	runner.destroy();
	Object.entries(buffers).forEach(([key, buffer]) => inputs[key] === buffer || buffer.destroy());
	return numbers;
}

async function checkCase(artifact, { dims, inputs, expected, scale, tolerance }) {
	const want = new Float64Array(decoded(expected).buffer);
	const data = Object.fromEntries(Object.entries(inputs).map(([name, text]) => [name, decoded(text)]));
	for (const fill of /^f/.test(outputOf(artifact).dtype) ? [0xff] : [0xff, 0]) {
		const got = await runOver(artifact, { inputs: data, dims, fill });
		for (let i = 0; i < want.length; i++)
			assert.ok(Math.abs(got[i] - want[i]) / scale <= tolerance, `${artifact.op} at [${dims}]: ${got[i]} for ${want[i]} at element ${i}`);
	}
}

const every = Math.max(1, Number(process.env.NNJIT_STEPS_EVERY ?? 8));
let turn = 0; // mostly the plainest kernels, which compile soonest on SwiftShader

async function checkSmall(how, parameter, op) {
	const { cases, artifacts } = dump(how, parameter, op);
	for (const artifact of every === 1 ? artifacts : [turn++ % 6 ? artifacts.at(-1) : artifacts[1]]) {
		assert.ok(artifact.steps.length > 1 || artifact.steps[0].repeat > 1 || artifact.steps[0].buffers.some(({ offset }) => offset));
		for (const one of cases)
			await checkCase(artifact, one);
	}
	await device.queue.onSubmittedWorkDone();
	assert.deepEqual(complaints.splice(0), []);
}

if (skip)
	test('operators in steps in Dawn', { skip }, () => {});
else {
	for (const [bytes, ops] of cut)
		for (const op of ops)
			test(`${op} in bindings of ${bytes} bytes`, { timeout: 120e3 }, () => checkSmall('cut', bytes, op));
	for (const [input, ops] of relaid)
		for (const op of ops)
			test(`${op} with ${input} laid out anew`, { timeout: 120e3 }, () => checkSmall('relaid', input, op));
}

// ---- What models take.

// Numbers that repeat with a prime period: cheap to make and to look up, and no two rows are alike.
const PERIOD = 65521;
const period = Float64Array.from({ length: PERIOD }, (_, i) => ((i * 40503 + 12345) % 4093 - 2046) / 2048);
const numberOf = { f32: i => period[i % PERIOD], f16: i => Math.round(period[i % PERIOD] * 1024) / 1024, i8: i => Math.round(period[i % PERIOD] * 100),
	u4: i => Math.floor((period[i % PERIOD] + 1) * 8) & 15 };

// A buffer of the tensor's numbers. An even number of periods is a whole number of bytes of any type.
function bigBuffer({ name, dtype, bytes }) {
	const unit = fromNumbers(dtype, Array.from({ length: 8 * PERIOD }, (_, i) => numberOf[dtype](i)));
	const block = new Uint8Array(unit.buffer, 0, 8 * PERIOD * { f32: 4, f16: 2, i8: 1, u4: 0.5 }[dtype]);
	const buffer = device.createBuffer({ label: name, size: bytes, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST, mappedAtCreation: true });
	const all = new Uint8Array(buffer.getMappedRange());
	for (let at = 0; at < bytes; at += block.length)
		all.set(block.subarray(0, Math.min(block.length, bytes - at)), at);
	buffer.unmap();
	return buffer;
}

const fieldsOf = op => Object.fromEntries(op.split(' ').slice(1).map(field => [field.split('=')[0], Number.parseInt(field.split('=')[1].replace('?', ''), 10)]));

// Values of the inputs at an element, and an element's own.
function meaningOf(artifact, indices) {
	const f = fieldsOf(artifact.op), of = Object.fromEntries(artifact.bindings.map(({ name, dtype }) => [name, numberOf[dtype]]));
	if (artifact.op.startsWith('gather'))
		return element => of.x(((indices[Math.floor(element / f.inner)] + f.rows) % f.rows) * f.inner + element % f.inner);
	const blocks = Math.ceil(f.k / 32);
	const weight = artifact.op.startsWith('matmul_nbits') ? (n, k) => (of.b(n * blocks * 32 + k) - 8) * of.scales(n * blocks + Math.floor(k / 32)) :
		f.trans_b ? (n, k) => of.b(n * f.k + k) * (of.scales?.(n) ?? 1) : (n, k) => of.b(k * f.n + n);
	return element => {
		const m = Math.floor(element / f.n), n = element % f.n;
		let sum = of.bias?.(n) ?? 0;
		for (let k = 0; k < f.k; k++)
			sum += of.a(m * f.k + k) * weight(n, k);
		return artifact.op.includes('act=relu') ? Math.max(sum, 0) : sum;
	};
}

// The ends, the neighbours of each part's first element, and some more.
function elementsOf(artifact, count) {
	const { name, dtype } = outputOf(artifact), size = { f32: 4, f16: 2 }[dtype], chosen = [0, 1, count - 2, count - 1];
	for (const { buffers, repeat } of artifact.steps)
		for (const place of buffers.filter(place => place.name === name))
			for (let turn = 0; turn < repeat; turn++)
				chosen.push(...[-2, -1, 0, 1, 2].map(by => (place.offset + place.advance * turn) / size + by));
	for (let i = 0; i < 40; i++)
		chosen.push(Math.floor((i + 0.5) * count / 40));
	return [...new Set(chosen)].filter(element => element >= 0 && element < count);
}

async function checkModel(op) {
	const { artifacts: [, artifact] } = dump('plan', DEFAULT_BINDING, op);
	const indices = artifact.op.startsWith('gather') ? Array.from({ length: fieldsOf(op).count }, (_, i) => i % 3 === 2 ? -1 - i : Math.floor(i * fieldsOf(op).rows / fieldsOf(op).count)) : [];
	const inputs = Object.fromEntries(artifact.bindings.filter(({ type }) => type !== 'storage').map(tensor =>
		[tensor.name, tensor.name === 'indices' ? Int32Array.from(indices) : bigBuffer(tensor)]));
	const got = await runOver(artifact, { inputs, fill: 0xff }), meaning = meaningOf(artifact, indices);
	Object.values(inputs).forEach(buffer => buffer.destroy?.());
	assert.deepEqual(complaints.splice(0), []);
	assert.ok(!got.some(Number.isNaN), 'an element was not written');
	const elements = elementsOf(artifact, got.length), want = elements.map(meaning), scale = Math.max(...want.map(Math.abs));
	const worst = Math.max(...elements.map((element, i) => Math.abs(got[element] - want[i]) / scale));
	assert.ok(worst < (outputOf(artifact).dtype === 'f16' ? 2e-3 : 2e-5), `relative error ${worst}`);
	return `${artifact.steps.length} steps, ${elements.length} elements, relative error ${worst.toExponential(1)}`;
}

for (const [i, op] of models.entries())
	if (!skip && i % every === 0)
		test(`${op} on default limits`, { timeout: 300e3 }, async t => t.diagnostic(await checkModel(op)));
