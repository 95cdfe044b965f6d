#version 450
layout(local_size_x = 4, local_size_y = 2, local_size_z = 2) in;
layout(set = 0, binding = 0, std430) readonly buffer Binding0 { float b_a[]; };
layout(set = 0, binding = 1, std430) buffer Binding1 { float b_out[]; };

void main()
{
	uint v0 = (gl_WorkGroupID.x << 4u) + gl_LocalInvocationIndex;
	float v1 = b_a[v0];
	if (v1 >= 0.0) {
		b_out[v0] = fma(v1, uintBitsToFloat(1036831949u), -3.5);
	} else {
		b_out[v0] = v1 / uintBitsToFloat(507307272u);
	}
}
