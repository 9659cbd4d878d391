// A scatter plot as SVG. One tab stop; the arrow keys walk from point to point and the readout says where one is.
import {scaleLinear, scaleLog, type ScaleContinuousNumeric} from 'd3-scale';
import {h, s} from './dom.js';
import {compact, count} from './format.js';

export interface Point { label: string; x: number; y: number }
// y = intercept + slope * x
export interface Straight { slope: number; intercept: number }
type Scale = ScaleContinuousNumeric<number, number>;

const WIDTH = 860;
const HEIGHT = 430;
const MARGIN = {top: 12, right: 18, bottom: 46, left: 74};

// Logarithmic if asked for, or if the values span so much that most points would sit on one spot.
export function isLog(values: number[], wish: string): boolean {
  const low = Math.min(...values);
  if (low <= 0 || wish === 'linear') return false;
  return wish === 'log' || Math.max(...values) / low > 100;
}

function scaleFor(values: number[], log: boolean, range: [number, number]): Scale {
  let [low, high] = values.reduce(([least, most], value) => [Math.min(least, value), Math.max(most, value)], [Infinity, -Infinity]);
  if (low === high) [low, high] = log ? [low / 2, high * 2] : [low - 1, high + 1];
  if (log) return scaleLog([low * 0.85, high * 1.15], range);
  const pad = (high - low) * 0.04;
  return scaleLinear([low >= 0 && low - pad < 0 ? 0 : low - pad, high + pad], range).nice();
}

// On a log scale only powers of ten and a few between, or the labels run into each other.
function ticks(scale: Scale, log: boolean): number[] {
  if (!log) return scale.ticks(6);
  const all = scale.ticks(6);
  const few = all.filter((tick) => /^[1]/.test(tick.toExponential()));
  return few.length >= 3 ? few : all.filter((tick) => /^[125]/.test(tick.toExponential()));
}

function axes(svg: SVGElement, x: Scale, y: Scale, logs: {x: boolean; y: boolean}, titles: {x: string; y: string}): void {
  const bottom = HEIGHT - MARGIN.bottom;
  for (const tick of ticks(x, logs.x)) {
    svg.append(s('line', {class: 'grid', x1: x(tick), x2: x(tick), y1: MARGIN.top, y2: bottom}),
      s('text', {x: x(tick), y: bottom + 17, 'text-anchor': 'middle'}, compact(tick)));
  }
  for (const tick of ticks(y, logs.y)) {
    svg.append(s('line', {class: 'grid', x1: MARGIN.left, x2: WIDTH - MARGIN.right, y1: y(tick), y2: y(tick)}),
      s('text', {x: MARGIN.left - 8, y: y(tick) + 4, 'text-anchor': 'end'}, compact(tick)));
  }
  svg.append(
    s('text', {class: 'axis-title', x: (MARGIN.left + WIDTH - MARGIN.right) / 2, y: HEIGHT - 8, 'text-anchor': 'middle'}, titles.x + (logs.x ? ' (log)' : '')),
    s('text', {class: 'axis-title', transform: `translate(16 ${(MARGIN.top + bottom) / 2}) rotate(-90)`, 'text-anchor': 'middle'}, titles.y + (logs.y ? ' (log)' : '')));
}

// The line as far as it lies within the chart; on a logarithmic axis it is bent.
function path(line: Straight, x: Scale, y: Scale): string {
  const [from, to] = x.domain() as [number, number];
  const [low, high] = y.domain() as [number, number];
  const pieces: string[] = [];
  let drawn = false;
  for (let i = 0; i <= 200; ++i) {
    const across = x.invert(x(from) + (x(to) - x(from)) * i / 200);
    const up = line.intercept + line.slope * across;
    const inside = up >= low && up <= high;
    if (inside) pieces.push(`${drawn ? 'L' : 'M'}${x(across).toFixed(1)} ${y(up).toFixed(1)}`);
    drawn = inside;
  }
  return pieces.join('');
}

export function scatter(points: Point[], titles: {x: string; y: string}, wish: string, summary: string, line?: Straight): HTMLElement {
  const xs = points.map((point) => point.x);
  const ys = points.map((point) => point.y);
  const logs = {x: isLog(xs, wish), y: isLog(ys, wish)};
  const x = scaleFor(xs, logs.x, [MARGIN.left, WIDTH - MARGIN.right]);
  const y = scaleFor(ys, logs.y, [HEIGHT - MARGIN.bottom, MARGIN.top]);
  const svg = s('svg', {class: 'chart', viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img', tabindex: '0',
    'aria-label': `Scatter plot. ${summary} Arrow keys walk through the points.`});
  axes(svg, x, y, logs, titles);

  const readout = h('p', {class: 'readout hint', 'aria-live': 'polite'}, 'Point at a dot, or use the arrow keys, to read it.');
  const order = points.map((_, index) => index).sort((a, b) => (xs[a] ?? 0) - (xs[b] ?? 0));
  const dots = points.map((point) => s('circle', {class: 'point', cx: x(point.x), cy: y(point.y), r: points.length > 1500 ? 2.5 : 4.5}));
  let current = -1;
  const mark = (index: number): void => {
    dots[current]?.classList.remove('on');
    current = index;
    const point = points[index];
    if (!point) return;
    dots[index]?.classList.add('on');
    readout.textContent = `${point.label}: ${titles.x} ${count(point.x)}, ${titles.y} ${count(point.y)}`;
  };
  dots.forEach((dot, index) => dot.addEventListener('pointerenter', () => mark(index)));
  svg.addEventListener('keydown', (event) => {
    const step = {ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1}[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const place = current < 0 ? (step > 0 ? -1 : order.length) : order.indexOf(current);
    mark(order[Math.max(0, Math.min(order.length - 1, place + step))] ?? -1);
  });
  svg.append(...dots);
  if (line) svg.append(s('path', {class: 'line', d: path(line, x, y)}));
  return h('div', {}, svg, readout);
}
