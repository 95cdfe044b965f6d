// SPDX-License-Identifier: Apache-2.0
//
// nnjit-web: kernels tuned for this very device, from the nnjitd that runs on it.
//
//   const client = await connect({ adapter });      // null where no daemon is running
//   const kernel = await client.kernel('matmul m=128 n=768 k=768');
//   const runner = await createRunner(device, kernel);
//   runner.run({ a, b, out });
//
// This file is the door; the parts stand beside it.

export { NnjitError } from './problem.js';
export { Runner, createRunner } from './runner.js';
export { fromNumbers, toNumbers } from './tensor.js';
export { Client, connect } from './client.js';
export { compare } from './compare.js';
