// What the page shows, kept in the hash of its address, so that a view can be shared and the back button works.

export interface State {
  left: string;     // profile:measure
  right: string;
  join: string[];   // dims, or left=right
  leftFilter: string;
  rightFilter: string;
  scale: string;    // auto, linear or log
  profile: string;  // of the records table
  filter: string;
  page: string;     // page token
}

const NAMES: Record<keyof State, string> = {
  left: 'left', right: 'right', join: 'join', leftFilter: 'left-filter', rightFilter: 'right-filter', scale: 'scale',
  profile: 'profile', filter: 'filter', page: 'page',
};

export function readState(): State {
  const hash = new URLSearchParams(location.hash.slice(1));
  const text = (name: keyof State): string => hash.get(NAMES[name]) ?? '';
  return {
    left: text('left'), right: text('right'), join: text('join').split(',').filter(Boolean),
    leftFilter: text('leftFilter'), rightFilter: text('rightFilter'), scale: text('scale') || 'auto',
    profile: text('profile'), filter: text('filter'), page: text('page'),
  };
}

// `remember`: as a new step of the history.
export function writeState(change: Partial<State>, remember = true): void {
  const state = {...readState(), ...change};
  const hash = new URLSearchParams();
  for (const name of Object.keys(NAMES) as (keyof State)[]) {
    const value = String(state[name]);
    if (value && !(name === 'scale' && value === 'auto')) hash.set(NAMES[name], value);
  }
  const target = `#${hash}`;
  if (target === location.hash) return;
  if (remember) history.pushState(null, '', target);
  else history.replaceState(null, '', target);
}
