// SPDX-License-Identifier: Apache-2.0
//
// nnjit-web: kernels tuned for this very device, from the nnjitd that runs on it.
//
//   const client = await connect({ adapter });      // null where no daemon is running
//   const kernel = await client.kernel('matmul m=128 n=768 k=768');
//   const runner = await createRunner(device, kernel);
//   runner.run({ a, b, out });
//
// This file is the door and nothing else: what it names, nnjit.d.ts declares.

export { NnjitError } from './connect/problem.js';
export { Client, connect } from './connect/client.js';
export { Runner, createRunner } from './runtime/runner.js';
export { fromNumbers, toNumbers } from './runtime/tensor.js';
export { compare } from './runtime/compare.js';
