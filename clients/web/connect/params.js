// SPDX-License-Identifier: Apache-2.0
//
// What of a caller's options goes along with a request, and an operator as text where a request is a URL.

/** @import { Op, OpObject, OpValue } from '../nnjit.d.ts' */

/** Of an object the members that are given. @param {object} object @returns {Record<string, any>} */
export const given = object => Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));

/**
 * The parameters of a request for a kernel; options that are not the daemon's business stay here.
 * @param {Op} op
 * @param {{ device?: string, target?: string, runs?: number, constant?: string }} options
 */
export const kernelParams = (op, { device, target, runs, constant }) => given({ op, device, target, runs, constant });

/** @param {string} name @param {OpValue | OpValue[]} value */
function valueText(name, value) {
	if (Array.isArray(value)) // activations stand one after another, all else side by side
		return value.join(name === 'act' ? '+' : ',') || 'none';
	return typeof value === 'boolean' ? Number(value) : value;
}

/** An operator as an object, in its text form. @param {OpObject} object */
export function opText({ op, ...fields }) {
	return [op, ...Object.entries(fields).map(([name, value]) => `${name}=${valueText(name, value)}`)].join(' ');
}
