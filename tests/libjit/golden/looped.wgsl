@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(8, 1, 1)
fn main(@builtin(local_invocation_id) lid: vec3<u32>) {
	var v0 = 0.0f;
	var v1 = 1.0f;
	for (var k2 = 0u; k2 < 8u; k2++) {
		let i2 = 4u + k2 * 8u;
		let v3 = a[i2 + (lid.x & 3u)];
		let v4 = v1;
		v1 = v3;
		v0 = fma(v3, v4, v0);
	}
	for (var i5 = lid.x; i5 < 8u; i5++) {
		let v6 = lid.x + i5;
		for (var i7 = 0u; i7 < v6; i7 += 2u) {
			v0 = f32(i5 + i7) + v0;
		}
	}
	out[lid.x] = v0;
}
