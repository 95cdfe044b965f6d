// SPDX-License-Identifier: Apache-2.0
//
// Every kernel of a file of artifacts (one JSON object a line, as tests/libjit/dump_space prints them)
// in Dawn, the compiler and runtime of Chrome's pages, on SwiftShader: accepted without a warning, and
// right, with every choice of dimensions, against the outputs that stand in the file: numbers, or for
// narrow types the bits of each element. NNJIT_ARTIFACTS
// names the file; without it there is nothing to do.
// Accepting is judged on Dawn's null backend, which has every feature, compiles WGSL and stops there:
// milliseconds a kernel. Running costs SwiftShader 0.1 to 1.5 s of compiling a kernel, and it lacks
// shader-f16. NNJIT_ACCEPT_EVERY=N compiles every Nth kernel of each operator and NNJIT_RUN_EVERY=N runs
// every Nth that it can (1: all, the default of both). The tests say how many they took.

import assert from 'node:assert/strict';
import { createReadStream, existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';

import { modules, Unavailable } from '../bench/browser.mjs';
import { arrayOf, bytesAt, dimsOf, toNumbers, workgroupsAt } from '../../clients/web/runtime/tensor.js';

const BATCH_BYTES = 32 << 20; // outputs read back at a time
const BATCH_KERNELS = 16;
const MATRIX = 'chromium-experimental-subgroup-matrix'; // the null backend has it, SwiftShader does not
const FEATURES = ['subgroups', 'shader-f16', MATRIX];
const ICD = '/usr/lib/chromium/vk_swiftshader_icd.json';

const file = process.env.NNJIT_ARTIFACTS;
const acceptEvery = Math.max(1, Number(process.env.NNJIT_ACCEPT_EVERY ?? 1));
const runEvery = Math.max(1, Number(process.env.NNJIT_RUN_EVERY ?? 1));
let dawn;

// Why this cannot run here, or false.
async function loadDawn() {
	if (!file)
		return 'NNJIT_ARTIFACTS names no file of artifacts';
	if (!process.env.VK_ICD_FILENAMES && !existsSync(ICD))
		return 'SwiftShader is not installed (it comes with Debian\'s chromium)';
	process.env.VK_ICD_FILENAMES ??= ICD;
	process.env.XDG_RUNTIME_DIR ??= '/tmp';
	try {
		dawn = await import(modules().resolve('webgpu')); // an ES module: require() of one needs Node 22
		Object.assign(globalThis, dawn.globals);
		return false;
	} catch (error) {
		if (error instanceof Unavailable)
			return error.message;
		throw error;
	}
}
const skip = await loadDawn();

// Cases and artifacts by operator, in the file's order.
async function readFile() {
	const ops = new Map();
	for await (const line of createInterface({ input: createReadStream(file) }))
		if (line.trim()) {
			const object = JSON.parse(line);
			const of_op = ops.get(object.op) ?? { cases: [], artifacts: [] };
			ops.set(object.op, of_op);
			if (object.case)
				of_op.cases.push(object.case);
			else
				of_op.artifacts.push(object);
		}
	return ops;
}

const ops = skip ? new Map() : await readFile();

function limitsOf(artifacts) {
	const limits = {};
	for (const { required_limits = {} } of artifacts)
		for (const [name, value] of Object.entries(required_limits))
			limits[name] = Math.max(limits[name] ?? 0, value);
	return limits;
}

const kept = []; // Dawn instances: a device goes when its instance goes
async function openDevice(options) {
	const gpu = dawn.create(options);
	kept.push(gpu);
	const adapter = await gpu.requestAdapter();
	return adapter.requestDevice({ requiredFeatures: FEATURES.filter(name => adapter.features.has(name)),
		requiredLimits: limitsOf([...ops.values()].flatMap(({ artifacts }) => artifacts)) });
}

let nowhere, device; // the null backend's, SwiftShader's
before(async () => {
	if (skip)
		return;
	nowhere = await openDevice(['backend=null', 'enable-dawn-features=allow_unsafe_apis']);
	device = await openDevice([]);
});
after(() => [nowhere, device].forEach(opened => opened?.destroy()));

function filled(usage, bytes) {
	const buffer = device.createBuffer({ size: bytes.length, usage: usage | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC });
	device.queue.writeBuffer(buffer, 0, bytes);
	return buffer;
}
const storage = bytes => filled(GPUBufferUsage.STORAGE, bytes);
const decoded = text => new Uint8Array(Buffer.from(text, 'base64'));
const runsHere = ({ required_features }) => required_features.every(name => device.features.has(name));

// The kernel's pipeline and whatever Dawn has to say about it. Asynchronous, so that Dawn compiles several
// at once: compiling is nearly all of this test's time.
async function build(on, artifact) {
	const module = on.createShaderModule({ code: artifact.code });
	const { messages } = await module.getCompilationInfo();
	const said = [...messages].map(({ type, lineNum, message }) => `${type} at line ${lineNum}: ${message}`);
	if (on === nowhere && artifact.required_features?.includes(MATRIX))
		return { artifact, said }; // its subgroups are of 128, so such pipelines are refused there
	const layout = on.createBindGroupLayout({ entries: artifact.bindings.map(({ binding, type }) =>
		({ binding, visibility: GPUShaderStage.COMPUTE, buffer: { type } })) });
	try {
		const pipeline = await on.createComputePipelineAsync({ compute: { module, entryPoint: artifact.entry_point },
			layout: on.createPipelineLayout({ bindGroupLayouts: [layout] }) });
		return { artifact, layout, pipeline, said };
	} catch (error) {
		return { artifact, said: [...said, `refused: ${error.message}`] };
	}
}

// Runs kernels of one operator in one submission: each on a poisoned output of its own.
async function runBatch(kernels, { buffers, poison, values }) {
	const { out } = buffers, stride = Math.ceil(out.size / 256) * 256;
	const readable = device.createBuffer({ size: stride * kernels.length, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
	const encoder = device.createCommandEncoder();
	kernels.forEach(({ artifact, layout, pipeline }, i) => {
		encoder.copyBufferToBuffer(poison, 0, out, 0, out.size);
		const pass = encoder.beginComputePass();
		pass.setPipeline(pipeline);
		pass.setBindGroup(0, device.createBindGroup({ layout, entries: artifact.bindings.map(({ binding, name }) =>
			({ binding, resource: { buffer: buffers[name] } })) }));
		pass.dispatchWorkgroups(...workgroupsAt(artifact, values));
		pass.end();
		encoder.copyBufferToBuffer(out, 0, readable, stride * i, out.size);
	});
	device.queue.submit([encoder.finish()]);
	await readable.mapAsync(GPUMapMode.READ);
	const all = readable.getMappedRange().slice(0);
	readable.destroy();
	return kernels.map((_, i) => all.slice(stride * i, stride * i + out.size));
}

// One case of an operator, ready to run: what no kernel writes is NaN, or, where every bit pattern is a
// number, right over neither of two fills.
function prepare(artifact, { dims, inputs, expected, scale, tolerance, ...wanted }) {
	const output = artifact.bindings.find(({ type }) => type === 'storage'), values = dimsOf(artifact, dims);
	const size = bytesAt(artifact, output, values), exact = !/^f/.test(output.dtype);
	const fills = (exact ? [0xff, 0] : [0xff]).map(byte => new Uint8Array(size).fill(byte));
	const buffers = { [output.name]: storage(fills[0]), dims: filled(GPUBufferUsage.UNIFORM, new Uint8Array(Uint32Array.from({ length: 4 },
		(_, i) => values[i] ?? 0).buffer)) };
	for (const name in inputs)
		buffers[name] = storage(decoded(inputs[name]));
	buffers.out = buffers[output.name];
	const start = { artifact, output, values, buffers, fills };
	if (wanted.bits)
		return { ...start, bits: new Uint32Array(decoded(wanted.bits).buffer), moves: wanted.moves, ulps: wanted.ulps };
	if (wanted.ranges)
		return { ...start, ranges: new Float64Array(decoded(wanted.ranges).buffer) };
	return { ...start, scale, tolerance, expected: new Float64Array(decoded(expected).buffer) };
}

// The first element without the bits that it must have, or -1. Of numbers NaN may be any NaN.
function wrongBits({ output, bits, moves, ulps }, bytes) {
	const width = { f16: Uint16Array, i8: Uint8Array, u8: Uint8Array, bool: Uint8Array }[output.dtype] ?? Uint32Array;
	const got = new width(bytes), [infinity, sign] = output.dtype === 'f16' ? [0x7c00, 0x8000] : [0x7f800000, 2 ** 31];
	const isNaN = x => x % sign > infinity, ordered = x => x < sign ? x : sign - x;
	const isRight = i => got[i] === bits[i] || (/^f/.test(output.dtype) && !moves &&
		(isNaN(bits[i]) ? isNaN(got[i]) : !isNaN(got[i]) && ulps > 0 && Math.abs(ordered(got[i]) - ordered(bits[i])) <= ulps));
	return bits.findIndex((_, i) => !isRight(i));
}

// The first element that is none of those it may be, and what it is: [-1] for none. Three numbers an element:
// the least, the most, and whether NaN will do.
function outOfRange({ artifact, output, values, ranges }, bytes) {
	const got = toNumbers(output.dtype, arrayOf(artifact, output, values, bytes));
	for (let i = 0; 3 * i < ranges.length; i++)
		if (Number.isNaN(got[i]) ? !ranges[3 * i + 2] : !(got[i] >= ranges[3 * i] && got[i] <= ranges[3 * i + 1]))
			return [i, got[i]];
	return [-1];
}

// The greatest error, and where; what is expected to be NaN is to be left as it was.
function compare({ artifact, output, values, expected, scale }, bytes, fill) {
	const numbers = buffer => toNumbers(output.dtype, arrayOf(artifact, output, values, buffer));
	const got = numbers(bytes), before = numbers(fill.buffer);
	let worst = 0, at = -1;
	for (let i = 0; i < expected.length && !Number.isNaN(worst); i++) {
		const error = Number.isNaN(expected[i]) ? (Object.is(got[i], before[i]) ? 0 : NaN) : Math.abs(got[i] - expected[i]) / scale;
		if (!(error <= worst)) {
			worst = error; // NaN too: an element never written was poisoned with it
			at = i;
		}
	}
	return { worst, at };
}

// What Dawn says of each kernel, as lines; none is good.
async function accept(artifacts) {
	const lines = [];
	for (const artifact of artifacts) {
		const { said } = await build(nowhere, artifact);
		lines.push(...said.map(text => `${artifact.schedule}: ${text}`));
	}
	return lines;
}

async function runCase(kernels, prepared) {
	const lines = [];
	for (const fill of prepared.fills) {
		prepared.poison = storage(fill);
		device.pushErrorScope('validation');
		const results = await runBatch(kernels, prepared);
		const invalid = await device.popErrorScope();
		prepared.poison.destroy();
		if (invalid)
			lines.push(`dispatch of ${kernels.map(k => k.artifact.schedule).join(' | ')}: ${invalid.message}`);
		results.forEach((bytes, i) => {
			if (prepared.bits) {
				const at = wrongBits(prepared, bytes);
				if (at >= 0)
					lines.push(`${kernels[i].artifact.schedule}: element ${at} must be 0x${prepared.bits[at].toString(16)}`);
				return;
			}
			if (prepared.ranges) {
				const [at, got] = outOfRange(prepared, bytes);
				if (at >= 0)
					lines.push(`${kernels[i].artifact.schedule}: element ${at} is ${got}, not ${prepared.ranges.slice(3 * at, 3 * at + 3)}`);
				return;
			}
			const { worst, at } = compare(prepared, bytes, fill);
			if (!(worst <= prepared.tolerance))
				lines.push(`${kernels[i].artifact.schedule} at [${prepared.values}]: relative error ${worst} at element ${at}`);
		});
	}
	return lines;
}

async function checkNumbers(artifacts, cases) {
	const prepared = artifacts.length ? cases.map(one => prepare(artifacts[0], one)) : [];
	const bytes = Math.max(...prepared.map(({ buffers }) => buffers.out.size));
	const size = Math.max(1, Math.min(BATCH_KERNELS, Math.floor(BATCH_BYTES / bytes)));
	const lines = [];
	for (let start = 0; start < artifacts.length; start += size) {
		const built = await Promise.all(artifacts.slice(start, start + size).map(artifact => build(device, artifact)));
		lines.push(...built.flatMap(({ artifact, said }) => said.map(text => `${artifact.schedule}: ${text}`)));
		for (const one of prepared)
			lines.push(...await runCase(built.filter(({ pipeline }) => pipeline), one));
	}
	prepared.forEach(({ buffers }) => Object.values(buffers).forEach(buffer => buffer.destroy()));
	return lines;
}

const none = (lines, of) => assert.equal(lines.length, 0, `${lines.length} complaints about ${of} kernels:\n${lines.slice(0, 5).join('\n')}`);

if (skip)
	test('kernels in Dawn', { skip }, () => {});

// Every Nth of a list, at least one; `first` so that operators with equal spaces do not all get the same ones.
const sample = (list, every, first) => list.filter((_, i) => (i + first) % Math.min(every, list.length) === 0);

let turn = 0;
for (const [op, { artifacts, cases }] of ops) {
	const first = 7 * turn++, accepted = sample(artifacts, acceptEvery, first);
	test(`${op}: ${accepted.length} of ${artifacts.length} kernels accepted`, async () => none(await accept(accepted), accepted.length));
	test(`${op}: kernels right`, async t => {
		const able = artifacts.filter(runsHere);
		const chosen = sample(able, runEvery, first);
		t.diagnostic(`${chosen.length} of ${artifacts.length} kernels, ${able.length} of which can run here, with ${cases.length} choices of dimensions`);
		none(await checkNumbers(chosen, cases), chosen.length);
	});
}
