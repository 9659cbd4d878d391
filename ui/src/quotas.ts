// Quotas of sources that all drones share, while there are any.
import {get, type SourceQuota} from './api.js';
import {byId, h} from './dom.js';

function words(quota: SourceQuota): string {
  const limit = `${quota.requests} requests in ${quota.period_ms / 1000} s`;
  const share = quota.share_percent < 100 ? `, ${quota.share_percent} % of it after the source was asked too often` : '';
  const paused = quota.paused_until ? `, left alone until ${new Date(quota.paused_until).toLocaleTimeString()}` : '';
  return `${quota.quota}: ${limit}${share}${paused}; ${quota.waiting_drones} drones wait`;
}

export async function refreshQuotas(): Promise<void> {
  const page = await get<{quotas: SourceQuota[]}>('/api/quotas').catch(() => ({quotas: []}));
  byId('quotas').replaceChildren(...page.quotas.map((quota) =>
    h('li', {class: quota.paused_until || quota.share_percent < 100 ? 'hint warn-text' : 'hint'}, words(quota))));
}
