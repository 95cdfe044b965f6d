// SPDX-License-Identifier: Apache-2.0
//
// Dawn in Node in a browser's place: WebGPU on the machine's best Vulkan device, and this folder's pages
// as modules that Node can import by the addresses they have on browser.mjs's server. For machines with a
// GPU and no browser. Toggles are Chrome's but three: f16 on NVIDIA, whole timestamps, experimental features.

import { register } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { setFlagsFromString } from 'node:v8';

import { modules, source, Unavailable } from './browser.mjs';

const TOGGLES = ['enable-dawn-features=allow_unsafe_apis,vulkan_enable_f16_on_nvidia', 'disable-dawn-features=timestamp_quantization'];
export const npm = join(source, 'tests/web/node_modules');

// '/web/x.js' and the like, as pages import them.
const roots = { web: join(source, 'clients/web'), npm, bench: join(source, 'tests/bench/pages') };
const hook = `const roots = ${JSON.stringify(Object.fromEntries(Object.entries(roots).map(([name, folder]) =>
	[name, pathToFileURL(folder).href])))};
export async function resolve(specifier, context, next) {
	const [, root, rest] = /^\\/(web|npm|bench)\\/(.*)$/.exec(specifier) ?? [];
	return next(root ? roots[root] + '/' + rest : specifier, context);
}
// The pages' modules end in .js, and no package.json of this folder's says that they are modules.
export async function load(url, context, next) {
	return next(url, url.startsWith(roots.web) || url.startsWith(roots.bench) ? { ...context, format: 'module' } : context);
}`;

// Node's binding takes no views of shared memory, which is all that WebAssembly with threads has.
function copySharedViews() {
	const { writeBuffer } = GPUQueue.prototype;
	GPUQueue.prototype.writeBuffer = function (buffer, offset, data, from, count) {
		if (!ArrayBuffer.isView(data) || !(data.buffer instanceof SharedArrayBuffer))
			return count === undefined ? writeBuffer.call(this, buffer, offset, data, from ?? 0) :
				writeBuffer.call(this, buffer, offset, data, from, count);
		const start = from ?? 0;
		return writeBuffer.call(this, buffer, offset, data.slice(start, count === undefined ? undefined : start + count));
	};
}

// Makes navigator.gpu; returns { adapter, features, text }. Once a process: a device lives as long as its
// instance, which is kept for good.
export async function openDawn() {
	setFlagsFromString('--liftoff-only'); // optimising ONNX Runtime's WebAssembly takes a core-minute, which exit waits for
	const dawn = await import(modules().resolve('webgpu'));
	Object.assign(globalThis, dawn.globals);
	const gpu = dawn.create(TOGGLES);
	Object.defineProperty(globalThis, 'navigator', { configurable: true, value: { gpu, userAgent: 'node', hardwareConcurrency: 1 } });
	copySharedViews();
	register(`data:text/javascript,${encodeURIComponent(hook)}`);
	const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
	if (!adapter)
		return null;
	const { vendor, architecture, device, description } = adapter.info;
	return { adapter, features: [...adapter.features], text: [description || device, vendor, architecture].filter(Boolean).join(', ') };
}

// The same as browser.mjs's openPage, for who drives a page by page.evaluate alone: the function runs here.
export async function openPage() {
	const dawn = await openDawn();
	if (!dawn)
		throw new Unavailable('Dawn finds no adapter here');
	return { page: { evaluate: async (work, given) => work(given) }, dawn, close: async () => {} };
}
