// SPDX-License-Identifier: Apache-2.0
//
// The one kind of error this package throws. `code` is stable and is what programs compare; the
// daemon's codes are listed in protocol/errors.def, the client's own are these:
//   disconnected    the connection went away and did not come back in time
//   timeout         no answer in time
//   aborted         the caller's signal was raised
//   closed          the client was closed
//   bad-kernel      WebGPU refused the kernel
//   bad-buffers     the buffers given do not fit the kernel's bindings
//   bad-dims        a dimension that the kernel leaves open was given no value within its range
//   missing-feature the GPUDevice lacks a feature or limit that the kernel needs

export class NnjitError extends Error {
	/**
	 * @param {string} code
	 * @param {string} detail
	 * @param {{ field?: string, status?: number, cause?: unknown }} [more]
	 */
	constructor(code, detail, { field = '', status = 0, cause } = {}) {
		super(detail, cause === undefined ? undefined : { cause });
		this.name = 'NnjitError';
		this.code = code;
		this.field = field;
		this.detail = detail;
		this.status = status;
	}

	/** From a problem object (RFC 9457) as it crosses the wire. @param {any} problem */
	static from(problem) {
		const { code = 'internal', detail, title, field = '', status = 0 } = problem ?? {};
		return new NnjitError(code, detail ?? title ?? 'The service failed', { field, status });
	}
}
