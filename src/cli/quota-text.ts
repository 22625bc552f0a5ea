import type { Quota, QuotaHistoryEntry } from '../adapters/http/contract/quotas.ts';
import { numberText, plainText, sinceText } from './format.ts';
import type { Output } from './output.ts';

/** A quota document for people. */
export function quotaText(out: Output, quota: Quota): string {
  const { limits, usage, suspended, resetAt } = quota;
  return out.fields([
    ['tenant', quota.tenantId],
    ['plan', quota.plan ?? 'none'],
    ['jobsPerDay', `${ofText(usage.jobsPerDay, limits.jobsPerDay)}, anew ${sinceText(resetAt)}`],
    ['ahead', usage.ahead > 0 ? `${numberText(usage.ahead)} for the day after` : undefined],
    ['unfinishedJobs', ofText(usage.unfinishedJobs, limits.unfinishedJobs)],
    ['runningJobs', ofText(usage.runningJobs, limits.runningJobs)],
    ['rate', rateText(limits)],
    ['payloadBytes', limits.payloadBytes === null ? 'no limit' : numberText(limits.payloadBytes)],
    ['onExceed', quota.onExceed],
    ['weight', String(quota.weight)],
    ['suspended', suspended ? out.paint('red', suspendedText(suspended)) : undefined],
    ['revision', quota.revision === null ? undefined : String(quota.revision)],
  ]);
}

export const ofText = (used: number | null, limit: number | null): string =>
  `${used === null ? '?' : numberText(used)} of ${limit === null ? 'no limit' : numberText(limit)}`;

export const rateText = ({ enqueuesPerSecond, enqueueBurst }: Quota['limits']): string =>
  enqueuesPerSecond === null
    ? 'no limit'
    : `${numberText(enqueuesPerSecond)}/s, ${numberText(enqueueBurst ?? enqueuesPerSecond)} at once`;

export const suspendedText = ({ mode, reason, until }: NonNullable<Quota['suspended']>): string =>
  `${mode === 'all' ? 'takes and starts no jobs' : 'starts no jobs'}${until ? ` until ${until}` : ''}: ${plainText(reason)}`;

/** One line of the ledger in words. */
export function changeText({ change }: QuotaHistoryEntry): string {
  switch (change.kind) {
    case 'initialized':
    case 'limits_changed':
      return [termsText(change.terms), change.reason && plainText(change.reason)].filter(Boolean).join('; ');
    case 'usage': {
      const { reserved, ahead, released, adopted, revived } = change;
      const parts = [
        reserved > 0 && `${numberText(reserved)} taken`,
        ahead > 0 && `${numberText(ahead)} of them for the day after`,
        adopted > 0 && `${numberText(adopted)} came by themselves`,
        revived > 0 && `${numberText(revived)} brought back`,
        released > 0 && `${numberText(released)} ended`,
      ];
      return parts.filter(Boolean).join(', ');
    }
    case 'exceeded': {
      const { limit, value, used, refused, resetAt } = change;
      const anew = resetAt ? `; anew at ${resetAt}` : '';
      return `${limit} is ${numberText(value)} and ${numberText(used)} are used: ${numberText(refused)} refused${anew}`;
    }
    case 'reset':
      return `${change.by === 'day' ? 'a day began' : 'given its day back'}, ${numberText(change.used)} had been used${
        change.reason ? `; ${plainText(change.reason)}` : ''
      }`;
    case 'suspended':
      return suspendedText({ since: '', ...change });
    case 'resumed':
      return change.reason ? plainText(change.reason) : 'goes on';
  }
}

function termsText({ plan, limits, onExceed, weight }: QuotaHistoryEntry['after']['terms']): string {
  if (plan !== null) return `plan ${plan}`;
  const set = Object.entries(limits).filter(([, value]) => value !== null);
  const text = set.map(([name, value]) => `${name} ${numberText(value ?? 0)}`).join(', ') || 'no limits';
  return `${text}${onExceed === 'delay' ? ', delay' : ''}${weight === 1 ? '' : `, weight ${weight}`}`;
}
