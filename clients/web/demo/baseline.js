// SPDX-License-Identifier: Apache-2.0
//
// The kernel that speedups are stated against: the static matmul that engines ship today. 8x8
// invocations, each 4x4 elements, K staged by 32 through workgroup memory. Any m, n, k; the edges
// are guarded. Plain a x b, as the demo page runs it; gives an artifact in the daemon's format.

const TILE = 32; // elements of out along m and n, and of k, that a workgroup handles at a time

const range4 = [0, 1, 2, 3];
/** Four lines, numbered. @param {number} indent @param {(i: number) => string} write */
const lines = (indent, write) => range4.map(write).join(`\n${'\t'.repeat(indent)}`);

// Accumulators are named and loops over them written out: engines' kernels are no worse than that.
/** @param {{ m: number, n: number, k: number }} op */
function body({ m, n, k }) {
	return `@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

var<workgroup> a_tile: array<f32, ${TILE * TILE}>;
var<workgroup> b_tile: array<vec4<f32>, ${TILE * TILE / 4}>;

fn load_a(row: u32, column: u32) -> f32 {
	if (row < ${m}u && column < ${k}u) { return a[row * ${k}u + column]; }
	return 0.0;
}
fn load_b(row: u32, column: u32) -> f32 {
	if (row < ${k}u && column < ${n}u) { return b[row * ${n}u + column]; }
	return 0.0;
}
fn store(row: u32, column: u32, value: f32) {
	if (row < ${m}u && column < ${n}u) { out[row * ${n}u + column] = value; }
}
fn store4(row: u32, column: u32, value: vec4<f32>) {
	${lines(1, x => `store(row, column + ${x}u, value[${x}]);`)}
}

@compute @workgroup_size(8, 8, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>,
        @builtin(local_invocation_index) index: u32) {
	let row0 = group.y * ${TILE}u;
	let column0 = group.x * ${TILE}u;
	${lines(1, y => `var sum${y} = vec4<f32>();`)}
	for (var k0 = 0u; k0 < ${k}u; k0 += ${TILE}u) {
		for (var i = index; i < ${TILE * TILE}u; i += 64u) {
			a_tile[i] = load_a(row0 + i / ${TILE}u, k0 + i % ${TILE}u);
		}
		for (var i = index; i < ${TILE * TILE / 4}u; i += 64u) {
			let row = k0 + i / ${TILE / 4}u;
			let column = column0 + i % ${TILE / 4}u * 4u;
			b_tile[i] = vec4<f32>(load_b(row, column), load_b(row, column + 1u), load_b(row, column + 2u), load_b(row, column + 3u));
		}
		workgroupBarrier();
		for (var step = 0u; step < ${TILE}u; step++) {
			let b_row = b_tile[step * ${TILE / 4}u + local.x];
			${lines(3, y => `sum${y} += a_tile[(local.y * 4u + ${y}u) * ${TILE}u + step] * b_row;`)}
		}
		workgroupBarrier();
	}
	${lines(1, y => `store4(row0 + local.y * 4u + ${y}u, column0 + local.x * 4u, sum${y});`)}
}
`;
}

/** @param {{ m: number, n: number, k: number }} op  of an operator only these count @returns {any} */
export function baselineArtifact({ m, n, k }) {
	/** @param {number} binding @param {string} name @param {string} type @param {number[]} shape */
	const tensor = (binding, name, type, shape) =>
		({ binding, name, type, dtype: 'f32', shape, bytes: 4 * shape[0] * shape[1] });
	return {
		op: `matmul m=${m} n=${n} k=${k}`, target: 'wgsl', profile: 'web', code: body({ m, n, k }),
		entry_point: 'main', workgroup_size: [8, 8, 1],
		workgroups: [Math.ceil(n / TILE), Math.ceil(m / TILE), 1],
		bindings: [tensor(0, 'a', 'read-only-storage', [m, k]), tensor(1, 'b', 'read-only-storage', [k, n]),
			tensor(2, 'out', 'storage', [m, n])],
		required_features: [], required_limits: {},
		schedule: 'wg_x=8 wg_y=8 tile_m=4 tile_n=4 k_step=32 stage_a=1 stage_b=1', status: 'baseline',
	};
}
