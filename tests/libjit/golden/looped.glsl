#version 450
layout(local_size_x = 8, local_size_y = 1, local_size_z = 1) in;
layout(set = 0, binding = 0, std430) readonly buffer Binding0 { float b_a[]; };
layout(set = 0, binding = 1, std430) buffer Binding1 { float b_out[]; };

void main()
{
	float v0 = 0.0;
	float v1 = 1.0;
	for (uint i2 = 4u; i2 < 64u; i2 += 8u) {
		float v3 = b_a[i2 + (gl_LocalInvocationID.x & 3u)];
		float v4 = v1;
		v1 = v3;
		v0 = fma(v3, v4, v0);
	}
	for (uint i5 = gl_LocalInvocationID.x; i5 < 8u; i5++) {
		uint v6 = gl_LocalInvocationID.x + i5;
		for (uint i7 = 0u; i7 < v6; i7 += 2u) {
			v0 = float(i5 + i7) + v0;
		}
	}
	b_out[gl_LocalInvocationID.x] = v0;
}
