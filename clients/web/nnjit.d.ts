// SPDX-License-Identifier: Apache-2.0
//
// Types of nnjit-web. GPU* types are those of @webgpu/types or of TypeScript's own DOM library.

export type ActivationName = 'none' | 'relu' | 'gelu' | 'gelu_tanh' | 'silu';

/** The operator in its text form ('matmul m=256 n=256 k=256 act=relu') or as an object. */
export type Op = string | MatmulOp;

export interface MatmulOp {
	op: 'matmul';
	m: number;
	n: number;
	k: number;
	a?: 'f32';
	b?: 'f32';
	out?: 'f32';
	batch?: number;
	trans_a?: 0 | 1;
	trans_b?: 0 | 1;
	bias?: 0 | 1;
	residual?: 0 | 1;
	act?: ActivationName;
}

export interface Binding {
	binding: number;
	name: string;
	type: 'read-only-storage' | 'storage' | 'uniform';
	dtype: string;
	shape: number[];
	bytes: number;
}

export interface Progress {
	measured: number;
	of: number;
}

/** Of the operators of a prefetch, how many have ended; `op` is the one that did last. */
export interface PrefetchProgress {
	done: number;
	of: number;
	failed: number;
	op?: string;
}

/** How the daemon timed the kernel on the device; zeros while it is only predicted. */
export interface DaemonTiming {
	median_ns: number;
	mad_ns: number;
	samples: number;
	gflops: number;
	/** Share of the device's own limit, 0 to 1. */
	roofline: number;
	/** The static kernel (8x8 threads, 4x4 elements) on the same device in the same session. */
	baseline_ns: number;
}

/** All that it takes to run a kernel. */
export interface Kernel {
	op: string;
	key: string;
	device: string;
	target: 'wgsl' | 'spirv';
	profile: string;
	/** WGSL, or SPIR-V in base64. */
	code: string;
	entry_point: string;
	workgroup_size: [number, number, number];
	workgroups: [number, number, number];
	bindings: Binding[];
	required_features: string[];
	required_limits: Record<string, number>;
	schedule: string;
	status: 'predicted' | 'tuning' | 'tuned' | 'stale';
	progress: Progress;
	timing: DaemonTiming;
	verified: { max_rel_err: number; checked: number };
}

export type AbsenceReason = 'refused' | 'timeout' | 'denied' | 'not-nnjit' | 'wrong-origin' | 'aborted' | (string & {});

export interface ConnectOptions {
	/** The daemon's WebSocket; ws://127.0.0.1:6174/v1/ws. */
	url?: string;
	/** The page's adapter and device: either tells the daemon which GPU kernels are for. */
	adapter?: GPUAdapter;
	device?: GPUDevice;
	/** How long to look for a daemon; 300. */
	timeoutMs?: number;
	/** How long to wait for a user whom the browser asks first; 30000. 0: rather do without. */
	promptMs?: number;
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
	readonly state: 'open' | 'reconnecting' | 'closed';
	readonly transport: 'websocket' | 'fetch';
	kernel(op: Op, options?: KernelOptions): Promise<Kernel>;
	/** What is known now, then each improvement; ends with the tuned kernel. */
	watch(op: Op, options?: WatchOptions): AsyncGenerator<Kernel, void, void>;
	prefetch(ops: Op[], onProgress?: (progress: PrefetchProgress) => void,
		options?: { device?: string; signal?: AbortSignal }): Promise<PrefetchProgress>;
	report(kernel: Kernel, timing: { median_ns: number; samples: number }): Promise<unknown>;
	call(method: string, params?: object, signal?: AbortSignal): Promise<unknown>;
	close(): void;
}

export type Buffers = Record<string, GPUBuffer> | GPUBuffer[];

export interface Timing {
	median_ns: number;
	mad_ns: number;
	min_ns: number;
	samples: number;
	/** Dispatches in each sample. */
	dispatches: number;
	source: 'timestamp-query' | 'queue';
}

/** Makes the pipeline; rejects with an NnjitError ('bad-kernel', 'missing-feature'). */
export function createRunner(device: GPUDevice, kernel: Kernel): Promise<Runner>;

export class Runner {
	private constructor();
	readonly artifact: Kernel;
	readonly pipeline: GPUComputePipeline;
	/** Buffers for every binding, by name, filled where data is given; the caller destroys them. */
	allocate(inputs?: Record<string, ArrayBufferView | GPUBuffer>): Record<string, GPUBuffer>;
	bindGroup(buffers: Buffers): GPUBindGroup;
	/** Records into an encoder or an open pass; with neither, submits. */
	run(buffers: Buffers, into?: GPUCommandEncoder | GPUComputePassEncoder): void;
	time(buffers: Buffers, options?: { samples?: number; budgetMs?: number; warmup?: boolean }): Promise<Timing>;
	read(buffer: GPUBuffer): Promise<Float32Array>;
	destroy(): void;
}

/** Every failure. `code` is stable: the daemon's codes, or one of the client's own. */
export class NnjitError extends Error {
	readonly code: string;
	readonly field: string;
	readonly detail: string;
	readonly status: number;
}
