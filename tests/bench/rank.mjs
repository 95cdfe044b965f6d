// SPDX-License-Identifier: Apache-2.0
//
// How far two measurements of the same things agree in their order, and what choosing by one of them costs
// by the other. Numbers only.

export const median = values => {
	const s = [...values].sort((x, y) => x - y), h = s.length >> 1;
	return s.length % 2 ? s[h] : (s[h - 1] + s[h]) / 2;
};
// A quarter of the way up: noise from others only adds time, but the least may be a clock's slip.
export const lowerQuartile = values => [...values].sort((x, y) => x - y)[(values.length - 1) >> 2];
export const geomean = list => Math.exp(list.reduce((sum, x) => sum + Math.log(x), 0) / list.length);

// -1, 0 or 1: which is less, where within `tie` of each other is neither.
function order(x, y, tie) {
	return Math.max(x, y) <= Math.min(x, y) * (1 + tie) ? 0 : Math.sign(x - y);
}

// Kendall's tau-b. Two things within `tie` (0.02: 2%) of each other are tied in that measurement: a pair
// tied in both says nothing, one tied in one of them counts against tau as half a disagreement does.
export function kendall(first, second, tie = 0.02) {
	let agree = 0, byFirst = 0, bySecond = 0;
	for (let i = 0; i < first.length; i++)
		for (let j = 0; j < i; j++) {
			const x = order(first[i], first[j], tie), y = order(second[i], second[j], tie);
			agree += x * y;
			byFirst += x !== 0;
			bySecond += y !== 0;
		}
	return byFirst && bySecond ? agree / Math.sqrt(byFirst * bySecond) : 1;
}

const least = list => list.indexOf(Math.min(...list));

// What the pick of `chosenBy` costs by `judge`, over judge's own best: 1 is nothing.
export const loss = (chosenBy, judge) => judge[least(chosenBy)] / Math.min(...judge);
