// SPDX-License-Identifier: Apache-2.0
//
// The meaning of matmul in double precision, with its epilogue, and the comparison that the demo page,
// the tests and the benchmarks share. An element's relative error is |got - want| over |want|, or
// over the root mean square of what was checked where |want| is smaller than that: a sum that
// happens to cancel to almost nothing is not held to more digits than its terms have.

/**
 * An operator's fields as numbers and words.
 * @typedef {{ op: string, batch: number, m: number, n: number, k: number, trans_a: number, trans_b: number, bias: number,
 *   residual: number, act: string }} MatmulOp
 * @typedef {Record<string, ArrayLike<number>>} Tensors
 */

/**
 * Operator text ('matmul m=2 n=3 k=4 act=relu') to { op, m, n, k, ... } with the defaults filled in.
 * @param {string} text
 * @returns {MatmulOp}
 */
export function parseOp(text) {
	const [op, ...fields] = text.trim().split(/\s+/);
	/** @type {any} */
	const values = { op, batch: 1, trans_a: 0, trans_b: 0, bias: 0, residual: 0, act: 'none' };
	for (const field of fields) {
		const [name, value] = field.split('=');
		values[name] = /^\d+$/.test(value) ? Number(value) : value;
	}
	return values;
}

/** Abramowitz and Stegun would do for f32; this series and fraction are good to 1e-15. @param {number} x */
function erf(x) {
	const z = Math.abs(x);
	if (z > 6)
		return Math.sign(x);
	if (z < 2.5) {
		let term = x, sum = x;
		for (let n = 1; n < 60; n++) {
			term *= -x * x / n;
			sum += term / (2 * n + 1);
		}
		return sum * 2 / Math.sqrt(Math.PI);
	}
	let fraction = 0;
	for (let n = 60; n > 0; n--)
		fraction = n / 2 / (z + fraction);
	return Math.sign(x) * (1 - Math.exp(-z * z) / (z + fraction) / Math.sqrt(Math.PI));
}

/** @type {Record<string, (x: number) => number>} */
const activations = {
	none: x => x,
	relu: x => Math.max(x, 0),
	gelu: x => 0.5 * x * (1 + erf(x / Math.SQRT2)),
	gelu_tanh: x => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
	silu: x => x / (1 + Math.exp(-x)),
};

/**
 * One element of out, by linear index.
 * @param {MatmulOp} op
 * @param {Tensors} tensors  a, b, bias, residual
 * @param {number} element
 */
export function referenceElement(op, tensors, element) {
	const { m, n, k } = op;
	const column = element % n, row = Math.floor(element / n) % m, batch = Math.floor(element / (n * m));
	const { a, b } = tensors;
	const a0 = batch * m * k + (op.trans_a ? row : row * k), aStep = op.trans_a ? m : 1;
	const b0 = batch * k * n + (op.trans_b ? column * k : column), bStep = op.trans_b ? 1 : n;
	let sum = 0;
	for (let i = 0; i < k; i++)
		sum += a[a0 + i * aStep] * b[b0 + i * bStep];
	if (op.bias)
		sum += tensors.bias[column];
	if (op.residual)
		sum += tensors.residual[element];
	return activations[op.act](sum);
}

/**
 * Which elements to check: all of them where `work` multiply-adds allow it, else the corners, the
 * last row and column, and others spread evenly by a step that shares no factor with a tile.
 * @param {MatmulOp} op
 * @param {number} [work]
 */
export function sampleElements(op, work = 4e6) {
	const { m, n, k, batch } = op;
	const total = m * n * batch, count = Math.max(16, Math.floor(work / k));
	if (total <= count)
		return Uint32Array.from({ length: total }, (_, i) => i);
	const chosen = new Set([0, n - 1, (m - 1) * n, total - 1]);
	for (let i = 0; chosen.size < count / 4 && i < n; i++)
		chosen.add(total - 1 - i);
	for (let i = 0; chosen.size < count / 2 && i < m; i++)
		chosen.add(i * n + n - 1);
	for (let i = 0; chosen.size < count; i++)
		chosen.add((i * 7919 + (i * i) % 31) % total);
	return Uint32Array.from(chosen);
}

/**
 * The reference at `elements`: computed once, compared with many kernels of the same operator.
 * @param {MatmulOp} op
 * @param {Tensors} tensors
 * @param {ArrayLike<number>} elements
 */
export function referenceAt(op, tensors, elements) {
	return Float64Array.from(elements, element => referenceElement(op, tensors, element));
}

const F32_MAX = (2 - 2 ** -23) * 2 ** 127, NEAR = 2 ** -11;

/**
 * How far off a number is: an infinity or a NaN must be one, and so must what f32 cannot hold, but near its end
 * where either will do. The daemon's rule (libjit/reference/compare.c).
 * @param {number} got @param {number} want @param {number} scale
 */
export function relativeError(got, want, scale) {
	const size = Math.abs(want);
	if (Number.isNaN(want))
		return Number.isNaN(got) ? 0 : Infinity;
	if (size > F32_MAX * (1 - NEAR)) {
		const near = size <= F32_MAX * (1 + NEAR) && Math.abs(got) >= F32_MAX * (1 - 2 * NEAR);
		return Math.sign(got) === Math.sign(want) && (Math.abs(got) === Infinity || near) ? 0 : Infinity;
	}
	return Number.isFinite(got) ? Math.abs(got - want) / Math.max(size, scale) : Infinity;
}

/**
 * The greatest relative error, and at which element.
 * @param {ArrayLike<number>} got  all of out
 * @param {Float64Array} want  at `elements`
 * @param {ArrayLike<number>} elements
 */
export function compare(got, want, elements) {
	let square = 0, worst = 0, at = -1;
	for (const value of want)
		square += Number.isFinite(value) ? value * value : 0;
	const scale = Math.sqrt(square / Math.max(want.length, 1)) || 1;
	for (let i = 0; i < want.length; i++) {
		const error = relativeError(got[elements[i]], want[i], scale); // of one never written: it was poisoned with NaN
		if (error > worst) {
			worst = error;
			at = elements[i];
		}
	}
	return { max_rel_err: worst, at, checked: want.length };
}

/** Reproducible inputs in [-1, 1): the same seed gives the same numbers everywhere. @param {number} length @param {number} seed */
export function randomArray(length, seed) {
	const values = new Float32Array(length);
	let state = (seed * 0x9e3779b9 + 1) >>> 0;
	for (let i = 0; i < length; i++) {
		state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
		let x = state ^ state >>> 15;
		x = Math.imul(x, 0x2c1b3c6d);
		values[i] = ((x ^ x >>> 12) >> 0) / 2147483648;
	}
	return values;
}

/**
 * Random inputs for an artifact's bindings, by name; the output is left out.
 * @param {{ bindings: import('../nnjit.d.ts').Binding[] }} artifact
 */
export function randomInputs(artifact, seed = 1) {
	/** @type {Record<string, Float32Array>} */
	const inputs = {};
	for (const { name, type, bytes, binding } of artifact.bindings)
		if (type === 'read-only-storage')
			inputs[name] = randomArray(bytes / 4, seed + binding);
	return inputs;
}

/** @param {MatmulOp} op */
export const flops = op => 2 * op.m * op.n * op.k * op.batch;
