// The profiles: state, last run, and the two things to do with them.
import {change, get, type ChannelPointer, type Profile, type ProfileStatus, type Run} from './api.js';
import {byId, h, toast} from './dom.js';
import {ago, count, duration} from './format.js';
import {statusTag} from './runs.js';

const PAGE = 25;
let tokens = [''];  // of the pages up to this one
const lastRuns = new Map<string, Run>();
const statuses = new Map<string, ProfileStatus>();
const channels = new Map<string, ChannelPointer[]>();  // of profiles that use them
const CHANNELS = ['dev', 'staging', 'prod'];

function stateOf(profile: Profile): HTMLElement {
  if (profile.unreleased) return h('span', {class: 'tag soft'}, 'not released');
  if (profile.paused) return h('span', {class: 'tag warn-text'}, 'paused');
  if (!profile.enabled) return h('span', {class: 'tag soft'}, 'by hand');
  return h('span', {class: 'tag'}, `every ${duration(profile.interval)}`);
}

// How its data does, from what arrived; and how a new revision does, while that matters.
function dataCell(status: ProfileStatus | undefined): HTMLElement {
  if (!status || status.health === 'unspecified') return h('td', {class: 'soft'}, '–');
  const kind: Record<string, string> = {fresh: 'good', late: 'warn', silent: 'bad', broken: 'bad'};
  const cause = status.cause && status.cause !== 'unspecified' ? `: ${status.cause}` : '';
  const rollout = status.rollout;
  const moved = rollout && rollout.state !== 'succeeded';
  return h('td', {},
    h('span', {class: 'tag', title: status.detail || undefined}, h('span', {class: `dot ${kind[status.health] ?? ''}`}), `${status.health}${cause}`),
    moved && h('div', {class: rollout.state === 'running' ? 'hint' : 'hint bad-text'},
      rollout.state === 'running'
        ? `new revision in ring ${rollout.ring} of ${rollout.rings}, ${rollout.good_runs} of ${rollout.runs_wanted} runs good`
        : `new revision ${rollout.state.replace('_', ' ')} in ring ${rollout.ring}: ${rollout.message}`));
}

// What came of the last text that was tried over what a run fetched.
function shadowLine(status: ProfileStatus | undefined): HTMLElement | null {
  const shadow = status?.shadow;
  if (!shadow) return null;
  const what = `shadow of ${shadow.version}`;
  if (shadow.state !== 'done' || !shadow.result) return h('div', {class: 'hint'}, `${what} ${shadow.state}${shadow.message ? `: ${shadow.message}` : ''}`);
  const {same, changed, lost, added, fields} = shadow.result;
  const differ = fields.map((field) => `${field.field} in ${count(field.records)}`).join(', ');
  return h('div', {class: 'hint', title: differ || undefined},
    `${what}: ${count(same)} same, ${count(changed)} changed, ${count(lost)} lost, ${count(added)} new`);
}

function lastRunCell(run: Run | undefined): HTMLElement {
  if (!run) return h('td', {class: 'soft'}, 'none yet');
  return h('td', {title: run.error || undefined}, statusTag(run.status),
    h('div', {class: 'hint'}, `${count(run.rows_out)} records, ${ago(run.finished_at ?? run.started_at ?? run.create_time)}`));
}

async function act(path: string, done: string, body: unknown = {}): Promise<void> {
  try {
    if (await change(path, body) === undefined) return;
    toast(done);
    await refreshProfiles();
  } catch (error) {
    toast((error as Error).message);
  }
}

// "dev 1.2.0 · staging 1.1.0 · prod 1.1.0", with a button where something can go on.
function channelLine(profile: Profile, path: string): HTMLElement | null {
  const pointers = channels.get(profile.id);
  if (!pointers) return null;
  const at = (channel: string): ChannelPointer | undefined => pointers.find((pointer) => pointer.channel === channel);
  const line = h('div', {class: 'hint'}, pointers.map((pointer) => `${pointer.channel} ${pointer.version}`).join(' · '));
  for (const [place, channel] of CHANNELS.entries()) {
    const from = place > 0 ? at(CHANNELS[place - 1] ?? '') : undefined;
    const to = at(channel);
    if (!from || from.revision === to?.revision || (to && to.generation > from.generation)) continue;
    line.append(' ', h('button', {'aria-label': `Promote ${profile.id} ${from.version} to ${channel}`,
      click: () => void act(`${path}:promote`, `${profile.id} ${from.version} is in ${channel}`, {channel, revision: from.revision})},
      `Promote to ${channel}`));
  }
  return line;
}

function signedBy(profile: Profile): string {
  return profile.signatures.length === 0 ? '' : `, signed by ${profile.signatures.map((signature) => signature.key_id).join(', ')}`;
}

function row(profile: Profile): HTMLElement {
  const path = `/api/profiles/${encodeURIComponent(profile.id)}`;
  const verb = profile.paused ? 'resume' : 'pause';
  return h('tr', {},
    h('td', {}, h('div', {title: profile.description || undefined}, profile.display_name || profile.id),
      h('div', {class: 'hint'}, `${profile.id} ${profile.version}${signedBy(profile)}`), channelLine(profile, path),
      shadowLine(statuses.get(profile.id))),
    h('td', {}, stateOf(profile)),
    dataCell(statuses.get(profile.id)),
    lastRunCell(lastRuns.get(profile.id)),
    h('td', {}, h('div', {class: 'pair'},
      h('button', {'aria-label': `Run ${profile.id} now`, click: () => void act(`${path}:runNow`, `${profile.id} is on its way`)}, 'Run now'),
      h('button', {'aria-label': `${verb} ${profile.id}`, click: () => void act(`${path}:${verb}`, `${profile.id}: ${verb}d`)},
        verb === 'pause' ? 'Pause' : 'Resume'))));
}

function pager(next: string): HTMLElement | null {
  if (!next && tokens.length === 1) return null;
  const go = (change_: () => void) => (): void => { change_(); void refreshProfiles(); };
  return h('p', {class: 'pager'},
    h('button', {disabled: tokens.length === 1, click: go(() => tokens.pop())}, 'Back'),
    h('button', {disabled: !next, click: go(() => tokens.push(next))}, 'Next'),
    h('span', {class: 'hint'}, `Page ${tokens.length}`));
}

// All profiles, for the choices elsewhere on the page; at most 1000.
export async function allProfiles(): Promise<Profile[]> {
  return (await get<{profiles: Profile[]}>('/api/profiles', {page_size: 1000})).profiles;
}

export async function refreshProfiles(): Promise<void> {
  const place = byId('profiles');
  try {
    const page = await get<{profiles: Profile[]; next_page_token: string}>(
      '/api/profiles', {page_size: PAGE, page_token: tokens[tokens.length - 1]});
    await Promise.all(page.profiles.map(async (profile) => {
      const status = await get<ProfileStatus>(`/api/profiles/${encodeURIComponent(profile.id)}/status`).catch(() => undefined);
      if (status) statuses.set(profile.id, status);
      if (status?.last_run) lastRuns.set(profile.id, status.last_run);
      channels.delete(profile.id);
      if (!profile.uses_channels) return;
      const told = await get<{pointers: ChannelPointer[]}>(`/api/profiles/${encodeURIComponent(profile.id)}/channels`).catch(() => undefined);
      if (told) channels.set(profile.id, told.pointers);
    }));
    if (page.profiles.length === 0) {
      place.replaceChildren(h('p', {class: 'soft'}, 'No profiles yet. Create one with: chartly profile apply FILE'));
      return;
    }
    const heads = ['Profile', 'Schedule', 'Data', 'Last run', 'Actions'].map((text) => h('th', {scope: 'col'}, text));
    place.replaceChildren(h('div', {class: 'scroll'},
      h('table', {}, h('thead', {}, h('tr', {}, ...heads)), h('tbody', {}, ...page.profiles.map(row)))), pager(page.next_page_token) ?? '');
  } catch (error) {
    place.replaceChildren(h('p', {class: 'bad-text'}, (error as Error).message));
  }
}
