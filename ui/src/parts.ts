// The parts of the control plane and their health, in the head of the page.
import {get, type Status} from './api.js';
import {byId, h} from './dom.js';

export async function refreshParts(): Promise<void> {
  const overall = byId('overall');
  try {
    const status = await get<Status>('/api/status');
    const ill = status.parts.filter((part) => part.health !== 'serving');
    overall.textContent = ill.length === 0 ? 'All parts serve' : `${ill.map((part) => part.part).join(', ')}: not serving`;
    overall.className = ill.length === 0 ? 'good-text' : 'bad-text';
    byId('version').textContent = `Chartly ${status.version}`;
    byId('parts').replaceChildren(...status.parts.map((part) => {
      const good = part.health === 'serving';
      const words = good ? `serves, answered in ${(part.latency_us / 1000).toFixed(1)} ms` : `${part.health.replace('_', ' ')} ${part.message}`;
      return h('li', {title: `${part.part} (${part.plane} plane): ${words}`, 'aria-label': `${part.part}: ${words}`},
        h('span', {class: `dot ${good ? 'good' : 'bad'}`}), part.part);
    }));
  } catch (error) {
    overall.textContent = (error as Error).message;
    overall.className = 'bad-text';
    byId('parts').replaceChildren();
  }
}
