@group(0) @binding(0) var<storage, read> a: array<f32, 96>;
@group(0) @binding(1) var<storage, read_write> out: array<f32, 32>;
var<workgroup> tile0: array<f32, 8>;

@compute @workgroup_size(8, 1, 1)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_id) lid: vec3<u32>) {
	let wx = min(wid.x, 3u);
	var v0 = 0.0f;
	for (var k1 = 0u; k1 < 3u; k1++) {
		let i1 = lid.x + k1 * 8u;
		v0 = a[i1 + (wx * 24u)] + v0;
	}
	for (var k2 = 0u; k2 < 3u; k2++) {
		let i2 = lid.x + k2 * 8u;
		if (i2 >= 20u) { break; }
		v0 = a[i2] + v0;
	}
	tile0[lid.x] = v0;
	workgroupBarrier();
	out[lid.x + (wx << 3u)] = tile0[min((lid.x + 3u) & 7u, 7u)];
}
