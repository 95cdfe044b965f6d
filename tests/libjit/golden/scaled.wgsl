@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(4, 2, 2)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) lix: u32) {
	let v0 = (wid.x << 4u) + lix;
	let v1 = a[v0];
	if (v1 >= 0.0f) {
		out[v0] = fma(v1, 0x1.99999ap-4f, -3.5f);
	} else {
		out[v0] = v1 / 0x1.79ca1p-67f;
	}
}
