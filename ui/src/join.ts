// Two measures joined on shared dims: the form, the chart, the coefficients, and what did not fit.
import {get, report, type Fields, type Profile, type Report, type Side} from './api.js';
import {byId, fillSelect, h} from './dom.js';
import {coefficient, count} from './format.js';
import {scatter, type Point} from './scatter.js';
import {readState, writeState, type State} from './state.js';

const LIMIT = 5000;
const fields = new Map<string, Fields>();
const answer = h('div', {'aria-live': 'polite'});
const left = h('select', {id: 'left', change: () => choose({left: left.value, join: []})});
const right = h('select', {id: 'right', change: () => choose({right: right.value, join: []})});
const leftFilter = h('input', {id: 'left-filter', placeholder: 'dims.time.year = 2020', spellcheck: 'false', change: () => choose({leftFilter: leftFilter.value.trim()})});
const rightFilter = h('input', {id: 'right-filter', placeholder: 'no condition', spellcheck: 'false', change: () => choose({rightFilter: rightFilter.value.trim()})});
const scale = h('select', {id: 'scale', change: () => choose({scale: scale.value})});
const checks = h('div', {class: 'checks'});
let asked = 0;

const profileOf = (side: string): string => side.slice(0, side.indexOf(':'));
const measureOf = (side: string): string => side.slice(side.indexOf(':') + 1);
const dimsOf = (side: string): string[] => fields.get(profileOf(side))?.dims ?? [];
const shared = (a: string, b: string): string[] => dimsOf(a).filter((dim) => dimsOf(b).includes(dim));

function choose(change: Partial<State>): void {
  writeState(change);
  void refreshJoin();
}

function sides(): {value: string; label: string}[] {
  return [...fields].flatMap(([id, {measures}]) => measures.map((measure) => ({value: `${id}:${measure}`, label: `${id}: ${measure}`})));
}

// On the first visit: population against GDP of the sample, or the first two measures that share a dim.
function startingPair(profiles: Profile[]): [string, string] {
  const samples = profiles.filter((profile) => profile.labels['set'] === 'sample').map((profile) => profile.id);
  const all = sides().map((side) => side.value);
  const preferred = all.filter((side) => samples.includes(profileOf(side)));
  const pick = (word: string): string | undefined => preferred.find((side) => side.includes(word));
  const candidates = [[pick('population'), pick('gdp')], ...preferred.map((side) => [preferred[0], side]), ...all.map((side) => [all[0], side])];
  for (const [a, b] of candidates) {
    if (a && b && profileOf(a) !== profileOf(b) && shared(a, b).length > 0) return [a, b];
  }
  return [all[0] ?? '', all[1] ?? all[0] ?? ''];
}

function drawChecks(state: State): void {
  const offered = [...new Set([...shared(state.left, state.right), ...state.join])];
  const boxes = offered.map((dim) => {
    const box = h('input', {type: 'checkbox', value: dim, change: () =>
      choose({join: [...checks.querySelectorAll<HTMLInputElement>('input:checked')].map((input) => input.value)})});
    box.checked = state.join.includes(dim);
    return h('label', {}, box, ` ${dim.replace('=', ' = ')}`);
  });
  const options = (side: string): HTMLOptionElement[] => dimsOf(side).map((dim) => h('option', {value: dim}, dim));
  const a = h('select', {'aria-label': 'Dim of the left side'}, ...options(state.left));
  const b = h('select', {'aria-label': 'Dim of the right side'}, ...options(state.right));
  const add = h('details', {}, h('summary', {}, 'dims with different names'), h('div', {class: 'pair'}, a, '=', b,
    h('button', {type: 'button', click: () => choose({join: [...state.join, a.value === b.value ? a.value : `${a.value}=${b.value}`]})}, 'Add')));
  checks.replaceChildren(...boxes, add);
}

function sideLine(side: Side): HTMLElement {
  const examples = side.unmatched_examples.length > 0 ? `, such as ${side.unmatched_examples.slice(0, 3).join('; ')}` : '';
  const nulls = side.null_measures > 0 ? `, ${count(side.null_measures)} without a value` : '';
  return h('p', {class: 'hint'}, h('strong', {}, side.profile_id), ` ${count(side.records)} records, ${count(side.unmatched)} unmatched${examples}${nulls}`);
}

function pointsOf(result: Report, dims: number): Point[] {
  return result.rows
    .map(({values}) => ({label: values.slice(0, dims).join(', '), x: Number(values[dims] ?? NaN), y: Number(values[dims + 1] ?? NaN)}))
    .filter((point) => Number.isFinite(point.x) && Number.isFinite(point.y));
}

function rowsTable(result: Report): HTMLElement {
  const head = h('tr', {}, ...result.columns.map((name) => h('th', {scope: 'col'}, name)));
  const details = h('details', {}, h('summary', {}, `The ${count(result.rows.length)} joined rows as a table`));
  details.addEventListener('toggle', () => {
    if (!details.open || details.childElementCount > 1) return;
    details.append(h('div', {class: 'scroll', tabindex: '0'}, h('table', {}, h('thead', {}, head),
      h('tbody', {}, ...result.rows.map(({values}) => h('tr', {}, ...values.map((value) => h('td', {}, String(value ?? '')))))))));
  });
  return details;
}

function draw(result: Report, state: State): void {
  const titles = {x: measureOf(state.left), y: measureOf(state.right)};
  const points = pointsOf(result, state.join.length);
  const summary = `${titles.y} over ${titles.x}: ${result.n} pairs, Pearson ${coefficient(result.pearson)}, Spearman ${coefficient(result.spearman)}.`;
  const warnings = [...result.warnings];
  if (result.truncated) warnings.push(`The chart shows ${count(result.rows.length)} of ${count(result.row_count)} rows; the figures use all.`);
  answer.replaceChildren(h('div', {class: 'joined'},
    points.length > 0 ? scatter(points, titles, state.scale, summary) : h('p', {class: 'soft'}, 'No pairs: nothing matches on these dims.'),
    h('div', {},
      h('dl', {class: 'figures'}, h('dt', {}, 'n'), h('dd', {}, count(result.n)), h('dt', {}, 'Pearson r'), h('dd', {}, coefficient(result.pearson)),
        h('dt', {}, 'Spearman ρ'), h('dd', {}, coefficient(result.spearman))),
      ...result.sides.map(sideLine),
      warnings.length > 0 && h('ul', {class: 'warnings', 'aria-label': 'Warnings'}, ...warnings.map((text) => h('li', {}, text))))), rowsTable(result));
}

export async function refreshJoin(): Promise<void> {
  const state = readState();
  if (!state.left || !state.right) return;
  if (state.join.length === 0) {
    state.join = shared(state.left, state.right);
    writeState({join: state.join}, false);
  }
  left.value = state.left;
  right.value = state.right;
  leftFilter.value = state.leftFilter;
  rightFilter.value = state.rightFilter;
  scale.value = state.scale;
  drawChecks(state);
  const turn = ++asked;
  const input = (side: string, filter: string): unknown => ({profile_id: profileOf(side), measure: measureOf(side), filter: filter ? [filter] : []});
  try {
    const result = await report({join: state.join, inputs: [input(state.left, state.leftFilter), input(state.right, state.rightFilter)],
      window: {limit: LIMIT}, output: {type: 'table'}});
    if (turn === asked) draw(result, state);
  } catch (error) {
    if (turn === asked) answer.replaceChildren(h('p', {class: 'bad-text'}, (error as Error).message));
  }
}

export function joinedProfiles(): string[] {
  return [readState().left, readState().right].map(profileOf);
}

function labelled(id: string, text: string, control: HTMLElement): HTMLElement {
  return h('div', {}, h('label', {for: id}, text), control);
}

export async function setUpJoin(profiles: Profile[]): Promise<void> {
  await Promise.all(profiles.filter((profile) => !fields.has(profile.id)).map(async ({id}) => {
    const found = await get<Fields>(`/api/profiles/${encodeURIComponent(id)}/fields`).catch(() => undefined);
    if (found) fields.set(id, found);
  }));
  const state = readState();
  if (!state.left || !state.right) {
    const [a, b] = startingPair(profiles);
    if (a) writeState({left: state.left || a, right: state.right || b}, false);
  }
  const options = sides().sort((a, b) => a.value.localeCompare(b.value));
  fillSelect(left, options, readState().left);
  fillSelect(right, options, readState().right);
  if (byId('join').childElementCount > 0) return;
  fillSelect(scale, ['auto', 'linear', 'log'].map((value) => ({value, label: value})), state.scale);
  byId('join').replaceChildren(
    h('div', {class: 'form'}, labelled('left', 'Across', left), labelled('right', 'Up', right),
      h('fieldset', {}, h('legend', {}, 'Joined on'), checks),
      labelled('left-filter', 'Only across where', leftFilter), labelled('right-filter', 'Only up where', rightFilter), labelled('scale', 'Scale', scale)),
    answer);
}
