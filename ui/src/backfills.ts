// Backfills that go on, or ended with partitions that failed: how far they are, and what can be done with them.
import {change, get, type Backfill} from './api.js';
import {byId, h, toast} from './dom.js';

const CAN: Record<string, string[]> = {running: ['pause', 'cancel'], paused: ['resume', 'cancel'], failed: ['retry']};

async function act(backfill: Backfill, verb: string): Promise<void> {
  try {
    if (await change(`/api/backfills/${encodeURIComponent(backfill.backfill_id)}:${verb}`) !== undefined) await refreshBackfills();
  } catch (error) {
    toast((error as Error).message);
  }
}

function bar(backfill: Backfill): HTMLElement {
  const shares = [['stored', backfill.succeeded], ['lost', backfill.failed], ['duplicate', backfill.running]] as const;
  const left = backfill.partitions - shares.reduce((sum, [, partitions]) => sum + partitions, 0);
  const pieces = [...shares, ['', left] as const].map(([kind, partitions]) => {
    const piece = h('i', {class: kind});
    piece.style.flexGrow = String(partitions);
    return piece;
  });
  return h('div', {class: 'balance', 'aria-hidden': 'true'}, ...pieces);
}

function item(backfill: Backfill): HTMLElement {
  const day = (time: string): string => time.slice(0, 10);
  const counts = [[backfill.running, 'running'], [backfill.failed, 'failed']] as const;
  const words = [`${backfill.succeeded} of ${backfill.partitions} partitions done`,
    ...counts.filter(([partitions]) => partitions > 0).map(([partitions, state]) => `${partitions} ${state}`)].join(', ');
  const what = `backfill of ${backfill.profile_id}`;
  const why = backfill.message || backfill.reason;
  return h('li', {},
    h('div', {class: 'line'}, h('span', {}, `B${what.slice(1)}, ${day(backfill.range.start_time)} to ${day(backfill.range.end_time)}`),
      h('span', {class: 'tag'}, backfill.state),
      h('span', {class: 'pair end'}, ...(CAN[backfill.state] ?? []).map((verb) =>
        h('button', {'aria-label': `${verb} ${what}`, click: () => void act(backfill, verb)}, (verb[0] ?? '').toUpperCase() + verb.slice(1))))),
    bar(backfill), h('div', {class: backfill.failed > 0 ? 'hint warn-text' : 'hint'}, why ? `${words}: ${why}` : words));
}

export async function refreshBackfills(): Promise<void> {
  const page = await get<{backfills: Backfill[]}>('/api/backfills?page_size=20').catch(() => ({backfills: []}));
  byId('backfills').replaceChildren(...page.backfills.filter((backfill) => backfill.state in CAN).map(item));
}
