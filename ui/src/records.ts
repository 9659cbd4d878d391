// A page of records of one profile, with where each came from.
import {get, type Profile, type Record_, type Scalar} from './api.js';
import {byId, fillSelect, h} from './dom.js';
import {readState, writeState} from './state.js';

const PAGE = 25;
const back: string[] = [];  // tokens of the pages before this one
const select = h('select', {id: 'records-profile', change: () => show({profile: select.value, page: ''})});
const filter = h('input', {id: 'records-filter', placeholder: 'dims.time.year >= 2015', size: '28', spellcheck: 'false',
  change: () => show({filter: filter.value.trim(), page: ''})});
const table = h('div', {class: 'scroll', 'aria-live': 'polite'});
const pager = h('p', {class: 'pager'});

function show(change: {profile?: string; filter?: string; page: string}): void {
  back.length = 0;
  writeState(change);
  void refreshRecords();
}

function cell(value: Scalar | undefined, numeric: boolean): HTMLElement {
  if (value === null || value === undefined) return h('td', {class: 'soft'}, value === null ? 'null' : '');
  return h('td', {class: numeric ? 'num' : ''}, String(value));
}

function origin(record: Record_): HTMLElement {
  const from = record.provenance;
  if (!from) return h('td', {});
  const title = `${from.source_uri}\npage ${from.page}, row ${from.row}\nrun ${from.run_id}\n${from.revision}\nseen ${from.observed_at ?? ''}`;
  const name = from.source_uri.split(/[?#]/)[0]?.split('/').filter(Boolean).pop() ?? from.source_uri;
  return h('td', {class: 'soft nowrap', title}, `${name || 'posted'}, row ${from.row}`);
}

function draw(records: Record_[]): void {
  const names = (kind: 'dims' | 'measures' | 'attrs'): string[] => [...new Set(records.flatMap((record) => Object.keys(record[kind])))].sort();
  const [dims, measures, attrs] = [names('dims'), names('measures'), names('attrs')];
  const head = h('tr', {}, ...dims.map((name) => h('th', {scope: 'col'}, name)), ...measures.map((name) => h('th', {scope: 'col', class: 'num'}, name)),
    ...attrs.map((name) => h('th', {scope: 'col'}, name)), h('th', {scope: 'col'}, 'from'));
  const rows = records.map((record) => h('tr', {}, ...dims.map((name) => cell(record.dims[name], false)),
    ...measures.map((name) => cell(record.measures[name], true)), ...attrs.map((name) => cell(record.attrs[name], false)), origin(record)));
  table.replaceChildren(records.length === 0 ? h('p', {class: 'soft'}, 'No records.') : h('table', {}, h('thead', {}, head), h('tbody', {}, ...rows)));
}

function drawPager(page: string, next: string): void {
  const go = (token: string, keep: boolean) => (): void => {
    if (keep) back.push(page);
    writeState({page: token});
    void refreshRecords();
  };
  pager.replaceChildren(
    h('button', {disabled: !page, click: () => go(back.pop() ?? '', false)()}, 'Back'),
    h('button', {disabled: !next, click: go(next, true)}, 'Next'),
    h('span', {class: 'hint'}, `${PAGE} a page, the newest version of each`));
}

export async function refreshRecords(): Promise<void> {
  const state = readState();
  filter.value = state.filter;
  if (state.profile && [...select.options].some((option) => option.value === state.profile)) select.value = state.profile;
  if (!select.value) return;
  try {
    const page = await get<{records: Record_[]; next_page_token: string}>(
      '/api/records', {profile_id: select.value, limit: PAGE, page_token: state.page, filter: state.filter});
    draw(page.records);
    drawPager(state.page, page.next_page_token);
  } catch (error) {
    table.replaceChildren(h('p', {class: 'bad-text'}, (error as Error).message));
    pager.replaceChildren();
  }
}

export function shownProfile(): string {
  return select.value;
}

export function setUpRecords(profiles: Profile[]): void {
  const first = profiles.find((profile) => profile.labels['set'] === 'sample') ?? profiles[0];
  fillSelect(select, profiles.map(({id, display_name}) => ({value: id, label: display_name || id})), readState().profile || select.value || first?.id || '');
  if (byId('records').childElementCount > 0) return;
  byId('records').replaceChildren(
    h('div', {class: 'form'}, h('div', {}, h('label', {for: 'records-profile'}, 'Profile'), select),
      h('div', {}, h('label', {for: 'records-filter'}, 'Only where'), filter)), table, pager);
}
