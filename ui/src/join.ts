// Measures joined on shared dims: the form and the question it asks. What comes back is drawn by answer.ts.
import {answerView} from './answer.js';
import {get, report, type Fields, type Profile, type Question, type Suggestion} from './api.js';
import {byId, fillSelect, h} from './dom.js';
import {readState, writeState, type State} from './state.js';

const LIMIT = 5000;
const KINDS = [{value: 'inner', label: 'only what matches'}, {value: 'left', label: 'all of across'}, {value: 'outer', label: 'all of both'}];
const fields = new Map<string, Fields>();
const answer = h('div', {'aria-live': 'polite'});
const left = h('select', {id: 'left', change: () => choose({left: left.value, join: []})});
const right = h('select', {id: 'right', change: () => choose({right: right.value, join: []})});
const leftFilter = h('input', {id: 'left-filter', placeholder: 'dims.time.year = 2020', spellcheck: 'false', change: () => choose({leftFilter: leftFilter.value.trim()})});
const rightFilter = h('input', {id: 'right-filter', placeholder: 'no condition', spellcheck: 'false', change: () => choose({rightFilter: rightFilter.value.trim()})});
const kind = h('select', {id: 'kind', change: () => choose({kind: kind.value})});
const scale = h('select', {id: 'scale', change: () => choose({scale: scale.value})});
const another = h('select', {id: 'another', change: () => another.value && choose({more: [...readState().more, another.value]})});
const steps = h('textarea', {id: 'steps', rows: '2', spellcheck: 'false', placeholder: 'derive per_head = gdp / population\ntop 10 by per_head', change: () => choose({steps: steps.value.trim()})});
const checks = h('div', {class: 'checks'});
const chips = h('div', {class: 'chips'});
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
  const rule = h('input', {'aria-label': 'Rules for the values', placeholder: 'rules, such as trim | pad_left 5 0', spellcheck: 'false'});
  const entry = (): string => `${a.value === b.value ? a.value : `${a.value}=${b.value}`}${rule.value.trim() ? ` | ${rule.value.trim()}` : ''}`;
  const others = state.join.filter((dim) => dim !== a.value);
  const add = h('details', {}, h('summary', {}, 'dims with other names or spellings'), h('div', {class: 'pair'}, a, '=', b, rule,
    h('button', {type: 'button', click: () => choose({join: [...(a.value === b.value ? others.filter((dim) => dim !== a.value) : state.join), entry()]})}, 'Add')));
  checks.replaceChildren(...boxes, add);
}

function drawChips(state: State): void {
  const chip = (side: string): HTMLElement => h('span', {class: 'chip'}, side.replace(':', ': '),
    h('button', {type: 'button', 'aria-label': `Without ${side}`, click: () => choose({more: state.more.filter((other) => other !== side)})}, '×'));
  const usable = sides().filter(({value}) => ![state.left, state.right, ...state.more].includes(value) &&
    (profileOf(value) === profileOf(state.left) || profileOf(value) === profileOf(state.right) || leftDims(state).every((dim) => dimsOf(value).includes(dim))));
  another.replaceChildren(h('option', {value: ''}, usable.length > 0 ? 'add a measure …' : 'no other measure has these dims'), ...usable.map(({value, label}) => h('option', {value}, label)));
  chips.replaceChildren(...state.more.map(chip), another);
}

// The join dims by their left names, without rules.
function leftDims(state: State): string[] {
  return state.join.map((entry) => (entry.split('|')[0] ?? '').split('=')[0]?.trim() ?? '');
}

// One input a profile, so that measures of the same records are never joined with one another.
function questionOf(state: State): Question {
  const taken: string[] = [];
  const named = [state.left, state.right, ...state.more].map((side) => {
    let name = measureOf(side);
    for (let suffix = 2; taken.includes(name); ++suffix) name = `${measureOf(side)}_${suffix}`;
    taken.push(name);
    return {side, name};
  });
  const inputs: Question['inputs'] = [];
  const filterOf = (index: number): string => (index === 0 ? state.leftFilter : index === 1 ? state.rightFilter : '');
  named.forEach(({side, name}, index) => {
    const filter = filterOf(index);
    const measure = `${measureOf(side)} as ${name}`;
    const present = inputs.find((input) => input.profile_id === profileOf(side) && (index > 1 || (input.filter ?? []).join() === filter));
    if (present) {
      present.measures.push(measure);
      return;
    }
    const own = index > 1 && state.join.some((entry) => entry.includes('='));
    inputs.push({profile_id: profileOf(side), measures: [measure], filter: filter ? [filter] : [], ...(own ? {on: leftDims(state)} : {})});
  });
  const lines = state.steps.split('\n').map((line) => line.trim()).filter(Boolean);
  return {join: inputs.length > 1 ? state.join : leftDims(state), inputs, kind: state.kind, steps: lines, window: {limit: LIMIT},
    output: {type: 'table', ...(lines.length === 0 ? {measures: taken} : {})}};
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
  kind.value = state.kind;
  scale.value = state.scale;
  steps.value = state.steps;
  drawChecks(state);
  drawChips(state);
  const turn = ++asked;
  if (state.join.length === 0 && profileOf(state.left) !== profileOf(state.right)) {
    answer.replaceChildren(h('p', {class: 'soft'}, 'These two have no dim of the same name. Take others, or say at “Joined on” which of their dims mean the same.'));
    return;
  }
  try {
    const result = await report(questionOf(state));
    if (turn === asked) answer.replaceChildren(...answerView(result, state.scale));
  } catch (error) {
    if (turn === asked) answer.replaceChildren(h('p', {class: 'bad-text', role: 'alert'}, (error as Error).message));
  }
}

export function joinedProfiles(): string[] {
  const state = readState();
  return [state.left, state.right, ...state.more].map(profileOf);
}

function labelled(id: string, text: string, control: HTMLElement): HTMLElement {
  return h('div', {}, h('label', {for: id}, text), control);
}

// What the data can answer, asked for when somebody wants to know: it reads all profiles.
function suggestions(): HTMLElement {
  const list = h('ul', {class: 'suggestions'});
  const show = (found: Suggestion): HTMLElement => {
    const all = found.report.inputs.flatMap((input) => input.measures.map((measure) => `${input.profile_id}:${measure}`));
    const first = all[0] ?? '';
    const second = all.find((side) => profileOf(side) !== profileOf(first)) ?? all[1] ?? first;
    return h('li', {}, h('button', {type: 'button', click: () => choose({left: first, right: second, more: all.filter((side) => side !== first && side !== second),
      join: found.report.join, leftFilter: '', rightFilter: '', steps: '', kind: 'inner'})}, all.map((side) => side.replace(':', ': ')).join(' · ')), h('div', {class: 'hint'}, found.reason));
  };
  const details = h('details', {}, h('summary', {}, 'What could be joined'), list);
  details.addEventListener('toggle', () => {
    if (!details.open) return;
    list.replaceChildren(h('li', {class: 'soft'}, 'Looking at all profiles …'));
    get<{suggestions: Suggestion[]}>('/api/reports:suggest').then(({suggestions: found}) =>
      list.replaceChildren(...(found.length > 0 ? found.map(show) : [h('li', {class: 'soft'}, 'Nothing: no two measures stand side by side.')])))
      .catch((error: Error) => list.replaceChildren(h('li', {class: 'bad-text'}, error.message)));
  });
  return details;
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
  fillSelect(kind, KINDS, state.kind);
  byId('join').replaceChildren(
    h('div', {class: 'form'}, labelled('left', 'Across', left), labelled('right', 'Up', right), labelled('kind', 'Keep', kind),
      h('fieldset', {}, h('legend', {}, 'Joined on'), checks),
      labelled('left-filter', 'Only across where', leftFilter), labelled('right-filter', 'Only up where', rightFilter), labelled('scale', 'Scale', scale),
      labelled('another', 'And with', chips)),
    h('details', {}, h('summary', {}, 'Steps'), labelled('steps', 'One a line: filter, derive, group, window, sort, top, pivot, select, regress', steps)),
    suggestions(), answer);
}
