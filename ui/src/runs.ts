// Runs as they happen, each with its balance.
import {get, type Balance, type Run} from './api.js';
import {byId, h} from './dom.js';
import {ago, count} from './format.js';

const KEPT = 30;
const SHARES = ['stored', 'duplicate', 'filtered', 'quarantined', 'in_spool', 'lost'] as const;
const runs = new Map<string, Run>();  // newest first when drawn
let drawing = 0;

export function ended(run: Run): boolean {
  return run.status !== 'scheduled' && run.status !== 'running';
}

export function statusTag(status: string): HTMLElement {
  const kind: Record<string, string> = {succeeded: 'good', partial: 'warn', failed: 'bad', running: 'warn'};
  return h('span', {class: 'tag'}, h('span', {class: `dot ${kind[status] ?? ''}`}), status);
}

function balanceBar(balance: Balance): HTMLElement[] {
  const bar = h('div', {class: 'balance', 'aria-hidden': 'true'});
  for (const share of SHARES) {
    const piece = h('i', {class: share});
    piece.style.flexGrow = String(Number(balance[share]));
    bar.append(piece);
  }
  const parts = SHARES.filter((share) => Number(balance[share]) > 0).map((share) => `${count(balance[share])} ${share.replace('_', ' ')}`);
  const words = `${count(balance.fetched)} fetched = ${parts.join(' + ') || '0'}`;
  const closed = balance.closed ? h('span', {class: 'good-text'}, ' ✓ closed') : h('span', {class: 'warn-text'}, ' open');
  return [bar, h('div', {class: 'hint'}, words, closed)];
}

function item(run: Run): HTMLElement {
  const when = run.finished_at ?? run.started_at ?? run.create_time;
  return h('li', {},
    h('div', {class: 'line'}, h('strong', {}, run.profile_id), statusTag(run.status),
      h('span', {class: 'soft'}, [run.drone_id, ago(when)].filter(Boolean).join(', '))),
    ...(run.balance ? balanceBar(run.balance) : []),
    run.error && h('div', {class: 'bad-text hint'}, run.error));
}

function draw(): void {
  cancelAnimationFrame(drawing);
  drawing = requestAnimationFrame(() => {
    const newest = [...runs.values()].sort((a, b) => Date.parse(b.create_time ?? '') - Date.parse(a.create_time ?? '')).slice(0, KEPT);
    runs.clear();
    for (const run of newest) runs.set(run.run_id, run);
    byId('runs').replaceChildren(newest.length > 0
      ? h('ul', {class: 'runs', tabindex: '0', 'aria-label': 'Newest runs'}, ...newest.map(item))
      : h('p', {class: 'soft'}, 'No runs yet.'));
  });
}

async function load(): Promise<void> {
  const page = await get<{runs: Run[]}>('/api/runs', {page_size: KEPT});
  for (const run of page.runs) runs.set(run.run_id, run);
  draw();
}

// Shows runs and follows them; `onEnded` hears of each run that ended since. Reconnects for ever.
export function followRuns(onEnded: (run: Run) => void): void {
  const live = byId('live');
  const source = new EventSource('/api/events');
  source.addEventListener('open', () => {
    live.textContent = 'live';
    load().catch((error: Error) => byId('runs').replaceChildren(h('p', {class: 'bad-text'}, error.message)));
  });
  source.addEventListener('run', (event) => {
    const run = (JSON.parse((event as MessageEvent<string>).data) as {run: Run}).run;
    const before = runs.get(run.run_id);
    runs.set(run.run_id, run);
    draw();
    if (ended(run) && !(before && ended(before))) onEnded(run);
  });
  source.addEventListener('error', () => {
    live.textContent = 'connecting …';
    // The browser tries again by itself unless the answer was an error; then start afresh, without the old position.
    if (source.readyState !== EventSource.CLOSED) return;
    window.setTimeout(() => followRuns(onEnded), 3000);
  });
  setInterval(draw, 30000);  // "3 min ago" moves on
}
