// What the page shows, kept in the hash of its address, so that a view can be shared and the back button works.

export interface State {
  left: string;     // profile:measure
  right: string;
  join: string[];   // dims, or left=right
  leftFilter: string;
  rightFilter: string;
  more: string[];   // further measures, profile:measure
  kind: string;     // inner, left or outer
  steps: string;    // one a line
  scale: string;    // auto, linear or log
  profile: string;  // of the records table
  filter: string;
  page: string;     // page token
}

const NAMES: Record<keyof State, string> = {
  left: 'left', right: 'right', join: 'join', leftFilter: 'left-filter', rightFilter: 'right-filter', more: 'more', kind: 'kind',
  steps: 'steps', scale: 'scale',
  profile: 'profile', filter: 'filter', page: 'page',
};

export function readState(): State {
  const hash = new URLSearchParams(location.hash.slice(1));
  const text = (name: keyof State): string => hash.get(NAMES[name]) ?? '';
  return {
    left: text('left'), right: text('right'), join: text('join').split(',').filter(Boolean),
    leftFilter: text('leftFilter'), rightFilter: text('rightFilter'), more: text('more').split(',').filter(Boolean),
    kind: text('kind') || 'inner', steps: text('steps'), scale: text('scale') || 'auto',
    profile: text('profile'), filter: text('filter'), page: text('page'),
  };
}

// `remember`: as a new step of the history.
export function writeState(change: Partial<State>, remember = true): void {
  const state = {...readState(), ...change};
  const hash = new URLSearchParams();
  for (const name of Object.keys(NAMES) as (keyof State)[]) {
    const value = String(state[name]);
    const standard = (name === 'scale' && value === 'auto') || (name === 'kind' && value === 'inner');
    if (value && !standard) hash.set(NAMES[name], value);
  }
  const target = `#${hash}`;
  if (target === location.hash) return;
  if (remember) history.pushState(null, '', target);
  else history.replaceState(null, '', target);
}
