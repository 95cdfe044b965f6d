enable f16;
@group(0) @binding(0) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> out: array<vec4<f32>>;
@group(0) @binding(2) var<uniform> dims: vec4<u32>;

@compute @workgroup_size(8, 1, 1)
fn main(@builtin(local_invocation_index) lix: u32) {
	let v0 = vec4<f16>(a[lix]);
	let v1 = vec4<f16>(0x1.998p-4h);
	var v2 = select(v0, v0 * v0, (v0 >= v1) & (!(v0 == round(v0))));
	for (var i3 = 0u; i3 < 4294967295u; i3++) {
		if (i3 >= dims.y) { break; }
		v2 = v1 + v2;
	}
	let v4 = v2;
	let v5 = unpack2x16float(bitcast<u32>(vec2<f16>(v4.x, v4.y)) ^ 2147516416u);
	let v6 = vec4<f32>(v4);
	out[lix] = vec4<f32>(v5.x, v5.y, v6.z, v6.w);
}
