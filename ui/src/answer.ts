// What a report answered: the chart with its line, the coefficients, the matrix of many measures, what did not fit.
import type {Coefficient, Correlation, Report, Scalar, Side} from './api.js';
import {h} from './dom.js';
import {chance, coefficient, count} from './format.js';
import {scatter, type Point} from './scatter.js';

type Method = 'pearson' | 'spearman' | 'kendall';
const METHODS: [Method, string][] = [['pearson', 'Pearson r'], ['spearman', 'Spearman ρ'], ['kendall', 'Kendall τ']];
let method: Method = 'pearson';

function sideLine(side: Side): HTMLElement {
  const examples = side.unmatched_examples.length > 0 ? `, such as ${side.unmatched_examples.slice(0, 3).join('; ')}` : '';
  const nulls = side.null_measures > 0 ? `, ${count(side.null_measures)} without a value` : '';
  return h('p', {class: 'hint'}, h('strong', {}, side.profile_id), ` ${count(side.records)} records, ${count(side.unmatched)} unmatched${examples}${nulls}`);
}

function range(one: Coefficient): string {
  return one.low === undefined || one.high === undefined ? '' : `${Number(one.low).toFixed(3)} to ${Number(one.high).toFixed(3)}`;
}

function coefficients(pair: Correlation): HTMLElement {
  const rows = METHODS.flatMap(([name, label]) => {
    const one = pair[name];
    return one ? [h('tr', {}, h('th', {scope: 'row'}, label), h('td', {class: 'num'}, coefficient(one.value)), h('td', {class: 'num'}, range(one)),
      h('td', {class: 'num'}, chance(one.p_value)))] : [];
  });
  const head = ['', 'value', '95 % from … to', 'p'].map((text) => h('th', {scope: 'col', class: text ? 'num' : ''}, text));
  return h('table', {class: 'coefficients'}, h('thead', {}, h('tr', {}, ...head)), h('tbody', {}, ...rows));
}

// Strong ones stand out; the figure says it, too, so colour is never alone.
function shade(cell: HTMLElement, value: number | undefined): HTMLElement {
  if (value === undefined) return cell;
  const hue = value > 0 ? 'var(--accent)' : 'var(--bad)';
  cell.style.background = `color-mix(in srgb, ${hue} ${Math.round(Math.abs(Number(value)) * 45)}%, transparent)`;
  return cell;
}

function matrix(pairs: Correlation[]): HTMLElement {
  const names = [...new Set(pairs.flatMap((pair) => [pair.x, pair.y]))];
  const find = (a: string, b: string): Correlation | undefined => pairs.find((pair) => (pair.x === a && pair.y === b) || (pair.x === b && pair.y === a));
  const box = h('div', {class: 'matrix'});
  const draw = (): void => {
    const cell = (a: string, b: string): HTMLElement => {
      const pair = find(a, b);
      if (a === b || !pair) return h('td', {}, a === b ? '1' : '');
      const one = pair[method];
      return shade(h('td', {title: `${a} and ${b}: n ${pair.n}, p ${chance(one?.p_value)}`}, coefficient(one?.value)), one?.value);
    };
    const select = h('select', {'aria-label': 'Coefficient of the matrix', change: () => {
      method = select.value as Method;
      draw();
    }}, ...METHODS.map(([name, label]) => h('option', {value: name}, label)));
    select.value = method;
    box.replaceChildren(h('div', {class: 'scroll', tabindex: '0'}, h('table', {}, h('caption', {}, 'Every measure with every other: ', select),
      h('thead', {}, h('tr', {}, h('th', {scope: 'col'}), ...names.map((name) => h('th', {scope: 'col'}, name)))),
      h('tbody', {}, ...names.map((a) => h('tr', {}, h('th', {scope: 'row'}, a), ...names.map((b) => cell(a, b))))))));
  };
  draw();
  return box;
}

function rowsTable(result: Report): HTMLElement {
  const head = h('tr', {}, ...result.columns.map((name) => h('th', {scope: 'col'}, name)));
  const details = h('details', {}, h('summary', {}, `The ${count(result.rows.length)} rows as a table`));
  details.addEventListener('toggle', () => {
    if (!details.open || details.childElementCount > 1) return;
    details.append(h('div', {class: 'scroll', tabindex: '0'}, h('table', {}, h('thead', {}, head),
      h('tbody', {}, ...result.rows.map(({values}) => h('tr', {}, ...values.map((value) => h('td', {}, String(value ?? '')))))))));
  });
  return details;
}

function pointsOf(result: Report, x: string, y: string): Point[] {
  const [across, up] = [result.columns.indexOf(x), result.columns.indexOf(y)];
  const keys = result.columns.map((name, index) => ({name, index})).filter(({name}) => !result.measure_columns.includes(name));
  const number = (value: Scalar | undefined): number => (value === null || value === undefined || value === '' ? NaN : Number(value));
  return result.rows
    .map(({values}) => ({label: keys.map(({index}) => values[index]).join(', '), x: number(values[across]), y: number(values[up])}))
    .filter((point) => Number.isFinite(point.x) && Number.isFinite(point.y));
}

function lineText(result: Report): HTMLElement | false {
  const line = result.regression;
  if (!line) return false;
  const digits = (value: number): string => Number(value).toPrecision(4);
  return h('p', {class: 'hint'}, h('strong', {}, 'Line '), `${line.y} = ${digits(line.intercept)} + ${digits(line.slope)} × ${line.x}, R² ${coefficient(line.r_squared)}`);
}

// The chart shows the first pair.
export function answerView(result: Report, scale: string): HTMLElement[] {
  const pairs = result.correlations.filter((pair) => Number(pair.lag) === 0);
  const [first] = pairs;
  const warnings = [...result.warnings];
  if (result.truncated) warnings.push(`The chart shows ${count(result.rows.length)} of ${count(result.row_count)} rows; the figures use all.`);
  const points = first ? pointsOf(result, first.x, first.y) : [];
  const summary = first ? `${first.y} over ${first.x}: ${first.n} pairs, Pearson ${coefficient(first.pearson.value)}, Spearman ${coefficient(first.spearman.value)}.` : '';
  const nothing = h('p', {class: 'soft'}, first ? 'No pairs: nothing matches on these dims.' : 'Nothing to draw: the steps leave fewer than two measures.');
  return [
    h('div', {class: 'joined'},
      first && points.length > 0 ? scatter(points, {x: first.x, y: first.y}, scale, summary, result.regression) : nothing,
      h('div', {},
        h('dl', {class: 'figures'}, h('dt', {}, 'n'), h('dd', {}, count(result.n)), h('dt', {}, 'Pearson r'), h('dd', {}, coefficient(result.pearson)),
          h('dt', {}, 'Spearman ρ'), h('dd', {}, coefficient(result.spearman))),
        first && coefficients(first), lineText(result), ...result.sides.map(sideLine),
        warnings.length > 0 && h('ul', {class: 'warnings', 'aria-label': 'Warnings'}, ...warnings.map((text) => h('li', {}, text))))),
    ...(pairs.length > 1 ? [matrix(pairs)] : []),
    rowsTable(result),
  ];
}
