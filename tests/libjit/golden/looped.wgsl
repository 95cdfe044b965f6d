@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(8, 1, 1)
fn main(@builtin(local_invocation_id) lid: vec3<u32>) {
	var v0 = 0.0f;
	var v1 = 1.0f;
	for (var k2 = 0u; k2 < 8u; k2++) {
		let i2 = 4u + k2 * 8u;
		let v3 = a[i2 + min(lid.x & 3u, 3u)];
		let v4 = v1;
		v1 = v3;
		v0 = fma(v3, v4, v0);
	}
	for (var k5 = 0u; k5 < 8u; k5++) {
		let i5 = lid.x + k5;
		if (i5 >= 8u) { break; }
		let v6 = lid.x + i5;
		for (var k7 = 0u; k7 < 4294967295u; k7++) {
			let i7 = k7 * 2u;
			if (i7 >= v6) { break; }
			v0 = f32(i5 + i7) + v0;
		}
	}
	out[lid.x] = v0;
}
