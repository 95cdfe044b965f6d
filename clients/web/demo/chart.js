// SPDX-License-Identifier: Apache-2.0
//
// The chart of one card: GFLOP/s of the best kernel so far over the seconds since its tuning began,
// as steps, above the default kernel's level.

const HEIGHT = 150, LEFT = 34, RIGHT = 14, TOP = 12, BOTTOM = 22;

/** @param {string} name @param {Record<string, any>} attributes @param {string} [text] */
function element(name, attributes, text) {
	const node = document.createElementNS('http://www.w3.org/2000/svg', name);
	for (const [key, value] of Object.entries(attributes))
		node.setAttribute(key, value);
	if (text !== undefined)
		node.textContent = text;
	return node;
}

/** 1, 2 or 5 times a power of ten: at most four of them up to `top`. @param {number} top */
function tickStep(top) {
	const power = 10 ** Math.floor(Math.log10(top / 3));
	return [1, 2, 5].map(x => x * power).find(step => top / step <= 4) ?? 10 * power;
}

/** @param {number} value */
const brief = value => value >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(2)));

/** @typedef {{ seconds: number, gflops: number }} Point */

/**
 * Before the default kernel is timed there is nothing to draw.
 * @param {Element} svg
 * @param {{ points: Point[], baseline: number, now: number }} what  points in order; baseline: GFLOP/s; now: seconds
 *   at the right edge
 */
export function drawChart(svg, { points, baseline, now }) {
	if (!baseline)
		return svg.replaceChildren();
	const top = Math.max(baseline, ...points.map(p => p.gflops), 1e-3) * 1.12;
	const span = Math.max(now, 1);
	const width = svg.clientWidth || 560;
	svg.setAttribute('viewBox', `0 0 ${width} ${HEIGHT}`);
	/** @param {number} seconds */
	const x = seconds => LEFT + (width - LEFT - RIGHT) * Math.min(seconds / span, 1);
	/** @param {number} gflops */
	const y = gflops => HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * gflops / top;
	const nodes = [];
	for (let tick = 0, step = tickStep(top); tick <= top; tick += step)
		nodes.push(element('line', { class: 'grid', x1: LEFT, x2: width - RIGHT, y1: y(tick), y2: y(tick) }),
			element('text', { x: LEFT - 7, y: y(tick) + 4, 'text-anchor': 'end' }, brief(tick)));
	nodes.push(element('text', { x: width - RIGHT, y: HEIGHT - 4, 'text-anchor': 'end' }, `${span.toFixed(span < 10 ? 1 : 0)} s`),
		element('text', { x: LEFT, y: HEIGHT - 4 }, 'GFLOP/s'));
	if (points.length)
		nodes.push(...steps(points, { x, y, span }));
	nodes.push(element('line', { class: 'default', x1: LEFT, x2: width - RIGHT, y1: y(baseline), y2: y(baseline) }),
		element('text', { x: width - RIGHT, y: y(baseline) - 5, 'text-anchor': 'end' }, 'default'));
	svg.replaceChildren(...nodes);
	svg.setAttribute('aria-label', `${points.length} kernels so far, the last at ${brief(points.at(-1)?.gflops ?? 0)} ` +
		`GFLOP/s against ${brief(baseline)} by default`);
}

/** @param {Point[]} points @param {{ x: (seconds: number) => number, y: (gflops: number) => number, span: number }} scale */
function steps(points, { x, y, span }) {
	let path = `M${x(points[0].seconds)} ${y(points[0].gflops)}`;
	for (const p of points.slice(1))
		path += `H${x(p.seconds)}V${y(p.gflops)}`;
	path += `H${x(span)}`;
	const area = `${path}V${y(0)}H${x(points[0].seconds)}Z`;
	return [element('path', { class: 'area', d: area }), element('path', { class: 'line', d: path }),
		...points.map((p, i) => element('circle', { class: i === points.length - 1 ? 'dot last' : 'dot', cx: x(p.seconds),
			cy: y(p.gflops), r: 3.5 }))];
}
