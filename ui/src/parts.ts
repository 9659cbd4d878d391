// The parts of the control plane and their health, in the head of the page.
import {get, type Part, type Status} from './api.js';
import {byId, h} from './dom.js';

const isWell = (part: Part): boolean => part.health === 'serving';
const isDegraded = (part: Part): boolean => part.health === 'degraded';

function wordsOf(part: Part): string {
  if (isWell(part)) return `serves, answered in ${(part.latency_us / 1000).toFixed(1)} ms`;
  const state = {degraded: 'is degraded', unreachable: 'does not answer'}[part.health] ?? 'does not serve';
  return part.message === '' ? state : `${state}: ${part.message}`;
}

// What is wrong, in words where there is room for them: one part with its reason, several by name.
function overallOf(ill: Part[]): string {
  const [first] = ill;
  if (first === undefined) return 'All parts serve';
  if (ill.length === 1) return `${first.part} ${wordsOf(first)}`;
  return ill.map((part) => `${part.part} ${wordsOf({...part, message: ''})}`).join(', ');
}

export async function refreshParts(): Promise<void> {
  const overall = byId('overall');
  try {
    const status = await get<Status>('/api/status');
    const ill = status.parts.filter((part) => !isWell(part));
    overall.textContent = overallOf(ill);
    overall.className = ill.length === 0 ? 'good-text' : ill.every(isDegraded) ? 'warn-text' : 'bad-text';
    byId('version').textContent = `Chartly ${status.version}`;
    byId('parts').replaceChildren(...status.parts.map((part) => {
      const words = wordsOf(part);
      return h('li', {title: `${part.part} (${part.plane} plane): ${words}`, 'aria-label': `${part.part}: ${words}`},
        h('span', {class: `dot ${isWell(part) ? 'good' : isDegraded(part) ? 'warn' : 'bad'}`}), part.part);
    }));
  } catch (error) {
    overall.textContent = (error as Error).message;
    overall.className = 'bad-text';
    byId('parts').replaceChildren();
  }
}
