// Backfills that go on, or ended with partitions that failed.
import {get, type Backfill} from './api.js';
import {byId, h} from './dom.js';

function words(backfill: Backfill): string {
  const day = (time: string) => time.slice(0, 10);
  const failed = backfill.failed ? `, ${backfill.failed} failed` : '';
  const why = backfill.message || backfill.reason ? ` (${backfill.message || backfill.reason})` : '';
  return `Backfill of ${backfill.profile_id} from ${day(backfill.range.start_time)} to ${day(backfill.range.end_time)}: ` +
    `${backfill.state}, ${backfill.succeeded} of ${backfill.partitions} partitions done${failed}${why}`;
}

export async function refreshBackfills(): Promise<void> {
  const page = await get<{backfills: Backfill[]}>('/api/backfills?page_size=20').catch(() => ({backfills: []}));
  const shown = page.backfills.filter((backfill) => ['running', 'paused', 'failed'].includes(backfill.state));
  byId('backfills').replaceChildren(...shown.map((backfill) =>
    h('li', {class: backfill.failed || backfill.state === 'paused' ? 'hint warn-text' : 'hint'}, words(backfill))));
}
