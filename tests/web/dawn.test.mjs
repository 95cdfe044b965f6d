// SPDX-License-Identifier: Apache-2.0
//
// Every kernel of a file of artifacts (one JSON object a line, as tests/libjit/dump_space prints them)
// in Dawn, the compiler and runtime of Chrome's pages, on SwiftShader: accepted without a warning, and
// right against the f64 reference. NNJIT_ARTIFACTS names the file; without it there is nothing to do.
// Accepting is judged on Dawn's null backend, which compiles WGSL and stops there: milliseconds a kernel.
// Running costs SwiftShader 0.1 to 1.5 s of compiling a kernel: NNJIT_RUN_EVERY=N runs every Nth kernel of
// each operator only (1: all, the default) and says so.

import assert from 'node:assert/strict';
import { createReadStream, existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';

import { modules, Unavailable } from '../bench/browser.mjs';
import { compare, parseOp, randomInputs, referenceAt, sampleElements } from '../../clients/web/reference.js';

const TOLERANCE = 1e-5;
const BATCH_BYTES = 32 << 20; // outputs read back at a time
const BATCH_KERNELS = 16;
const ICD = '/usr/lib/chromium/vk_swiftshader_icd.json';

const file = process.env.NNJIT_ARTIFACTS;
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

// Artifacts by operator, in the file's order.
async function readArtifacts() {
	const ops = new Map();
	for await (const line of createInterface({ input: createReadStream(file) }))
		if (line.trim()) {
			const artifact = JSON.parse(line);
			ops.set(artifact.op, [...ops.get(artifact.op) ?? [], artifact]);
		}
	return ops;
}

const ops = skip ? new Map() : await readArtifacts();

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
	return adapter.requestDevice({ requiredFeatures: ['subgroups'].filter(name => adapter.features.has(name)),
		requiredLimits: limitsOf([...ops.values()].flat()) });
}

let nowhere, device; // the null backend's, SwiftShader's
before(async () => {
	if (skip)
		return;
	nowhere = await openDevice(['backend=null']);
	device = await openDevice([]);
});
after(() => [nowhere, device].forEach(opened => opened?.destroy()));

function storage(size, values) {
	const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
	const buffer = device.createBuffer({ size, usage });
	if (values)
		device.queue.writeBuffer(buffer, 0, values);
	return buffer;
}

// The kernel's pipeline and whatever Dawn has to say about it. Asynchronous, so that Dawn compiles several
// at once: compiling is nearly all of this test's time.
async function build(on, artifact) {
	const module = on.createShaderModule({ code: artifact.code });
	const { messages } = await module.getCompilationInfo();
	const said = [...messages].map(({ type, lineNum, message }) => `${type} at line ${lineNum}: ${message}`);
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
async function runBatch(kernels, buffers, outBytes) {
	const stride = Math.ceil(outBytes / 256) * 256;
	const readable = device.createBuffer({ size: stride * kernels.length, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
	const encoder = device.createCommandEncoder();
	kernels.forEach(({ artifact, layout, pipeline }, i) => {
		encoder.copyBufferToBuffer(buffers.poison, 0, buffers.out, 0, buffers.out.size);
		const pass = encoder.beginComputePass();
		pass.setPipeline(pipeline);
		pass.setBindGroup(0, device.createBindGroup({ layout, entries: artifact.bindings.map(({ binding, name }) =>
			({ binding, resource: { buffer: buffers[name] } })) }));
		pass.dispatchWorkgroups(...artifact.workgroups);
		pass.end();
		encoder.copyBufferToBuffer(buffers.out, 0, readable, stride * i, buffers.out.size);
	});
	device.queue.submit([encoder.finish()]);
	await readable.mapAsync(GPUMapMode.READ);
	const all = readable.getMappedRange().slice(0);
	readable.destroy();
	return kernels.map((_, i) => new Float32Array(all, stride * i, outBytes / 4));
}

function prepare(artifact) {
	const inputs = randomInputs(artifact), out = artifact.bindings.at(-1);
	const buffers = { out: storage(out.bytes), poison: storage(out.bytes, new Float32Array(out.bytes / 4).fill(NaN)) };
	for (const { name, bytes } of artifact.bindings.slice(0, -1))
		buffers[name] = storage(bytes, inputs[name]);
	const op = parseOp(artifact.op), elements = sampleElements(op, 1e7);
	return { buffers, outBytes: out.bytes, elements, want: referenceAt(op, inputs, elements) };
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

async function checkBatch(artifacts, { buffers, outBytes, elements, want }) {
	const built = await Promise.all(artifacts.map(artifact => build(device, artifact)));
	const lines = built.flatMap(({ artifact, said }) => said.map(text => `${artifact.schedule}: ${text}`));
	const good = built.filter(({ pipeline }) => pipeline);
	device.pushErrorScope('validation');
	const results = await runBatch(good, buffers, outBytes);
	const invalid = await device.popErrorScope();
	if (invalid)
		lines.push(`dispatch of ${good.map(k => k.artifact.schedule).join(' | ')}: ${invalid.message}`);
	results.forEach((values, i) => {
		const { max_rel_err, at } = compare(values, want, elements);
		if (!(max_rel_err < TOLERANCE))
			lines.push(`${good[i].artifact.schedule}: relative error ${max_rel_err} at element ${at}`);
	});
	return lines;
}

async function checkNumbers(artifacts) {
	const prepared = prepare(artifacts[0]);
	const size = Math.max(1, Math.min(BATCH_KERNELS, Math.floor(BATCH_BYTES / prepared.outBytes)));
	const lines = [];
	for (let start = 0; start < artifacts.length; start += size)
		lines.push(...await checkBatch(artifacts.slice(start, start + size), prepared));
	Object.values(prepared.buffers).forEach(buffer => buffer.destroy());
	return lines;
}

const none = (lines, of) => assert.equal(lines.length, 0, `${lines.length} complaints about ${of} kernels:\n${lines.slice(0, 5).join('\n')}`);

if (skip)
	test('kernels in Dawn', { skip }, () => {});

for (const [op, artifacts] of ops)
	test(`${op}: ${artifacts.length} kernels accepted`, async () => none(await accept(artifacts), artifacts.length));

let turn = 0; // so that operators with equal spaces do not all run the same schedules
for (const [op, artifacts] of ops) {
	const first = 7 * turn++ % Math.min(runEvery, artifacts.length);
	const chosen = artifacts.filter((_, i) => i >= first && (i - first) % runEvery === 0);
	test(`${op}: ${chosen.length} of ${artifacts.length} kernels right`, async () => none(await checkNumbers(chosen), chosen.length));
}
