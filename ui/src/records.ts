// A page of records of one profile, with where each came from.
import {get, type Capture, type Explanation, type Profile, type Record_, type Scalar} from './api.js';
import {byId, fillSelect, h} from './dom.js';
import {readState, writeState} from './state.js';

const PAGE = 25;
const back: string[] = [];  // tokens of the pages before this one
const select = h('select', {id: 'records-profile', change: () => show({profile: select.value, page: ''})});
const filter = h('input', {id: 'records-filter', placeholder: 'dims.time.year >= 2015', size: '28', spellcheck: 'false',
  change: () => show({filter: filter.value.trim(), page: ''})});
const table = h('div', {class: 'scroll', 'aria-live': 'polite'});
const pager = h('p', {class: 'pager'});
const whyBody = h('div', {class: 'why'});
const why = h('dialog', {'aria-labelledby': 'why-title'}, h('h2', {id: 'why-title'}, 'Where this record came from'), whyBody,
  h('form', {method: 'dialog', class: 'buttons'}, h('button', {value: 'close', class: 'primary'}, 'Close')));
const saved = h('p', {class: 'hint'});  // links to the same records as files

function show(change: {profile?: string; filter?: string; page: string}): void {
  back.length = 0;
  writeState(change);
  void refreshRecords();
}

function cell(value: Scalar | undefined, numeric: boolean): HTMLElement {
  if (value === null || value === undefined) return h('td', {class: 'soft'}, value === null ? 'null' : '');
  return h('td', {class: numeric ? 'num' : ''}, String(value));
}

function fieldsText(record: Record_): string {
  return (['dims', 'measures', 'attrs'] as const).flatMap((role) => Object.entries(record[role]).map(([name, value]) => `${name} = ${value}`)).join(', ');
}

// Where a payload was kept, and whether it is there still: what was fetched longest ago goes first.
function kept(from: Record_['provenance'], captures: Capture[]): string {
  if (!from?.raw_ref) return '';
  const capture = captures.find(({name}) => from.raw_ref?.startsWith(`${name}/`));
  const there = capture && from.observed_at && Date.parse(capture.oldest_fetch_time) <= Date.parse(from.observed_at);
  return `${from.raw_ref}, ${there ? 'still there' : 'no longer there'}`;
}

// One version: what it says, and the way from the source to the store.
function version({record, newest}: Explanation['records'][0]['versions'][0], captures: Capture[]): HTMLElement {
  const from = record.provenance;
  const line = (name: string, value: string | undefined): HTMLElement[] => [h('dt', {}, name), h('dd', {}, value || 'unknown')];
  return h('section', {}, h('h3', {}, newest ? 'Newest version' : 'Earlier version'), h('p', {}, fieldsText(record)), h('dl', {},
    ...line('source', from && `${from.source_uri}, page ${from.page}, row ${from.row}`), ...line('payload', from?.payload_sha256),
    ...(from?.raw_ref ? line('kept', kept(from, captures)) : []),
    ...line('profile', from?.revision), ...line('drone', from?.drone_id), ...line('run', from?.run_id),
    ...line('fetched', from?.observed_at), ...line('stored', from?.acked_at), ...line('id', record.id)));
}

async function explain(record: Record_): Promise<void> {
  whyBody.replaceChildren(h('p', {class: 'soft'}, 'Looking…'));
  why.showModal();
  try {
    const answer = await get<Explanation>('/api/records:why', {profile_id: select.value, record_id: record.id});
    const versions = answer.records.flatMap((history) => history.versions).reverse();
    const isKept = versions.some((each) => each.record.provenance?.raw_ref);
    const captures = isKept ? (await get<{captures: Capture[]}>('/api/captures', {profile_id: select.value, page_size: 1000})).captures : [];
    whyBody.replaceChildren(...(versions.length > 0 ? versions.map((each) => version(each, captures)) : [h('p', {}, answer.explanation)]));
  } catch (error) {
    whyBody.replaceChildren(h('p', {class: 'bad-text'}, (error as Error).message));
  }
}

function origin(record: Record_): HTMLElement {
  const from = record.provenance;
  if (!from) return h('td', {});
  const title = `${from.source_uri}\npage ${from.page}, row ${from.row}\nrun ${from.run_id}\n${from.revision}\nseen ${from.observed_at ?? ''}`;
  const name = from.source_uri.split(/[?#]/)[0]?.split('/').filter(Boolean).pop() ?? from.source_uri;
  return h('td', {class: 'nowrap', title}, h('button', {class: 'link', click: () => void explain(record)}, `${name || 'posted'}, row ${from.row}`));
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

function drawFiles(profile: string, where: string): void {
  const link = (format: string): HTMLElement => {
    const query = new URLSearchParams({profile_id: profile, format, ...(where ? {filter: where} : {})});
    return h('a', {href: `/api/records:export?${query}`, download: ''}, format.toUpperCase());
  };
  saved.replaceChildren('All of them as a file: ', link('csv'), ' ', link('ndjson'), ' ', link('parquet'));
}

function drawPager(page: string, next: string, scanned: number, unknown: string[]): void {
  const go = (token: string, keep: boolean) => (): void => {
    if (keep) back.push(page);
    writeState({page: token});
    void refreshRecords();
  };
  pager.replaceChildren(
    h('button', {disabled: !page, click: () => go(back.pop() ?? '', false)()}, 'Back'),
    h('button', {disabled: !next, click: go(next, true)}, 'Next'),
    h('span', {class: 'hint'}, `${PAGE} a page, the newest version of each; ${scanned} looked at` +
      (unknown.length > 0 ? `, none of which has ${unknown.join(', ')}` : '')));
}

export async function refreshRecords(): Promise<void> {
  const state = readState();
  filter.value = state.filter;
  if (state.profile && [...select.options].some((option) => option.value === state.profile)) select.value = state.profile;
  if (!select.value) return;
  try {
    const page = await get<{records: Record_[]; next_page_token: string; scanned: number; unknown_fields: string[]}>(
      '/api/records', {profile_id: select.value, limit: PAGE, page_token: state.page, filter: state.filter});
    draw(page.records);
    drawPager(state.page, page.next_page_token, page.scanned, page.unknown_fields);
    drawFiles(select.value, state.filter);
  } catch (error) {
    table.replaceChildren(h('p', {class: 'bad-text'}, (error as Error).message));
    pager.replaceChildren();
    saved.replaceChildren();
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
      h('div', {}, h('label', {for: 'records-filter'}, 'Only where'), filter)), table, pager, saved, why);
}
