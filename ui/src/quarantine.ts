// Rows that broke their contract, with why and as the source gave them; and the way back in, tried before it is taken.
import {change, get, type QuarantineRow, type Redrive} from './api.js';
import {byId, h, toast} from './dom.js';
import {ago, count} from './format.js';

const PAGE = 20;
let tokens = [''];  // of the pages up to this one
const outcome = h('p', {class: 'hint', role: 'status'});  // of what was tried last

function line(row: QuarantineRow): HTMLElement {
  return h('tr', {},
    h('td', {}, row.profile_id, h('div', {class: 'hint'}, `page ${row.page}, row ${row.row}`)),
    h('td', {}, row.message || row.reason_code, h('div', {class: 'hint'}, [row.field, row.reason_code].filter(Boolean).join(', '))),
    h('td', {}, h('code', {class: 'raw', tabindex: '0', 'aria-label': 'The row as the source gave it'}, row.raw)),
    h('td', {class: 'soft nowrap'}, ago(row.observed_at)));
}

function inWords(redrive: Redrive, done: boolean): string {
  const {stored, duplicate, filtered} = redrive.balance;
  const became = [[stored, 'stored'], [duplicate, 'known already'], [filtered, 'left out by the filter']] as const;
  const parts = became.filter(([rows]) => Number(rows) > 0).map(([rows, what]) => `${count(rows)} ${done ? '' : 'would be '}${what}`);
  const why = redrive.failures[0] ? `, the first because ${redrive.failures[0].message}` : '';
  if (Number(redrive.kept_back) > 0) parts.push(`${count(redrive.kept_back)} ${done ? 'stay' : 'would stay'}${why}`);
  return `${count(redrive.tried)} ${redrive.next_page_token ? 'rows looked at first' : 'rows'}: ${parts.join(', ') || 'nothing to do'}`;
}

async function takeIn(profile: string): Promise<void> {
  let token = '';
  do {
    const done = await change<Redrive>('/api/quarantine:redrive', {profile_id: profile, page_token: token});
    if (!done) return;
    outcome.replaceChildren(`${profile}: ${inWords(done, true)}.`);
    token = done.next_page_token;
  } while (token);
  tokens = [''];
  await refreshQuarantine();
}

async function tryOut(profile: string): Promise<void> {
  const found = await change<Redrive>('/api/quarantine:redrive', {profile_id: profile, dry_run: true});
  if (!found) return;
  const heals = Number(found.kept_back) < Number(found.tried);
  outcome.replaceChildren(`${profile} as it is now: ${inWords(found, false)}. `,
    heals ? h('button', {click: guard(() => takeIn(profile))}, 'Take them in') : '');
}

function guard(action: () => Promise<void>): () => void {
  return () => void action().catch((error: Error) => toast(error.message));
}

function actions(profiles: string[]): HTMLElement {
  return h('div', {}, h('div', {class: 'pair'}, ...profiles.map((profile) =>
    h('button', {click: guard(() => tryOut(profile))}, `Try ${profile} again`))), outcome);
}

function pager(next: string): HTMLElement | '' {
  if (!next && tokens.length === 1) return '';
  const go = (move: () => void) => (): void => { move(); void refreshQuarantine(); };
  return h('p', {class: 'pager'},
    h('button', {disabled: tokens.length === 1, click: go(() => tokens.pop())}, 'Back'),
    h('button', {disabled: !next, click: go(() => tokens.push(next))}, 'Next'),
    h('span', {class: 'hint'}, `Page ${tokens.length}`));
}

// The card is there only while rows wait.
export async function refreshQuarantine(): Promise<void> {
  const card = byId('quarantine-card');
  try {
    const page = await get<{rows: QuarantineRow[]; next_page_token: string}>(
      '/api/quarantine', {limit: PAGE, page_token: tokens[tokens.length - 1]});
    if (page.rows.length === 0 && tokens.length > 1) {
      tokens = [''];
      return await refreshQuarantine();
    }
    card.hidden = page.rows.length === 0;
    const heads = ['Profile', 'What is wrong', 'The row as it came', 'Fetched'].map((text) => h('th', {scope: 'col'}, text));
    byId('quarantine').replaceChildren(
      actions([...new Set(page.rows.map((row) => row.profile_id))]),
      h('div', {class: 'scroll'}, h('table', {}, h('thead', {}, h('tr', {}, ...heads)), h('tbody', {}, ...page.rows.map(line)))),
      pager(page.next_page_token));
  } catch (error) {
    card.hidden = false;
    byId('quarantine').replaceChildren(h('p', {class: 'bad-text'}, (error as Error).message));
  }
}
