// SPDX-License-Identifier: Apache-2.0
//
// Writes small ONNX models: a list of nodes over inputs of static shapes, all of one type (f32 or f16), one
// output. Protobuf by hand; field numbers are those of onnx.proto.

import { fromNumbers } from '/web/runtime/tensor.js';

const TYPES = { f32: 1, f16: 10 };

function varint(value) {
	const bytes = [];
	for (; value > 127; value = Math.floor(value / 128))
		bytes.push(value % 128 + 128);
	return [...bytes, value];
}

const number = (field, value) => [...varint(field * 8), ...varint(value)];
const bytes = (field, content) => [...varint(field * 8 + 2), ...varint(content.length), ...content];
const text = (field, string) => bytes(field, [...new TextEncoder().encode(string)]);
const float = (field, value) => [...varint(field * 8 + 5), ...new Uint8Array(new Float32Array([value]).buffer)];

// ValueInfoProto: name = 1, type = 2 { tensor_type = 1 { elem_type = 1, shape = 2 { dim = 1 { dim_value = 1 } } } }
function valueInfo(name, shape, dtype) {
	const dims = shape.flatMap(size => bytes(1, number(1, size)));
	const tensor = [...number(1, TYPES[dtype]), ...bytes(2, dims)];
	return [...text(1, name), ...bytes(2, bytes(1, tensor))];
}

// AttributeProto: name = 1, f = 2, i = 3, ints = 8, type = 20 (FLOAT 1, INT 2, INTS 7). A float is
// written { float: 1e-5 }.
function attribute(name, value) {
	if (Array.isArray(value))
		return [...text(1, name), ...value.flatMap(v => number(8, v)), ...number(20, 7)];
	if (typeof value === 'object')
		return [...text(1, name), ...float(2, value.float), ...number(20, 1)];
	return [...text(1, name), ...number(3, value), ...number(20, 2)];
}

// NodeProto: input = 1, output = 2, op_type = 4, attribute = 5, domain = 7.
function node({ type, inputs, output, attributes = {}, domain }) {
	return [...inputs.flatMap(name => text(1, name)), ...text(2, output), ...text(4, type),
		...Object.entries(attributes).flatMap(([name, value]) => bytes(5, attribute(name, value))),
		...(domain ? text(7, domain) : [])];
}

// TensorProto: data_type = 2, name = 8, raw_data = 9; no dims: a scalar.
function scalar(name, value, dtype) {
	const raw = new Uint8Array(fromNumbers(dtype, [value]).buffer).slice(0, dtype === 'f16' ? 2 : 4);
	return [...number(2, TYPES[dtype]), ...text(8, name), ...bytes(9, [...raw])];
}

// dtype: of everything; inputs: { name: shape }; scalars: { name: value }; output: { name, shape }; nodes: [{ type, inputs, output, attributes, domain }].
export function onnxModel({ dtype = 'f32', inputs, scalars = {}, output, nodes }) {
	// GraphProto: node = 1, name = 2, initializer = 5, input = 11, output = 12.
	const graph = [...nodes.flatMap(n => bytes(1, node(n))), ...text(2, 'bench'),
		...Object.entries(scalars).flatMap(([name, value]) => bytes(5, scalar(name, value, dtype))),
		...Object.entries(inputs).flatMap(([name, shape]) => bytes(11, valueInfo(name, shape, dtype))),
		...bytes(12, valueInfo(output.name, output.shape, dtype))];
	// ModelProto: ir_version = 1, producer_name = 2, graph = 7, opset_import = 8 { domain = 1, version = 2 }.
	return Uint8Array.from([...number(1, 9), ...text(2, 'nnjit'), ...bytes(7, graph), ...bytes(8, number(2, 20)),
		...bytes(8, [...text(1, 'com.microsoft'), ...number(2, 1)])]);
}
