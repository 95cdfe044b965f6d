// SPDX-License-Identifier: Apache-2.0
//
// nnjit-web as TypeScript sees it: its JSDoc types hold, and nnjit.d.ts declares what the modules export
// (declared.ts). The demo is left out: it is a script over its own page.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const tsc = `${here}node_modules/typescript/bin/tsc`;
const skip = existsSync(tsc) ? false : 'tests/web/node_modules is absent (npm ci --ignore-scripts, in tests/web)';

test('types of nnjit-web', { skip, timeout: 120e3 }, () => {
	const { stdout, status } = spawnSync(process.execPath, [tsc, '-p', here], { encoding: 'utf8' });
	assert.equal(status, 0, stdout);
});
