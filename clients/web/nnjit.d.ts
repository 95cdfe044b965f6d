// SPDX-License-Identifier: Apache-2.0
//
// Types of nnjit-web. GPU* types are those of @webgpu/types or of TypeScript's own DOM library; what the
// daemon answers with is in protocol.d.ts.

import type { DType, Kernel, KernelInSteps, LeadersAnswer, PrefetchProgress, Progress, ReportAnswer } from './protocol.js';
export * from './protocol.js';

/** All that it takes to run an operator: a kernel, or several in steps. */
export type Artifact = Kernel | KernelInSteps;

/** The operator in its text form ('matmul m=?128 n=256 k=256 act=relu') or as an object. */
export type Op = string | OpObject;

/**
 * An operator's name and its fields (`nnjitctl help ops`, docs/OPERATORS.md). A dimension left open is text:
 * '?128', '?64..4096'. Where the text form has a list, an array will do.
 */
export interface OpObject {
	op: string;
	[field: string]: OpValue | OpValue[];
}
export type OpValue = number | string | boolean;

export type AbsenceReason = 'refused' | 'timeout' | 'denied' | 'not-nnjit' | 'wrong-origin' | 'origin-denied' | 'pending' | 'aborted' |
	(string & {});

export interface ConnectOptions {
	/** The daemon's WebSocket; ws://127.0.0.1:6174/v1/ws. */
	url?: string;
	/** The page's adapter and device: either tells the daemon which GPU kernels are for; the device also its limits. */
	adapter?: GPUAdapter;
	device?: GPUDevice;
	/** How long to look for a daemon; 300. */
	timeoutMs?: number;
	/** How long to wait for a user whom the browser asks first; 30000. 0: rather do without. */
	promptMs?: number;
	/**
	 * How long to wait for the owner of the device to let this page's origin in, where that was not decided yet; for
	 * ever if left out. 0: rather do without. onStatus hears when the waiting begins and when it ends well.
	 */
	pendingMs?: number;
	onStatus?: (change: { status: 'pending' | 'approved' }) => void;
	signal?: AbortSignal;
	/** Connect again, with back-off, when the connection is lost; true. */
	reconnect?: boolean;
	/** Hears why the answer is null. */
	onAbsent?: (reason: AbsenceReason) => void;
}

/** A client, or null where no daemon can be used. Does not throw for absence. */
export function connect(options?: ConnectOptions): Promise<Client | null>;

export interface KernelOptions {
	/** Id or unique part of the name of a device; else the page's own. */
	device?: string;
	target?: 'wgsl' | 'spirv';
	/** How often it will be run; left out, so often that compiling does not count. */
	runs?: number;
	/** An input that stays the same, as weights do: the answer may have a step that lays it out anew, once (Runner.prepare). */
	constant?: string;
	signal?: AbortSignal;
}

export interface WatchOptions extends KernelOptions {
	/** Measure although it is tuned. */
	again?: boolean;
	onProgress?: (progress: Progress) => void;
}

/** Events: 'statechange', a CustomEvent whose detail is the new state. */
export class Client extends EventTarget {
	private constructor();
	/** The daemon's device that is the page's adapter; null where it knows none. */
	readonly device: { id: string; name: string } | null;
	readonly reason: string | null;
	readonly version: string | null;
	/** pending: the connection was lost, and the device's owner has to let this origin in again. */
	readonly state: 'open' | 'reconnecting' | 'pending' | 'closed';
	readonly transport: 'websocket' | 'fetch';
	kernel(op: Op, options?: KernelOptions): Promise<Artifact>;
	/** The kernel for dimensions that may lie beyond what it was verified for: itself, or the operator's anew, tuned as they are. */
	kernelFor(kernel: Artifact, dims: Dims, options?: KernelOptions): Promise<Artifact>;
	/** What is known now, then each improvement; ends with the tuned kernel. */
	watch(op: Op, options?: WatchOptions): AsyncGenerator<Artifact, void, void>;
	prefetch(ops: Op[], onProgress?: (progress: PrefetchProgress) => void,
		options?: { device?: string; signal?: AbortSignal }): Promise<PrefetchProgress>;
	/** What the page measured; dispatches: in each sample (1); quantum_ns: the steps of its clock (100000). */
	report(kernel: Kernel, timing: { median_ns: number; samples: number; dispatches?: number; quantum_ns?: number }): Promise<ReportAnswer>;
	/** The kernel and those within 5% of it by the daemon's own measure. */
	leaders(op: Op, options?: KernelOptions): Promise<LeadersAnswer>;
	call(method: string, params?: object, signal?: AbortSignal): Promise<unknown>;
	close(): void;
}

export interface CompareOptions {
	/** To time with; else new ones, all zeros. */
	buffers?: Buffers;
	/** Of each kernel, in turns; 9. */
	samples?: number;
	/** How long one is; 20. */
	budgetMs?: number;
	device?: string;
	signal?: AbortSignal;
}

/**
 * Times the daemon's leading kernels of an operator here and reports what it saw, which settles near-ties for
 * this page's origin. Needs 'timestamp-query'; without it, nothing is timed.
 */
export function compare(client: Client, gpuDevice: GPUDevice, op: Op, options?: CompareOptions): Promise<{
	kernel: Artifact;
	timings: { schedule: string; median_ns: number; samples: number; dispatches: number; quantum_ns: number }[];
}>;

export type Buffers = Record<string, GPUBuffer> | GPUBuffer[];

/** What the open dimensions are now: by name, or in the artifact's order. Left out: as they are tuned. */
export type Dims = Record<string, number> | number[];

/** Elements as they lie in memory: bytes for u4, bits for f16 where there is no Float16Array. */
export type TensorArray = Float32Array | Int32Array | Uint32Array | Int8Array | Uint8Array | Uint16Array;

export interface Timing {
	median_ns: number;
	mad_ns: number;
	min_ns: number;
	samples: number;
	/** Dispatches in each sample. */
	dispatches: number;
	source: 'timestamp-query' | 'queue';
}

/** Makes the pipelines; rejects with an NnjitError ('bad-kernel', 'missing-feature'). */
export function createRunner(device: GPUDevice, kernel: Artifact): Promise<Runner>;

export class Runner {
	private constructor();
	readonly artifact: Artifact;
	/** Of an artifact with steps, of the first that every run runs; the same for bindGroup(). */
	readonly pipeline: GPUComputePipeline;
	/** Buffers for every tensor, by name, filled where data is given; the caller destroys them. */
	allocate(inputs?: Record<string, ArrayBufferView | GPUBuffer>, dims?: Dims): Record<string, GPUBuffer>;
	/** Runs what is run once: the buffers, with a new one, `scratch`, for what it made. The constant inputs are not read after it. */
	prepare(buffers: Record<string, GPUBuffer>): Promise<Record<string, GPUBuffer>>;
	bindGroup(buffers: Buffers, dims?: Dims): GPUBindGroup;
	/** Records into an encoder or an open pass; with neither, submits. Throws 'bad-dims' for a value out of range. */
	run(buffers: Buffers, into?: GPUCommandEncoder | GPUComputePassEncoder | null, dims?: Dims): void;
	time(buffers: Buffers, options?: { samples?: number; budgetMs?: number; warmup?: boolean; dims?: Dims }): Promise<Timing>;
	/** The elements of the tensor `name` (the output), as the array that fits its type. */
	read(buffer: GPUBuffer, name?: string, dims?: Dims): Promise<TensorArray>;
	destroy(): void;
}

/** Numbers as an element type's bytes, packed and filled up to a whole word: what allocate() takes. */
export function fromNumbers(dtype: DType, numbers: ArrayLike<number>): TensorArray;
/** What read() gave, as plain numbers: u4 unpacked, f16 decoded. */
export function toNumbers(dtype: DType, values: TensorArray): Float64Array;

/** Every failure. `code` is stable: the daemon's codes, or one of the client's own. */
export class NnjitError extends Error {
	readonly code: string;
	readonly field: string;
	readonly detail: string;
	readonly status: number;
}
