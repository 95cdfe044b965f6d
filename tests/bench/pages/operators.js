// SPDX-License-Identifier: Apache-2.0
//
// What each operator is to each contender of the peers benchmark, one entry an operator: its meaning in
// double for one output element, the TensorFlow.js calls and the ONNX nodes that compute the same. A
// peer gets its data in the layout it likes best; `layouts` says how its tensors' dimensions are ordered,
// seen from nnjit's. Adding an operator to the benchmark is adding an entry.

// 'conv2d c=3 pad=1,1,1,1' to { op: 'conv2d', c: 3, pad: [1, 1, 1, 1] }.
export function parseFields(text) {
	const [op, ...fields] = text.trim().split(/\s+/);
	const values = { op };
	for (const field of fields) {
		const [name, value] = field.split('=');
		const list = value.split(',').map(v => /^-?[\d.]+(e-?\d+)?$/.test(v) ? Number(v) : v);
		values[name] = list.length > 1 ? list : list[0];
	}
	return values;
}

const pair = (value, otherwise) => value === undefined ? [otherwise, otherwise] : Array.isArray(value) ? value : [value, value];
function quad(value) {
	const v = value === undefined ? [0] : [value].flat();
	return v.length === 4 ? v : v.length === 2 ? [v[0], v[1], v[0], v[1]] : [v[0], v[0], v[0], v[0]];
}

// Abramowitz and Stegun would do for f32; this series and fraction are good to 1e-15.
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

const product = shape => shape.reduce((x, y) => x * y, 1);
const batched = (op, shape) => op.batch ? [op.batch, ...shape] : shape;

// ---- Convolutions, NCHW: x [1,c,h,w], w [oc,c/groups,kh,kw].

function window(op) {
	const [kh, kw] = pair(op.kernel, 1), [sh, sw] = pair(op.stride, 1), [top, left, bottom, right] = quad(op.pad);
	const groups = op.groups ?? 1;
	return { kh, kw, sh, sw, top, left, bottom, right, groups, batch: op.batch ?? 1,
		oh: Math.floor((op.h + top + bottom - kh) / sh) + 1, ow: Math.floor((op.w + left + right - kw) / sw) + 1,
		each: op.c / groups, eachOut: op.oc / groups };
}

function convolutionAt(op, { x, w }, element) {
	const g = window(op);
	const ox = element % g.ow, oy = Math.floor(element / g.ow) % g.oh, oc = Math.floor(element / (g.ow * g.oh)) % op.oc;
	const n = Math.floor(element / (g.ow * g.oh * op.oc)), first = Math.floor(oc / g.eachOut) * g.each;
	let sum = 0;
	for (let c = 0; c < g.each; c++)
		for (let ky = 0; ky < g.kh; ky++)
			for (let kx = 0; kx < g.kw; kx++) {
				const iy = oy * g.sh + ky - g.top, ix = ox * g.sw + kx - g.left;
				if (iy >= 0 && iy < op.h && ix >= 0 && ix < op.w)
					sum += x[((n * op.c + first + c) * op.h + iy) * op.w + ix] * w[((oc * g.each + c) * g.kh + ky) * g.kw + kx];
			}
	return sum;
}

function convolutionTf(tf, op, { x, w }) {
	const g = window(op), pad = [[0, 0], [g.top, g.bottom], [g.left, g.right], [0, 0]];
	return g.groups === 1 ? tf.conv2d(x, w, [g.sh, g.sw], pad) : tf.depthwiseConv2d(x, w, [g.sh, g.sw], pad);
}

// ---- The table. shapes: of the inputs as nnjit has them; out: of the output; steps: of one element.

const operators = {
	matmul: {
		shapes: op => ({ a: batched(op, [op.m, op.k]), b: batched(op, op.trans_b ? [op.n, op.k] : [op.k, op.n]) }),
		out: op => batched(op, [op.m, op.n]),
		steps: op => op.k,
		flops: op => 2 * (op.batch ?? 1) * op.m * op.n * op.k,
		at(op, { a, b }, element) {
			const column = element % op.n, row = Math.floor(element / op.n), matrix = Math.floor(row / op.m) * op.k * op.n;
			const first = matrix + (op.trans_b ? column * op.k : column), step = op.trans_b ? 1 : op.n;
			let sum = 0;
			for (let i = 0; i < op.k; i++)
				sum += a[row * op.k + i] * b[first + i * step];
			return sum;
		},
		tf: (tf, op, { a, b }) => tf.matMul(a, b, false, Boolean(op.trans_b)),
		onnx: op => [op.trans_b ? { type: 'Gemm', inputs: ['a', 'b'], output: 'out', attributes: { transB: 1 } } :
			{ type: 'MatMul', inputs: ['a', 'b'], output: 'out' }],
	},
	softmax: {
		shapes: op => ({ x: [op.rows, op.n] }),
		out: op => [op.rows, op.n],
		steps: op => op.n,
		at(op, { x }, element) {
			const row = x.subarray(element - element % op.n, element - element % op.n + op.n);
			const most = row.reduce((a, b) => Math.max(a, b), -Infinity);
			return Math.exp(x[element] - most) / row.reduce((sum, v) => sum + Math.exp(v - most), 0);
		},
		tf: (tf, op, { x }) => tf.softmax(x),
		onnx: () => [{ type: 'Softmax', inputs: ['x'], output: 'out', attributes: { axis: 1 } }],
	},
	layernorm: {
		shapes: op => ({ x: [op.rows, op.n], weight: [op.n], bias: [op.n] }),
		out: op => [op.rows, op.n],
		steps: op => op.n,
		at(op, { x, weight, bias }, element) {
			const column = element % op.n, row = x.subarray(element - column, element - column + op.n);
			const mean = row.reduce((sum, v) => sum + v, 0) / op.n;
			const variance = row.reduce((sum, v) => sum + (v - mean) ** 2, 0) / op.n;
			return (x[element] - mean) / Math.sqrt(variance + (op.eps ?? 1e-5)) * weight[column] + bias[column];
		},
		// As its own layer does: moments, then a batch normalisation.
		tf(tf, op, { x, weight, bias }) {
			const { mean, variance } = tf.moments(x, 1, true);
			return tf.add(tf.mul(tf.mul(tf.sub(x, mean), tf.rsqrt(tf.add(variance, op.eps ?? 1e-5))), weight), bias);
		},
		onnx: op => [{ type: 'LayerNormalization', inputs: ['x', 'weight', 'bias'], output: 'out',
			attributes: { axis: 1, epsilon: { float: op.eps ?? 1e-5 } } }],
	},
	gelu: {
		shapes: op => ({ x: [op.shape].flat() }),
		out: op => [op.shape].flat(),
		steps: () => 10,
		at: (op, { x }, element) => 0.5 * x[element] * (1 + erf(x[element] / Math.SQRT2)),
		tf: (tf, op, { x }) => tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1)),
		onnx: () => [{ type: 'Gelu', inputs: ['x'], output: 'out', domain: 'com.microsoft' }],
	},
	conv2d: {
		shapes: op => ({ x: [op.batch ?? 1, op.c, op.h, op.w], w: [op.oc, window(op).each, window(op).kh, window(op).kw] }),
		out: op => [op.batch ?? 1, op.oc, window(op).oh, window(op).ow],
		steps: op => window(op).each * window(op).kh * window(op).kw,
		flops: op => 2 * window(op).batch * op.oc * window(op).oh * window(op).ow * window(op).each * window(op).kh * window(op).kw,
		at: convolutionAt,
		tf: convolutionTf,
		layouts: { tfjs: op => ({ x: [0, 2, 3, 1], w: (op.groups ?? 1) === 1 ? [2, 3, 1, 0] : [2, 3, 0, 1], out: [0, 2, 3, 1] }) },
		onnx(op) {
			const g = window(op);
			return [{ type: 'Conv', inputs: ['x', 'w'], output: 'out', attributes: { kernel_shape: [g.kh, g.kw],
				strides: [g.sh, g.sw], pads: [g.top, g.left, g.bottom, g.right], group: g.groups } }];
		},
		others: { nchw: { provider: { preferredLayout: 'NCHW' } } }, // without the transposes that NHWC puts around it
	},
	// ONNX Runtime's own MultiHeadAttention gives wrong numbers on SwiftShader; three nodes do not.
	attention: {
		shapes: op => Object.fromEntries([['q', op.q], ['k', op.kv], ['v', op.kv]].map(
			([name, length]) => [name, [op.batch ?? 1, length, op.heads, op.dim]])),
		out: op => [op.batch ?? 1, op.q, op.heads, op.dim],
		steps: op => op.kv * op.dim,
		flops: op => 4 * (op.batch ?? 1) * op.heads * op.q * op.kv * op.dim,
		at(op, { q, k, v }, element) {
			const d = element % op.dim, head = Math.floor(element / op.dim) % op.heads;
			const row = Math.floor(element / (op.dim * op.heads)), batch = Math.floor(row / op.q);
			const scores = Array.from({ length: op.kv }, (_, j) => {
				let sum = 0;
				for (let i = 0; i < op.dim; i++)
					sum += q[(row * op.heads + head) * op.dim + i] * k[((batch * op.kv + j) * op.heads + head) * op.dim + i];
				return sum / Math.sqrt(op.dim);
			});
			const most = Math.max(...scores), e = scores.map(s => Math.exp(s - most));
			const value = e.reduce((sum, p, j) => sum + p * v[((batch * op.kv + j) * op.heads + head) * op.dim + d], 0);
			return value / e.reduce((sum, p) => sum + p, 0);
		},
		tf: (tf, op, { q, k, v }) =>
			tf.matMul(tf.softmax(tf.mul(tf.matMul(q, k, false, true), 1 / Math.sqrt(op.dim))), v),
		layouts: {
			tfjs: () => ({ q: [0, 2, 1, 3], k: [0, 2, 1, 3], v: [0, 2, 1, 3], out: [0, 2, 1, 3] }),
			ort: () => ({ q: [0, 2, 1, 3], k: [0, 2, 3, 1], v: [0, 2, 1, 3], out: [0, 2, 1, 3] }),
		},
		scalars: op => ({ scale: 1 / Math.sqrt(op.dim) }),
		onnx: () => [{ type: 'MatMul', inputs: ['q', 'k'], output: 'scores' },
			{ type: 'Mul', inputs: ['scores', 'scale'], output: 'scaled' },
			{ type: 'Softmax', inputs: ['scaled'], output: 'weights', attributes: { axis: 3 } },
			{ type: 'MatMul', inputs: ['weights', 'v'], output: 'out' }],
		others: { fused: { entry: {
			scalars: undefined,
			layouts: {},
			flat: true,
			onnx: op => [{ type: 'MultiHeadAttention', inputs: ['q', 'k', 'v'], output: 'out', domain: 'com.microsoft',
				attributes: { num_heads: op.heads } }],
		} } },
	},
};

// The one element type that all tensors of an operator have here.
const dtypeOf = op => op.dtype ?? op.a ?? 'f32';

export function operatorOf(text) {
	const op = parseFields(text), entry = operators[op.op];
	if (!entry)
		throw new Error(`the benchmark knows no '${op.op}'; it knows ${Object.keys(operators).join(', ')}`);
	return { op, entry, dtype: dtypeOf(op), shapes: entry.shapes(op), out: entry.out(op), elements: product(entry.out(op)) };
}

// The ways to put an operator to ONNX Runtime, by name: { task, provider }.
export function withOrt(task) {
	const others = Object.entries(task.entry.others ?? {}).map(([name, { entry, provider }]) =>
		[`ort_${name}`, { task: { ...task, entry: { ...task.entry, ...entry } }, provider }]);
	return Object.fromEntries([['ort', { task }], ...others]);
}

// [batch, length, heads, dim] as some nodes want it: heads and dim in one.
const flattened = ({ entry }, shape) => entry.flat ? [...shape.slice(0, 2), shape[2] * shape[3]] : shape;

const layout = ({ op, entry }, peer) => entry.layouts?.[peer]?.(op) ?? {};

// The inputs, and the output's shape, as a peer likes them: { name: { values, shape } }.
export function inputsFor(task, peer, inputs) {
	const order = layout(task, peer);
	return Object.fromEntries(Object.entries(task.shapes).map(([name, shape]) =>
		[name, order[name] ? permuted(inputs[name], shape, order[name]) : { values: inputs[name], shape: flattened(task, shape) }]));
}

export const outputShapeFor = (task, peer) => layout(task, peer).out?.map(i => task.out[i]) ?? flattened(task, task.out);

// A peer's output in nnjit's order.
export function outputFrom(task, peer, values) {
	const { out } = layout(task, peer);
	return out ? permuted(values, out.map(i => task.out[i]), out.map((_, i) => out.indexOf(i))).values : values;
}

// Up to about `work` steps of elements: all, or corners and others spread evenly.
export function sampleOf({ op, entry, elements }, work = 4e6) {
	const count = Math.max(64, Math.floor(work / entry.steps(op)));
	if (elements <= count)
		return Uint32Array.from({ length: elements }, (_, i) => i);
	const chosen = new Set([0, elements - 1]);
	for (let i = 0; chosen.size < count; i++)
		chosen.add((i * 7919 + (i * i) % 31) % elements);
	return Uint32Array.from(chosen);
}

// Values with their dimensions in another order, row-major both.
function permuted(values, shape, perm) {
	const strides = shape.map((_, i) => product(shape.slice(i + 1)));
	const to = perm.map(i => shape[i]), steps = perm.map(i => strides[i]);
	const out = new values.constructor(values.length), at = new Array(to.length).fill(0);
	for (let i = 0, from = 0; i < out.length; i++) {
		out[i] = values[from];
		for (let d = to.length - 1; d >= 0; d--) {
			from += steps[d];
			if (++at[d] < to[d])
				break;
			from -= steps[d] * to[d];
			at[d] = 0;
		}
	}
	return { values: out, shape: to };
}
