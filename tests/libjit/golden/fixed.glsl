#version 450
layout(local_size_x = 8, local_size_y = 1, local_size_z = 1) in;
layout(set = 0, binding = 0, std430) readonly buffer Binding0 { float b_a[]; };
layout(set = 0, binding = 1, std430) buffer Binding1 { float b_out[]; };
shared float tile0[8];

void main()
{
	float v0 = 0.0;
	for (uint i1 = gl_LocalInvocationID.x; i1 < 24u; i1 += 8u) {
		v0 = b_a[i1 + (gl_WorkGroupID.x * 24u)] + v0;
	}
	for (uint i2 = gl_LocalInvocationID.x; i2 < 20u; i2 += 8u) {
		v0 = b_a[i2] + v0;
	}
	tile0[gl_LocalInvocationID.x] = v0;
	barrier();
	b_out[gl_LocalInvocationID.x + (gl_WorkGroupID.x << 3u)] = tile0[(gl_LocalInvocationID.x + 3u) & 7u];
}
