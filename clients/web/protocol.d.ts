// SPDX-License-Identifier: Apache-2.0
//
// The types of the daemon's answers. tests/protocol/print_protocol writes this file from
// protocol/types.def and protocol/methods.def: change those, then run
// `NNJIT_BLESS=1 make check`.

/** How well a kernel is known. naive: every schedule failed on the device; this is the plainest, and was not verified. */
export type Status = 'predicted' | 'tuning' | 'tuned' | 'stale' | 'naive';

/** The same; refused: the operator fits the device in no way. */
export type OpStatus = 'predicted' | 'tuning' | 'tuned' | 'stale' | 'naive' | 'refused';

/** What the code is. */
export type Target = 'wgsl' | 'spirv';

/** What a kernel was timed with. wall: the device has no timestamps that can be used; timed by the host over longer batches. */
export type Clock = 'timestamp' | 'wall';

/** An element type. */
export type DType = 'f32' | 'f16' | 'i32' | 'i8' | 'u8' | 'u4' | 'bool' | 'u32';

/** As GPUBufferBindingType. */
export type BindingType = 'read-only-storage' | 'storage' | 'uniform';

/** What kind of device it is. */
export type DeviceKind = 'discrete' | 'integrated' | 'virtual' | 'cpu' | 'other';

/** What came of a trial. launched: it runs now; poisoned: it hung, crashed or lost the device. */
export type Outcome = 'timed' | 'wrong' | 'refused' | 'launched' | 'poisoned';

/** Which event of a watch; tuned and failed are the last. */
export type WatchEventName = 'progress' | 'improved' | 'tuned' | 'failed';

/** Which event of a prefetch; finished is the last. */
export type PrefetchEventName = 'progress' | 'finished';

/** What was decided about an origin. */
export type OriginStatus = 'pending' | 'approved' | 'denied';

/** How long a decision holds: for good, until the daemon ends, or as long as the configuration has it. */
export type OriginKept = 'always' | 'once' | 'configured';

/** An origin of web pages, and what was decided about it. */
export interface Origin {
	/** as https://app.example */
	origin: string;
	/** what was decided */
	status: OriginStatus;
	/** how long that holds; of one that is not pending */
	kept?: OriginKept;
	/** when it was decided, or first asked; Unix time */
	since_s: number;
	/** when a pending one last asked */
	heard_s?: number;
	/** how often it did */
	requests?: number;
}

/** All that it takes to run a kernel. */
export interface Kernel {
	/** the operator, canonical text */
	op: string;
	/** its hash */
	key: string;
	/** the id of the device it is for */
	device: string;
	/** what `code` is */
	target: Target;
	/** web: it is within what WebGPU promises */
	profile: string;
	/** WGSL, or SPIR-V in base64 */
	code: string;
	/** the function to dispatch */
	entry_point: string;
	/** invocations along x, y and z */
	workgroup_size: [number, number, number];
	/** what to dispatch; with the open dimensions as they are tuned */
	workgroups: [number, number, number];
	/** of group 0, the output last but for `dims` */
	bindings: Binding[];
	/** of the GPU device */
	required_features: string[];
	/** of navigator.gpu.wgslLanguageFeatures */
	required_language_features: string[];
	/** of the GPU device, where they exceed what every page has */
	required_limits: Record<string, number>;
	/** the dimensions left open; of an operator that has some */
	dimensions?: Dimension[];
	/** workgroups along x, y and z, by the open dimensions */
	dispatch?: [Extent, Extent, Extent];
	/** how it computes; `report` repeats it */
	schedule: string;
	/** how well it is known */
	status: Status;
	/** of its search */
	progress: Progress;
	/** how the daemon timed it */
	timing: DaemonTiming;
	/** what its first run pays */
	compile: CompileCost;
	/** how it was compared with the reference; null of a naive one */
	verified: Verified | null;
	/** page: reports of this page's origin chose it among near-ties */
	settled_by?: string;
}

/** A buffer of group 0, row-major, the batch outermost. */
export interface Binding {
	/** its number */
	binding: number;
	/** the tensor's; dims: the values of the open dimensions */
	name: string;
	/** how it is bound */
	type: BindingType;
	/** of its elements */
	dtype: DType;
	/** with the open dimensions as they are tuned */
	shape: number[];
	/** the same; a whole number of words */
	bytes: number;
	/** axis by axis the open dimension that it grows with: its size is shape[i] / hint * value */
	dims?: (string | null)[];
}

/** A dimension left open: each from `min` to `max`, tuned as `hint`. */
export interface Dimension {
	/** as `dims` have it */
	name: string;
	/** at least */
	min: number;
	/** at most */
	max: number;
	/** what it is tuned as */
	hint: number;
}

/** Workgroups along one dimension: times, by the values of `dims`, divided by `over`, rounded up; at most `most`. */
export interface Extent {
	/** a factor */
	times: number;
	/** a divisor */
	over: number;
	/** names of open dimensions */
	dims: string[];
	/** a bound */
	most?: number;
}

/** Of a search: schedules measured, of how many that may be. */
export interface Progress {
	/** so far */
	measured: number;
	/** at most */
	of: number;
}

/** How the daemon timed the kernel on the device; zeros while it is only predicted. With a dimension in a range, means over its ends and its middle. */
export interface DaemonTiming {
	/** of one dispatch */
	median_ns: number;
	/** median absolute deviation */
	mad_ns: number;
	/** how many */
	samples: number;
	/** GFLOP/s */
	gflops: number;
	/** share of the device's own limit, 0 to 1 */
	roofline: number;
	/** what engines ship today for such an operator, on the same device in the same session */
	baseline_ns: number;
	/** null while nothing was measured */
	clock: Clock | null;
	/** while it is only predicted */
	predicted_ns?: number;
}

/** What the driver took to compile it there, and the size of what it compiled; 0: not known. */
export interface CompileCost {
	/** without any cache */
	pipeline_ns: number;
	/** of SPIR-V */
	spirv_bytes: number;
}

/** How the kernel's output was compared with the reference. */
export interface Verified {
	/** how far off the worst element was */
	max_rel_err: number;
	/** output elements compared */
	checked: number;
	/** of the operator that was tried there, where memory was too short for all of it */
	share?: number;
}

/** An operator that takes several dispatches: kernels, and steps to run them in. */
export interface KernelInSteps {
	/** the whole operator, canonical text */
	op: string;
	/** its hash */
	key: string;
	/** the id of the device it is for */
	device: string;
	/** what the kernels' `code` is */
	target: Target;
	/** as a kernel's */
	profile: string;
	/** the whole operator's tensors: what to allocate */
	bindings: Binding[];
	/** besides the kernels' */
	required_limits: Record<string, number>;
	/** the dimensions left open; of an operator that has some */
	dimensions?: Dimension[];
	/** the least of the kernels' that are run in every run */
	status: Status;
	/** of a run; 0 while a kernel is not measured */
	timing: StepsTiming;
	/** bytes of one more buffer, with the open dimensions as they are tuned; 0: none is needed */
	scratch: number;
	/** in the order in which they are to be run */
	steps: Step[];
	/** the different ones */
	kernels: Kernel[];
}

/** The times of all dispatches of a run together. */
export interface StepsTiming {
	/** of the kernels */
	median_ns: number;
	/** of what engines ship */
	baseline_ns: number;
}

/** A kernel, dispatched `repeat` times on parts of the operator's tensors and of the scratch buffer. */
export interface Step {
	/** index in `kernels` */
	kernel: number;
	/** how often, one after another */
	repeat: number;
	/** true: before the first run alone, as long as the constant input stays the same */
	once: boolean;
	/** what to bind as each of the kernel's tensors */
	buffers: Place[];
}

/** Where a binding begins: at byte `offset + advance * i` of the buffer in repetition i; always a multiple of 256. */
export interface Place {
	/** the operator's tensor, or scratch */
	name: string;
	/** bytes */
	offset: number;
	/** bytes */
	advance: number;
}

/** What follows a watch. */
export interface WatchEvent {
	/** the request's */
	id: number;
	/** which */
	event: WatchEventName;
	/** of the search; of an operator in steps, of its kernels */
	progress?: Progress;
	/** as served now, whole or in steps */
	kernel?: Kernel;
	/** why it failed */
	error?: Problem;
}

/** What follows a prefetch. */
export interface PrefetchEvent {
	/** the request's */
	id: number;
	/** which */
	event: PrefetchEventName;
	/** of all of it */
	progress: PrefetchProgress;
	/** why the operator failed */
	error?: Problem;
}

/** Of the operators of a prefetch, how many have ended; `op` is the one that did last. */
export interface PrefetchProgress {
	/** ended */
	done: number;
	/** all */
	of: number;
	/** of those ended */
	failed: number;
	/** canonical text */
	op?: string;
}

/** An operator of a prefetch. */
export interface Prefetched {
	/** canonical text */
	op: string;
	/** how often it runs */
	times: number;
	/** as known now */
	status: OpStatus;
	/** seconds that it gets; 0: the daemon's own budget, or it is tuned */
	budget_s: number;
	/** what it is in the model */
	name?: string;
	/** it is refused */
	why?: string;
}

/** Refused or failed (RFC 9457). */
export interface Problem {
	/** urn:nnjit:problem: and the code */
	type: string;
	/** the code as a sentence */
	title: string;
	/** of HTTP */
	status: number;
	/** stable: a row of protocol/errors.def */
	code: string;
	/** the parameter or field at fault */
	field?: string;
	/** what is wrong and what to do */
	detail: string;
}

/** A GPU of this machine. */
export interface Device {
	/** 16 hexadecimal digits; survives updates of the driver */
	id: string;
	/** as its driver says */
	name: string;
	/** false: known from before, and not there now; what is known of it is served, nothing is tuned */
	present: boolean;
	/** what it is */
	kind: DeviceKind;
	/** vulkan */
	api: string;
	/** the newest that it speaks */
	api_version: string;
	/** of PCI, or Khronos' */
	vendor_id: number;
	/** the vendor's */
	device_id: number;
	/** what all cards of this kind with these limits share */
	class: string;
	/** its driver */
	driver: Driver;
	/** what it allows */
	limits: Limits;
	/** that kernels may use */
	features: string[];
	/** whether it can time its own work */
	timestamps: boolean;
	/** how fast it is; null while it was not measured */
	facts: Facts | null;
}

/** A device's driver. */
export interface Driver {
	/** 16 hexadecimal digits, others with each version */
	id: string;
	/** as it says */
	name: string;
	/** as it says */
	version: string;
	/** as it says */
	info: string;
}

/** What a device allows; 0 is unknown. */
export interface Limits {
	/** of a workgroup */
	invocations: number;
	/** of a workgroup along x */
	size_x: number;
	/** along y */
	size_y: number;
	/** along z */
	size_z: number;
	/** of a dispatch, along one dimension */
	workgroups: number;
	/** workgroup memory */
	workgroup_bytes: number;
	/** of a stage */
	storage_buffers: number;
	/** of one storage binding */
	binding_bytes: number;
	/** invocations of a subgroup, at least */
	subgroup_min: number;
	/** at most */
	subgroup_max: number;
	/** shapes [m, n, k] of cooperative matrices */
	matrices?: [number, number, number][];
}

/** How fast a device is, measured for each version of its driver until quiet probes agree; 0 is unknown. */
export interface Facts {
	/** GFLOP/s: peak f32 multiply-adds, two operations each */
	fma_gflops?: number;
	/** GB/s: global memory, read plus written */
	memory_gbps?: number;
	/** ns: one empty dispatch within a batch */
	launch_ns?: number;
	/** workgroups: that run side by side at the rate of one alone */
	cores?: number;
	/** invocations: that run in lockstep: of a subgroup, as the driver says */
	lanes?: number;
	/** GB/s: workgroup memory, read by the whole device */
	workgroup_gbps?: number;
	/** ns: a barrier in a workgroup of 64 invocations that runs alone */
	barrier_ns?: number;
	/** f32 values: that an invocation holds before its multiply-adds slow down */
	registers?: number;
	/** GFLOP/s: peak f16 multiply-adds, two operations each */
	fma16_gflops?: number;
	/** Gop/s: peak packed dot products of four bytes, eight operations each */
	dot4_gops?: number;
	/** turns: after which the driver ends an invocation's loops, all loops together; 0: no end was found */
	turns?: number;
	/** bytes: of workgroup memory that a workgroup was seen to keep */
	workgroup_bytes?: number;
	/** levels above global memory, nearest first */
	caches?: Cache[];
	/** the device runs on the processor */
	cpu?: boolean;
	/** which probe measured */
	version?: number;
	/** quiet probes that agree; below 2 it is measured again when idle, and the better kept */
	sure?: number;
}

/** What fits in `bytes` is read at `gbps`. */
export interface Cache {
	/** that it holds */
	bytes: number;
	/** GB/s */
	gbps: number;
}

/** A kernel in the store. */
export interface StoredKernel {
	/** canonical text */
	op: string;
	/** its hash */
	key: string;
	/** the class of device that it was measured on */
	class: string;
	/** the id of a device here of that class; null where there is none */
	device: string | null;
	/** the device's name; null where it is not known any more */
	name: string | null;
	/** what the code may use */
	features: string[];
	/** of a workgroup, that it is tuned under, where they are not WebGPU's defaults */
	limits: Record<string, number>;
	/** the best known */
	schedule: string;
	/** how well it is known */
	status: Status;
	/** of its search */
	progress: Progress;
	/** how it was timed */
	timing: StoredTiming;
	/** when it was stored, in Unix time */
	updated_s: number;
}

/** What the store knows of a kernel's time. */
export interface StoredTiming {
	/** of one dispatch */
	median_ns: number;
	/** median absolute deviation */
	mad_ns: number;
	/** how many */
	samples: number;
	/** GFLOP/s */
	gflops: number;
	/** share of the device's own limit, 0 to 1 */
	roofline: number;
	/** what engines ship today */
	baseline_ns: number;
}

/** A schedule that was tried. */
export interface Trial {
	/** which */
	schedule: string;
	/** what came of it */
	state: Outcome;
	/** it was not timed; empty if it was */
	why: string;
	/** of one dispatch */
	median_ns: number;
	/** median absolute deviation */
	mad_ns: number;
	/** how many */
	samples: number;
	/** what the driver took to compile it */
	pipeline_ns: number;
	/** of what it compiled */
	spirv_bytes: number;
	/** of one dispatch */
	predicted_ns?: number;
	/** what bounds it, as predicted */
	bound?: string;
}

/** A page's own timing of a schedule. */
export interface Report {
	/** which */
	schedule: string;
	/** reports of it; the last one counts */
	count: number;
	/** how many */
	samples: number;
	/** of one dispatch */
	median_ns: number;
	/** the steps of the page's clock */
	quantum_ns: number;
	/** how far it can be believed, 0 to 1 */
	weight: number;
}

/** A model whose operators are known. */
export interface Model {
	/** as `model` takes it */
	name: string;
	/** for people */
	title?: string;
	/** as published */
	parameters?: number;
	/** as its manifest states them */
	inputs?: Record<string, number>;
	/** the same */
	sizes?: Record<string, number>;
	/** why its manifest cannot be read; then all else is missing */
	error?: string;
}

/** An operator of a model; of a refused one only `why` is known. */
export interface ModelOp {
	/** what it is in the model */
	name: string;
	/** canonical text */
	op: string;
	/** a forward pass runs it */
	times: number;
	/** as known now */
	status: OpStatus;
	/** it is refused */
	why?: string;
	/** of its search */
	progress?: Progress;
	/** false: times are predictions */
	measured?: boolean;
	/** what engines ship */
	default_ns?: number;
	/** the best known */
	tuned_ns?: number;
	/** default_ns / tuned_ns */
	speedup?: number;
	/** share of the device's own limit, 0 to 1 */
	roofline?: number;
	/** of the model's tuned time, 0 to 1 */
	share?: number;
}

/** A forward pass. */
export interface ModelTotal {
	/** different operators */
	ops: number;
	/** of them */
	tuned: number;
	/** of them */
	refused: number;
	/** what engines ship */
	default_ns: number;
	/** the best known */
	tuned_ns: number;
	/** default_ns / tuned_ns */
	speedup: number;
}

/** What the tuner does. */
export interface Tuning {
	/** kernels that wait */
	jobs_queued: number;
	/** kernels that are tuned now */
	jobs_running: number;
	/** so far */
	jobs_finished: number;
	/** so far */
	jobs_failed: number;
	/** schedules tried so far */
	trials: number;
	/** processes that run now */
	workers: number;
	/** so far */
	worker_restarts: number;
	/** pipelines begun while others were timed, so far */
	built_ahead: number;
}

/** What the store holds. */
export interface StoreCounts {
	/** on the disk */
	bytes: number;
	/** kernels */
	kernels: number;
	/** trials */
	trials: number;
	/** devices */
	devices: number;
	/** kernels that wait to be tuned */
	jobs: number;
}

/** Pages' own timings. */
export interface ReportCounts {
	/** how many have any */
	kernels: number;
}

/** What went through the port. */
export interface NetCounts {
	/** connections so far */
	accepted: number;
	/** connections whose first request was refused, so far */
	refused: number;
	/** connections of HTTP open now */
	http_open: number;
	/** so far */
	http_requests: number;
	/** connections of WebSockets open now, in their handshake or after it */
	ws_open: number;
	/** received so far */
	ws_messages: number;
}

/** Answers at once while the daemon lives. */
export interface HealthAnswer {
	/** nnjit */
	service: string;
	/** ok */
	status: string;
	/** the daemon's */
	version: string;
}

/** This interface as an OpenAPI document. */
export interface OpenapiAnswer {
	/** the version of the specification */
	openapi: string;
	/** title, description and version */
	info: object;
	/** the methods that REST has */
	paths: object;
	/** the types of answers and operators */
	components: object;
}

/** Version, uptime, queue, store and connections. */
export interface StatusAnswer {
	/** the daemon's */
	version: string;
	/** when it was started, in Unix time */
	started_s: number;
	/** seconds since then */
	uptime_s: number;
	/** devices known */
	devices: number;
	/** false while the devices are looked for */
	enumerated: boolean;
	/** What the tuner does */
	tuning: Tuning;
	/** What the store holds */
	store: StoreCounts;
	/** connections open now */
	websockets: number;
	/** methods called so far */
	calls: number;
	/** Pages' own timings */
	reports: ReportCounts;
	/** What went through the port */
	net: NetCounts;
}

/** The devices, with limits, driver and measured facts. */
export interface DevicesAnswer {
	/** the devices, best first */
	devices: Device[];
	/** false while they are looked for */
	enumerated: boolean;
}

/** The kernels in the store. */
export interface KernelsAnswer {
	/** one for each operator, device, set of features and limits */
	kernels: StoredKernel[];
}

/** Every schedule tried for a kernel, with its outcome. */
export interface TrialsAnswer {
	/** canonical text */
	op: string;
	/** its hash */
	key: string;
	/** the device's id */
	device: string;
	/** the device's name */
	name: string;
	/** what the code may use */
	features: string[];
	/** the schedule that engines ship */
	baseline: string;
	/** in the order in which they are stored */
	trials: Trial[];
	/** what the asking page's origin reported; over REST none */
	reports: Report[];
}

/** The models whose operators are known, with their inputs and sizes. */
export interface ModelsAnswer {
	/** by name */
	models: Model[];
}

/** A model's operators, what is known of each, and its time with default and with tuned kernels. */
export interface ModelAnswer {
	/** its name */
	model: string;
	/** for people */
	title: string;
	/** as published */
	parameters: number;
	/** f32, f16, q4 or q4f16 */
	dtype: string;
	/** the device's id */
	device: string;
	/** and its name */
	device_name: string;
	/** what a forward pass runs */
	ops: ModelOp[];
	/** of a forward pass, without operators refused */
	total: ModelTotal;
	/** as they were asked for */
	inputs: Record<string, number>;
	/** as they follow from the inputs */
	sizes: Record<string, number>;
}

/** A page introduces its adapter; answered with the device that it is. */
export interface HelloAnswer {
	/** the daemon's */
	version: string;
	/** nnjit.v1 */
	protocol: string;
	/** the device's id; null where none is the page's adapter */
	device: string | null;
	/** and its name */
	name: string | null;
	/** those that count: the page and the device have them */
	features: string[];
	/** why there is no device, or which one was taken of several */
	reason?: string;
}

/** Ends a watch or prefetch of this connection. */
export interface CancelAnswer {
	/** false if it had ended */
	cancelled: boolean;
}

/** Tunes a list of operators, or a model's; tells its progress over the WebSocket. */
export interface PrefetchAnswer {
	/** operators to tune */
	of: number;
	/** operators that fit the device in no way */
	refused: number;
	/** the address that tells how it goes on */
	look: string;
	/** each operator */
	ops: Prefetched[];
	/** over REST: how many found room in the queue */
	queued?: number;
}

/** The kernel and those within 5% of it, as a page that can time may compare them. */
export interface LeadersAnswer {
	/** best first, by the daemon's own measure */
	leaders: Kernel[];
}

/** The page's own timing of a kernel it was served. */
export interface ReportAnswer {
	/** true */
	recorded: boolean;
}

/** The origins of web pages that asked, and what was decided about them. */
export interface OriginsAnswer {
	/** pending ones first */
	origins: Origin[];
}

/** Lets pages of an origin use the service. */
export interface ApproveAnswer {
	/** the origin */
	origin: string;
	/** whether its pages are served now */
	served: boolean;
}

/** Keeps pages of an origin out, for good. */
export interface DenyAnswer {
	/** the origin */
	origin: string;
	/** whether its pages are served now */
	served: boolean;
}

/** Takes back what was decided: the origin's connections end, and it may ask again. */
export interface RevokeAnswer {
	/** the origin */
	origin: string;
	/** whether its pages are served now */
	served: boolean;
}

/** A secret for the page /admin. */
export interface AdminAnswer {
	/** the page sends it in the field Nnjit-Admin */
	secret: string;
	/** for so many seconds */
	valid_s: number;
	/** where the page is, on localhost */
	port: number;
}
