// SPDX-License-Identifier: Apache-2.0
//
// Makes the pipeline of a kernel artifact. Refuses a device that lacks what the kernel needs, before WebGPU
// would. Knows nothing of buffers.

import { NnjitError } from '../connect/problem.js';

/** @import { Artifact, Kernel } from '../nnjit.d.ts' */

/**
 * A pipeline and the layout of its bind group.
 * @typedef {{ layout: GPUBindGroupLayout, pipeline: GPUComputePipeline }} Pipeline
 */

/** @param {GPUDevice} device @param {Artifact} artifact */
function checkFeatures(device, artifact) {
	const { required_features = [], required_language_features = [] } = /** @type {Partial<Kernel>} */ (/** @type {unknown} */ (artifact));
	for (const feature of required_features)
		if (!device.features.has(feature))
			throw new NnjitError('missing-feature', `The kernel needs the feature '${feature}': request it ` +
				'with requestDevice({ requiredFeatures }).', { field: feature });
	const language = globalThis.navigator?.gpu?.wgslLanguageFeatures;
	for (const feature of required_language_features)
		if (language && !language.has(feature))
			throw new NnjitError('missing-feature', `The kernel needs the WGSL feature '${feature}', which this browser lacks: ` +
				'ask for one without it.', { field: feature });
}

/**
 * Throws 'missing-feature' where the device lacks a feature or a limit.
 * @param {GPUDevice} device
 * @param {Artifact} artifact
 */
export function checkDevice(device, artifact) {
	const limits = /** @type {Record<string, any>} */ (device.limits);
	checkFeatures(device, artifact);
	for (const [limit, value] of Object.entries(artifact.required_limits ?? {}))
		if (!(limits[limit] >= value))
			throw new NnjitError('missing-feature', `The kernel needs ${limit} of ${value}, the device has ` +
				`${limits[limit]}: request it with requestDevice({ requiredLimits }).`, { field: limit });
}

/**
 * Rejects with 'bad-kernel' where WebGPU refuses the code.
 * @param {GPUDevice} device
 * @param {Kernel} artifact
 * @returns {Promise<Pipeline>}
 */
export async function createPipeline(device, artifact) {
	const layout = device.createBindGroupLayout({
		label: artifact.op,
		entries: artifact.bindings.map(({ binding, type }) =>
			({ binding, visibility: GPUShaderStage.COMPUTE, buffer: { type } })),
	});
	try {
		const pipeline = await device.createComputePipelineAsync({
			label: artifact.op,
			layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
			compute: {
				module: device.createShaderModule({ label: artifact.op, code: artifact.code }),
				entryPoint: artifact.entry_point,
			},
		});
		return { layout, pipeline };
	} catch (cause) {
		const { message } = /** @type {Error} */ (cause);
		throw new NnjitError('bad-kernel', `WebGPU refused the kernel of ${artifact.op}: ${message}`, { cause });
	}
}
