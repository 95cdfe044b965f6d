// SPDX-License-Identifier: Apache-2.0
//
// Writes the smallest ONNX model there is for a product: one MatMul node with static shapes, inputs
// a [m,k] and b [k,n], output out [m,n], f32. Protobuf by hand; field numbers are those of onnx.proto.

function varint(value) {
	const bytes = [];
	for (; value > 127; value = Math.floor(value / 128))
		bytes.push(value % 128 + 128);
	return [...bytes, value];
}

const number = (field, value) => [...varint(field * 8), ...varint(value)];
const bytes = (field, content) => [...varint(field * 8 + 2), ...varint(content.length), ...content];
const text = (field, string) => bytes(field, [...new TextEncoder().encode(string)]);

// ValueInfoProto: name = 1, type = 2 { tensor_type = 1 { elem_type = 1, shape = 2 { dim = 1 { dim_value = 1 } } } }
function valueInfo(name, shape) {
	const dims = shape.flatMap(size => bytes(1, number(1, size)));
	const tensor = [...number(1, 1 /* FLOAT */), ...bytes(2, dims)];
	return [...text(1, name), ...bytes(2, bytes(1, tensor))];
}

export function matmulModel({ m, n, k }) {
	// NodeProto: input = 1, output = 2, op_type = 4. GraphProto: node = 1, name = 2, input = 11, output = 12.
	const node = [...text(1, 'a'), ...text(1, 'b'), ...text(2, 'out'), ...text(4, 'MatMul')];
	const graph = [...bytes(1, node), ...text(2, 'matmul'), ...bytes(11, valueInfo('a', [m, k])),
		...bytes(11, valueInfo('b', [k, n])), ...bytes(12, valueInfo('out', [m, n]))];
	// ModelProto: ir_version = 1, producer_name = 2, graph = 7, opset_import = 8 { version = 2 }.
	return Uint8Array.from([...number(1, 8), ...text(2, 'nnjit'), ...bytes(7, graph), ...bytes(8, number(2, 17))]);
}
