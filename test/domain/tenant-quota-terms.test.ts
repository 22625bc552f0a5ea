import { describe } from 'vitest';
import { tenantQuotaDecider } from '../../src/domain/tenant-quota/decider.ts';
import type { TenantQuotaEvent } from '../../src/domain/tenant-quota/events.ts';
import type { TenantQuota } from '../../src/domain/tenant-quota/state.ts';
import { type Happened, scenarios } from '../support/given.ts';
import { leadingTo, NOON, quotaOf, termsOf } from '../support/quota-states.ts';

const at = NOON;
const free = termsOf({ jobsPerDay: 10 }, { plan: 'free' });
const pro = termsOf({ jobsPerDay: 1000 }, { plan: 'pro', weight: 3 });
const being = (quota: TenantQuota): readonly Happened<TenantQuotaEvent>[] => [[NOON - 1, leadingTo(quota)]];

describe('terms', () => {
  const set = (terms = pro, reason?: string) => ({ type: 'SetTerms', terms, reason, at }) as const;

  scenarios(tenantQuotaDecider, {
    'begin a quota': {
      given: [],
      when: set(free, 'signed up'),
      gives: [{ type: 'QuotaInitialized', data: { terms: free, reason: 'signed up', after: quotaOf(free) } }],
    },
    'change, and what is used stays': {
      given: being(quotaOf(free, { unfinished: 8, usedToday: 9, settledThrough: '7' })),
      when: set(pro, 'upgrade'),
      gives: [
        {
          type: 'QuotaLimitsChanged',
          data: {
            terms: pro,
            reason: 'upgrade',
            after: quotaOf(pro, { unfinished: 8, usedToday: 9, settledThrough: '7' }),
          },
        },
      ],
    },
    'that are those already change nothing': { given: being(quotaOf(pro)), when: set(), gives: [] },
    'of another plan with the same limits are other terms': {
      given: being(quotaOf(pro)),
      when: set({ ...pro, plan: 'team' }),
      gives: [
        {
          type: 'QuotaLimitsChanged',
          data: { terms: { ...pro, plan: 'team' }, after: quotaOf({ ...pro, plan: 'team' }) },
        },
      ],
    },
    'of a tenant that was suspended before it had any': {
      given: being(quotaOf(termsOf({}), { suspension: { mode: 'all', reason: 'unpaid', since: NOON - 5 } })),
      when: set(pro),
      gives: [
        {
          type: 'QuotaLimitsChanged',
          data: {
            terms: pro,
            after: quotaOf(pro, { suspension: { mode: 'all', reason: 'unpaid', since: NOON - 5 } }),
          },
        },
      ],
    },
  });
});

describe('suspending', () => {
  const suspend = (mode: 'claims' | 'all', reason: string, until?: number) =>
    ({ type: 'SuspendTenant', mode, reason, until, at }) as const;
  const present = { mode: 'claims', reason: 'unpaid', since: NOON - 500, until: undefined } as const;

  scenarios(tenantQuotaDecider, {
    'a tenant nobody knew': {
      given: [],
      when: suspend('all', 'fraud'),
      gives: [
        {
          type: 'TenantSuspended',
          data: {
            mode: 'all',
            reason: 'fraud',
            after: quotaOf(termsOf({}), { suspension: { mode: 'all', reason: 'fraud', since: NOON } }),
          },
        },
      ],
    },
    'again in the same way changes nothing': {
      given: being(quotaOf(free, { suspension: present })),
      when: suspend('claims', 'unpaid'),
      gives: [],
    },
    'again in another way keeps since when': {
      given: being(quotaOf(free, { suspension: present })),
      when: suspend('all', 'unpaid', NOON + 1000),
      gives: [
        {
          type: 'TenantSuspended',
          data: {
            mode: 'all',
            reason: 'unpaid',
            until: NOON + 1000,
            after: quotaOf(free, { suspension: { ...present, mode: 'all', until: NOON + 1000 } }),
          },
        },
      ],
    },
    'after the last one was over by itself begins anew': {
      given: being(quotaOf(free, { suspension: { ...present, until: NOON } })),
      when: suspend('claims', 'unpaid', NOON + 1000),
      gives: [
        {
          type: 'TenantSuspended',
          data: {
            mode: 'claims',
            reason: 'unpaid',
            until: NOON + 1000,
            after: quotaOf(free, { suspension: { ...present, since: NOON, until: NOON + 1000 } }),
          },
        },
      ],
    },
  });
});

describe('resuming', () => {
  const resume = { type: 'ResumeTenant', reason: 'paid', at } as const;
  const suspension = { mode: 'all', reason: 'unpaid', since: NOON - 500 } as const;

  scenarios(tenantQuotaDecider, {
    'a suspended tenant': {
      given: being(quotaOf(free, { suspension, unfinished: 3 })),
      when: resume,
      gives: [{ type: 'TenantResumed', data: { reason: 'paid', after: quotaOf(free, { unfinished: 3 }) } }],
    },
    'a tenant whose suspension is over': {
      given: being(quotaOf(free, { suspension: { ...suspension, until: NOON } })),
      when: resume,
      gives: [],
    },
    'a tenant that is not suspended': { given: being(quotaOf(free)), when: resume, gives: [] },
    'a tenant nobody knows': { given: [], when: resume, gives: [] },
  });
});

describe('refusals are written down', () => {
  const note = (when = at, limit: 'jobsPerDay' | 'unfinishedJobs' = 'jobsPerDay') =>
    ({ type: 'NoteExceeded', limit, value: 10, used: 10, refused: 41, resetAt: NOON + 1, at: when }) as const;
  const exceeded = (exceededAt: TenantQuota['exceededAt'], limit: 'jobsPerDay' | 'unfinishedJobs') =>
    ({
      type: 'QuotaExceeded',
      data: {
        limit,
        value: 10,
        used: 10,
        refused: 41,
        resetAt: NOON + 1,
        after: quotaOf(free, { exceededAt }),
      },
    }) as const;
  const lately = being(quotaOf(free, { exceededAt: { jobsPerDay: NOON } }));

  scenarios(tenantQuotaDecider, {
    'the first one at once': {
      given: being(quotaOf(free)),
      when: note(),
      gives: [exceeded({ jobsPerDay: NOON }, 'jobsPerDay')],
    },
    'not again within a minute': { given: lately, when: note(NOON + 59_999), gives: [] },
    'again after a minute': {
      given: lately,
      when: note(NOON + 60_000),
      gives: [exceeded({ jobsPerDay: NOON + 60_000 }, 'jobsPerDay')],
    },
    'for each limit on its own': {
      given: lately,
      when: note(NOON + 1, 'unfinishedJobs'),
      gives: [exceeded({ jobsPerDay: NOON, unfinishedJobs: NOON + 1 }, 'unfinishedJobs')],
    },
    'not again when a clock went back a little': { given: lately, when: note(NOON - 5_000), gives: [] },
    'again when the clock that wrote the last one was far ahead': {
      given: lately,
      when: note(NOON - 60_000),
      gives: [exceeded({ jobsPerDay: NOON - 60_000 }, 'jobsPerDay')],
    },
    'not for a tenant without a quota': { given: [], when: note(), gives: [] },
  });
});
