#version 450
#extension GL_EXT_shader_16bit_storage : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
layout(local_size_x = 8, local_size_y = 1, local_size_z = 1) in;
layout(set = 0, binding = 0, std430) readonly buffer Binding0 { vec4 b_a[]; };
layout(set = 0, binding = 1, std430) buffer Binding1 { vec4 b_out[]; };
layout(set = 0, binding = 2, std140) uniform Dims { uvec4 dims; };

void main()
{
	f16vec4 v0 = f16vec4(b_a[gl_LocalInvocationIndex]);
	f16vec4 v1 = f16vec4(float16_t(uintBitsToFloat(1036828672u)));
	f16vec4 v2 = mix(v0, v0 * v0, mix(bvec4(false), not(equal(v0, roundEven(v0))), greaterThanEqual(v0, v1)));
	for (uint i3 = 0u; i3 < dims.y; i3++) {
		v2 = v1 + v2;
	}
	f16vec4 v4 = v2;
	vec2 v5 = unpackHalf2x16(packFloat2x16(f16vec2(v4.x, v4.y)) ^ 2147516416u);
	vec4 v6 = vec4(v4);
	b_out[gl_LocalInvocationIndex] = vec4(v5.x, v5.y, v6.z, v6.w);
}
