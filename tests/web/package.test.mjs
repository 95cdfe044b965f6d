// SPDX-License-Identifier: Apache-2.0
//
// nnjit-web as a package: its JSDoc types hold, nnjit.d.ts declares what the modules export (declared.ts),
// and every file is installed and packed. The demo's script is left out of the types.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url)), web = fileURLToPath(new URL('../../clients/web', import.meta.url));
const tsc = `${here}node_modules/typescript/bin/tsc`;
const skip = existsSync(tsc) ? false : 'tests/web/node_modules is absent (npm ci --ignore-scripts, in tests/web)';
const files = readdirSync(web, { recursive: true }).filter(file => /\.(js|ts|css|html|svg|json)$/.test(file));

test('types of nnjit-web', { skip, timeout: 120e3 }, () => {
	const { stdout, status } = spawnSync(process.execPath, [tsc, '-p', here], { encoding: 'utf8' });
	assert.equal(status, 0, stdout);
});

test('every file of nnjit-web is installed', () => {
	const installed = readFileSync(join(web, 'build.am'), 'utf8').split(/\s+/);
	assert.deepEqual(files.filter(file => !installed.includes(`%D%/${file}`)), []);
});

// The modules that a module reaches, as paths within the package.
function reached(file, known = new Set()) {
	if (known.has(file))
		return known;
	known.add(file);
	for (const [, path] of readFileSync(join(web, file), 'utf8').matchAll(/^(?:import|export) .* from '(\..*)';/gm))
		reached(join(file, '..', path), known);
	return known;
}

test('what the package exports is packed', () => {
	const { exports, files: packed } = JSON.parse(readFileSync(join(web, 'package.json'), 'utf8'));
	const doors = Object.values(exports).map(to => (to.default ?? to).replace('./', ''));
	const needed = [...doors.flatMap(door => [...reached(door)]), 'nnjit.d.ts', 'protocol.d.ts'];
	const takes = (pattern, file) => new RegExp(`^${pattern.replaceAll('.', '\\.').replace('*', '[^/]*')}$`).test(file);
	assert.ok(needed.includes('connect/socket.js'));
	assert.deepEqual(needed.filter(file => !existsSync(join(web, file)) || !packed.some(pattern => takes(pattern, file))), []);
});
