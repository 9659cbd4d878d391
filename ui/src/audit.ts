// What was done, by whom, with the proof that it is in the signed log.
import {get, type AuditEvent, type AuditProof} from './api.js';
import {byId, h} from './dom.js';
import {ago} from './format.js';
import {canCheck, isIncluded} from './merkle.js';

const PAGE = 15;
let tokens = [''];  // of the pages up to this one

async function verdict(proof: AuditProof): Promise<HTMLElement> {
  const words = `entry ${proof.event.seq} of the signed log of ${proof.size}`;
  if (!canCheck()) return h('span', {class: 'soft'}, `${words}; this page cannot check it, as it did not come over HTTPS`);
  const good = await isIncluded(proof.event.hash, Number(proof.leaf_index), Number(proof.size), proof.hashes, proof.root);
  return good ? h('span', {class: 'good-text'}, `✓ ${words}`) : h('span', {class: 'bad-text'}, `✗ not ${words}`);
}

async function showProof(event: AuditEvent, place: HTMLElement): Promise<void> {
  try {
    const proof = await get<AuditProof>('/api/audit/proof', {seq: event.seq});
    place.replaceChildren(await verdict(proof), h('details', {}, h('summary', {}, 'Checkpoint'), h('pre', {tabindex: '0'}, proof.checkpoint)));
  } catch (error) {
    place.replaceChildren(h('span', {class: 'bad-text'}, (error as Error).message));
  }
}

function row(event: AuditEvent): HTMLElement {
  const place = h('div', {class: 'hint', role: 'status'});
  const good = event.outcome === 'OK' || event.outcome === 'STARTED';
  return h('tr', {},
    h('td', {}, String(event.seq)),
    h('td', {title: event.time}, ago(event.time)),
    h('td', {}, event.actor || h('span', {class: 'soft'}, 'erased'), h('div', {class: 'hint'}, event.address ?? '')),
    h('td', {}, event.action, h('div', {class: 'hint'}, [event.subject, event.detail].filter(Boolean).join(' '))),
    h('td', {class: good ? '' : 'bad-text'}, event.outcome),
    h('td', {}, h('button', {'aria-label': `Prove entry ${event.seq}`, click: () => void showProof(event, place)}, 'Prove'), place));
}

function pager(next: string): HTMLElement | string {
  if (!next && tokens.length === 1) return '';
  const go = (change: () => void) => (): void => { change(); void refreshAudit(); };
  return h('p', {class: 'pager'},
    h('button', {disabled: tokens.length === 1, click: go(() => tokens.pop())}, 'Newer'),
    h('button', {disabled: !next, click: go(() => tokens.push(next))}, 'Older'));
}

export async function refreshAudit(): Promise<void> {
  const place = byId('audit');
  try {
    const page = await get<{events: AuditEvent[]; next_page_token: string}>(
      '/api/audit/events', {page_size: PAGE, page_token: tokens[tokens.length - 1]});
    if (page.events.length === 0) {
      place.replaceChildren(h('p', {class: 'soft'}, 'Nothing in the log yet.'));
      return;
    }
    const heads = ['Entry', 'When', 'Who', 'What', 'Outcome', 'Proof'].map((text) => h('th', {scope: 'col'}, text));
    place.replaceChildren(h('div', {class: 'scroll'},
      h('table', {}, h('thead', {}, h('tr', {}, ...heads)), h('tbody', {}, ...page.events.map(row)))), pager(page.next_page_token));
  } catch (error) {
    place.replaceChildren(h('p', {class: 'bad-text'}, (error as Error).message));
  }
}

// The log is read once somebody opens it.
export function setUpAudit(): void {
  const details = byId('audit-details') as HTMLDetailsElement;
  details.addEventListener('toggle', () => { if (details.open) void refreshAudit(); });
}
