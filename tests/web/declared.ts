// SPDX-License-Identifier: Apache-2.0
//
// Is what nnjit.d.ts declares what the modules export? Nothing here runs: package.test.mjs compiles it.

import type * as declared from '../../clients/web/nnjit.js';
import { Client, connect } from '../../clients/web/connect/client.js';
import { NnjitError } from '../../clients/web/connect/problem.js';
import { compare } from '../../clients/web/runtime/compare.js';
import { createRunner, Runner } from '../../clients/web/runtime/runner.js';
import { fromNumbers, toNumbers } from '../../clients/web/runtime/tensor.js';

// A name that is declared must stand here, and one that stands here must be declared.
export const functions: Pick<typeof declared, Exclude<keyof typeof declared, 'Client' | 'NnjitError' | 'Runner'>> =
	{ compare, connect, createRunner, fromNumbers, toNumbers };
export const classes = (client: Client, error: NnjitError, runner: Runner): [declared.Client, declared.NnjitError, declared.Runner] =>
	[client, error, runner];
