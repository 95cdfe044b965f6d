// SPDX-License-Identifier: Apache-2.0
//
// A headless Chromium with WebGPU on its SwiftShader device, and the loopback server its pages come
// from: what the browser tests and the benchmarks share. Chromium is the system's; playwright-core
// comes from tests/web/node_modules. What is missing is said in one line (Unavailable), so that the
// caller can skip.

import { execFileSync, spawnSync } from 'node:child_process';
import { createReadStream, existsSync, mkdirSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { extname, join, normalize, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const source = resolve(process.env.NNJIT_SOURCE ?? fileURLToPath(new URL('../..', import.meta.url)));
export const build = resolve(process.env.NNJIT_BUILD ?? process.cwd());
const web = join(source, 'tests/web');

export class Unavailable extends Error {}

export function chromiumPath() {
	for (const path of [process.env.NNJIT_CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser'])
		if (path && existsSync(path))
			return path;
	throw new Unavailable('Chromium is not installed (Debian: apt install chromium)');
}

// Loads a package from tests/web. With `install`, `npm ci` is run first where node_modules is absent.
export function modules({ install = false } = {}) {
	if (install && !existsSync(join(web, 'node_modules/.package-lock.json')))
		npmInstall();
	if (!existsSync(join(web, 'node_modules')))
		throw new Unavailable('tests/web/node_modules is absent (npm ci --ignore-scripts, in tests/web)');
	return createRequire(join(web, 'package.json'));
}

function npmInstall() {
	console.error('peers: installing tests/web from its lock file');
	const { status, stderr, error } = spawnSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'],
		{ cwd: web, encoding: 'utf8', timeout: 300e3 });
	if (status !== 0)
		throw new Unavailable(`npm ci failed in tests/web: ${(error?.message ?? stderr).trim().split('\n').pop()}`);
}

const flags = [
	'--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader', '--enable-webgpu-developer-features',
	'--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync',
];

// profile: a folder for the browser's profile; args: more flags.
export async function launch({ install, args = [], headless = true } = {}) {
	const { chromium } = modules({ install })('playwright-core');
	const asRoot = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
	return chromium.launch({ executablePath: chromiumPath(), headless, args: [...flags, ...asRoot, ...args] });
}

export const chromiumVersion = () =>
	execFileSync(chromiumPath(), ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();

const types = { '.html': 'text/html', '.js': 'text/javascript', '.mjs': 'text/javascript', '.css': 'text/css',
	'.wasm': 'application/wasm', '.json': 'application/json' };
const blank = '<!doctype html><meta charset="utf-8"><title>nnjit bench</title><link rel="icon" href="data:,">';

// Cross-origin isolated, so that performance.now() has its fine clock and wasm may use threads.
function headers(type) {
	return { 'content-type': type, 'cache-control': 'no-store', 'cross-origin-opener-policy': 'same-origin',
		'cross-origin-embedder-policy': 'require-corp', 'cross-origin-resource-policy': 'same-origin' };
}

const roots = { web: join(source, 'clients/web'), npm: join(web, 'node_modules'), bench: join(source, 'tests/bench/pages') };

function locate(path) {
	const [, root, ...rest] = path.split('/');
	const file = roots[root] && normalize(join(roots[root], rest.join('/')));
	return file?.startsWith(roots[root]) && existsSync(file) && statSync(file).isFile() ? file : null;
}

// Serves a blank page at /, clients/web at /web/, node_modules at /npm/, tests/bench/pages at /bench/;
// `routes` maps further paths to Buffers or strings.
export async function serve(routes = {}) {
	const server = createServer((request, response) => {
		const { pathname } = new URL(request.url, 'http://127.0.0.1');
		if (pathname === '/' || pathname in routes) {
			response.writeHead(200, headers(pathname === '/' ? 'text/html' : types[extname(pathname)] ?? 'application/octet-stream'));
			return response.end(pathname === '/' ? blank : routes[pathname]);
		}
		const file = locate(decodeURIComponent(pathname));
		response.writeHead(file ? 200 : 404, headers(types[extname(file ?? '')] ?? 'text/plain'));
		return file ? createReadStream(file).pipe(response) : response.end('not found');
	});
	await new Promise(done => server.listen(0, '127.0.0.1', done));
	return { url: `http://127.0.0.1:${server.address().port}/`, close: () => server.close(), routes };
}

// The page's warnings and errors, the first few of them, on stderr.
export function echo(page, most = 10) {
	const say = text => most-- > 0 && console.error(`page: ${text}`);
	page.on('console', message => ['error', 'warning'].includes(message.type()) && say(message.text()));
	page.on('pageerror', error => say(error.message));
}

// A page of a fresh browser on a fresh server: { page, browser, server, close }.
export async function openPage(options = {}) {
	const server = await serve(options.routes);
	try {
		const browser = await launch(options);
		const page = await browser.newPage();
		echo(page);
		await page.goto(server.url);
		return { page, browser, server, close: async () => { await browser.close(); server.close(); } };
	} catch (error) {
		server.close();
		throw error;
	}
}

export function outFolder() {
	const folder = join(build, 'tests/web/out');
	mkdirSync(folder, { recursive: true });
	return folder;
}

// A port on which nothing listens, as far as anybody can know.
export async function closedPort() {
	const server = createServer();
	await new Promise(done => server.listen(0, '127.0.0.1', done));
	const { port } = server.address();
	await new Promise(done => server.close(done));
	return port;
}
