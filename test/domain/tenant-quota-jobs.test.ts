import { describe } from 'vitest';
import { tenantQuotaDecider } from '../../src/domain/tenant-quota/decider.ts';
import type { TenantQuotaEvent } from '../../src/domain/tenant-quota/events.ts';
import type { TenantQuota } from '../../src/domain/tenant-quota/state.ts';
import { type Happened, scenarios } from '../support/given.ts';
import { DAY_MS, leadingTo, NOON, quotaOf, termsOf } from '../support/quota-states.ts';

const TODAY = Math.floor(NOON / DAY_MS);
const at = NOON;

const being = (quota: TenantQuota): readonly Happened<TenantQuotaEvent>[] => [[NOON - 1, leadingTo(quota)]];
const reserve = (jobIds: readonly string[], when = at, whole = false) =>
  ({ type: 'Reserve', reservationId: 'r1', jobIds, whole, at: when }) as const;
const reserved = (jobIds: readonly string[], after: TenantQuota, ahead = 0): TenantQuotaEvent => ({
  type: 'QuotaReserved',
  data: { reservationId: 'r1', jobIds, ahead, after },
});
const begun = (used: number, after: TenantQuota): TenantQuotaEvent => ({
  type: 'QuotaReset',
  data: { by: 'day', used, after },
});

describe('reserving', () => {
  const five = termsOf({ unfinishedJobs: 5 });
  const daily = termsOf({ jobsPerDay: 10 });
  const putOff = termsOf({ jobsPerDay: 10, unfinishedJobs: 100 }, { onExceed: 'delay' });
  const shut = { mode: 'all', reason: 'unpaid', since: NOON - 10 } as const;

  scenarios(tenantQuotaDecider, {
    'all that fit are counted': {
      given: being(quotaOf(five, { unfinished: 2, usedToday: 7 })),
      when: reserve(['a', 'b']),
      gives: [reserved(['a', 'b'], quotaOf(five, { unfinished: 4, usedToday: 9 }))],
    },
    'the first ones get the slots that are left': {
      given: being(quotaOf(five, { unfinished: 4 })),
      when: reserve(['a', 'b', 'c']),
      gives: [reserved(['a'], quotaOf(five, { unfinished: 5, usedToday: 1 }))],
    },
    'a full tenant gets none': {
      given: being(quotaOf(five, { unfinished: 5 })),
      when: reserve(['a']),
      gives: 'quota_exceeded',
    },
    'a tenant above a lowered limit gets none': {
      given: being(quotaOf(five, { unfinished: 9 })),
      when: reserve(['a']),
      gives: 'quota_exceeded',
    },
    'all or none gets none when one does not fit': {
      given: being(quotaOf(five, { unfinished: 4 })),
      when: reserve(['a', 'b'], at, true),
      gives: 'quota_exceeded',
    },
    'all or none gets all when all fit': {
      given: being(quotaOf(five, { unfinished: 3 })),
      when: reserve(['a', 'b'], at, true),
      gives: [reserved(['a', 'b'], quotaOf(five, { unfinished: 5, usedToday: 2 }))],
    },
    'the tighter of two limits counts': {
      given: being(quotaOf(termsOf({ jobsPerDay: 10, unfinishedJobs: 5 }), { usedToday: 9 })),
      when: reserve(['a', 'b', 'c']),
      gives: [
        reserved(
          ['a'],
          quotaOf(termsOf({ jobsPerDay: 10, unfinishedJobs: 5 }), { unfinished: 1, usedToday: 10 }),
        ),
      ],
    },
    'a limit of nothing lets nothing in': {
      given: being(quotaOf(termsOf({ jobsPerDay: 0 }))),
      when: reserve(['a']),
      gives: 'quota_exceeded',
    },
    'a tenant without limits is counted all the same': {
      given: [],
      when: reserve(['a']),
      gives: [reserved(['a'], quotaOf(termsOf({}), { unfinished: 1, usedToday: 1 }))],
    },
    'a tenant that may not enqueue gets none': {
      given: being(quotaOf(five, { suspension: shut })),
      when: reserve(['a']),
      gives: 'tenant_suspended',
    },
    'a tenant whose claims are suspended may reserve': {
      given: being(quotaOf(five, { suspension: { ...shut, mode: 'claims' } })),
      when: reserve(['a']),
      gives: [
        reserved(
          ['a'],
          quotaOf(five, { unfinished: 1, usedToday: 1, suspension: { ...shut, mode: 'claims' } }),
        ),
      ],
    },
    'a suspension that is over by itself refuses nothing': {
      given: being(quotaOf(five, { suspension: { ...shut, until: at } })),
      when: reserve(['a']),
      gives: [
        reserved(['a'], quotaOf(five, { unfinished: 1, usedToday: 1, suspension: { ...shut, until: at } })),
      ],
    },
    'the last millisecond before midnight is still today': {
      given: being(quotaOf(daily, { usedToday: 10 })),
      when: reserve(['a'], (TODAY + 1) * DAY_MS - 1),
      gives: 'quota_exceeded',
    },
    'midnight begins a new day': {
      given: being(quotaOf(daily, { usedToday: 10, unfinished: 3 })),
      when: reserve(['a'], (TODAY + 1) * DAY_MS),
      gives: [
        begun(10, quotaOf(daily, { unfinished: 3, day: TODAY + 1 })),
        reserved(['a'], quotaOf(daily, { unfinished: 4, day: TODAY + 1, usedToday: 1 })),
      ],
    },
    'a clock that went back stays in the day that has begun': {
      given: being(quotaOf(daily, { usedToday: 9 })),
      when: reserve(['a', 'b'], NOON - DAY_MS),
      gives: [reserved(['a'], quotaOf(daily, { unfinished: 1, usedToday: 10 }))],
    },
    'what is above the day is for tomorrow, if the terms say so': {
      given: being(quotaOf(putOff, { usedToday: 9 })),
      when: reserve(['a', 'b', 'c']),
      gives: [reserved(['a', 'b', 'c'], quotaOf(putOff, { unfinished: 3, usedToday: 10, usedAhead: 2 }), 2)],
    },
    'no more than one more day is accepted ahead': {
      given: being(quotaOf(putOff, { usedToday: 10, usedAhead: 9 })),
      when: reserve(['a', 'b']),
      gives: [reserved(['a'], quotaOf(putOff, { unfinished: 1, usedToday: 10, usedAhead: 10 }), 1)],
    },
    'a day and the one after it full is full': {
      given: being(quotaOf(putOff, { usedToday: 10, usedAhead: 10 })),
      when: reserve(['a']),
      gives: 'quota_exceeded',
    },
    'unfinished jobs are never put off': {
      given: being(quotaOf(putOff, { unfinished: 99, usedToday: 10 })),
      when: reserve(['a', 'b']),
      gives: [reserved(['a'], quotaOf(putOff, { unfinished: 100, usedToday: 10, usedAhead: 1 }), 1)],
    },
    'what was accepted ahead is used when its day begins': {
      given: being(quotaOf(putOff, { usedToday: 10, usedAhead: 8 })),
      when: reserve(['a'], NOON + DAY_MS),
      gives: [
        begun(10, quotaOf(putOff, { day: TODAY + 1, usedToday: 8 })),
        reserved(['a'], quotaOf(putOff, { day: TODAY + 1, usedToday: 9, unfinished: 1 })),
      ],
    },
    'what was accepted ahead is over with its day': {
      given: being(quotaOf(putOff, { usedToday: 10, usedAhead: 8 })),
      when: reserve(['a'], NOON + 2 * DAY_MS),
      gives: [
        begun(10, quotaOf(putOff, { day: TODAY + 2 })),
        reserved(['a'], quotaOf(putOff, { day: TODAY + 2, usedToday: 1, unfinished: 1 })),
      ],
    },
  });
});

describe('settling', () => {
  const terms = termsOf({ unfinishedJobs: 5, jobsPerDay: 100 });
  const counted = { released: 2, adopted: 3, revived: 1, duplicates: [] } as const;
  const settle = (after: string, through: string, when = at) =>
    ({ type: 'Settle', after, through, ...counted, at: when }) as const;
  const released = (through: string, after: TenantQuota): TenantQuotaEvent => ({
    type: 'QuotaReleased',
    data: { through, ...counted, after },
  });

  scenarios(tenantQuotaDecider, {
    'slots are freed and taken as was counted': {
      given: being(quotaOf(terms, { unfinished: 4, usedToday: 6, settledThrough: '10' })),
      when: settle('10', '20'),
      gives: [released('20', quotaOf(terms, { unfinished: 6, usedToday: 9, settledThrough: '20' }))],
    },
    'jobs from before there was a quota were not enqueued on this day': {
      given: being(quotaOf(terms)),
      when: settle('0', '20'),
      gives: [released('20', quotaOf(terms, { unfinished: 2, settledThrough: '20' }))],
    },
    'what is settled is not settled again': {
      given: being(quotaOf(terms, { settledThrough: '20' })),
      when: settle('10', '20'),
      gives: 'not_settled_there',
    },
    'a count that leaves something out is refused': {
      given: being(quotaOf(terms, { settledThrough: '20' })),
      when: settle('30', '40'),
      gives: 'not_settled_there',
    },
    'positions are compared as numbers': {
      given: being(quotaOf(terms, { settledThrough: '9' })),
      when: settle('9', '10'),
      gives: [released('10', quotaOf(terms, { unfinished: 2, usedToday: 3, settledThrough: '10' }))],
    },
    'nothing is settled backwards': {
      given: being(quotaOf(terms, { settledThrough: '10' })),
      when: settle('10', '9'),
      gives: 'not_settled_there',
    },
    'jobs that came after midnight count for the new day': {
      given: being(quotaOf(terms, { usedToday: 50, settledThrough: '10' })),
      when: settle('10', '20', NOON + DAY_MS),
      gives: [
        begun(50, quotaOf(terms, { day: TODAY + 1, settledThrough: '10' })),
        released('20', quotaOf(terms, { day: TODAY + 1, unfinished: 2, usedToday: 3, settledThrough: '20' })),
      ],
    },
    'a tenant without a quota is not settled': {
      given: [],
      when: settle('0', '1'),
      gives: 'not_settled_there',
    },
  });
});

describe('a new day', () => {
  const terms = termsOf({ jobsPerDay: 100 });
  const reset = (by: 'day' | 'person', when: number, reason?: string) =>
    ({ type: 'ResetQuota', by, reason, at: when }) as const;

  scenarios(tenantQuotaDecider, {
    'begins once': {
      given: being(quotaOf(terms, { usedToday: 5, day: TODAY })),
      when: reset('day', NOON),
      gives: [],
    },
    'begins with what was accepted ahead': {
      given: being(quotaOf(terms, { usedToday: 100, usedAhead: 5 })),
      when: reset('day', NOON + DAY_MS),
      gives: [begun(100, quotaOf(terms, { usedToday: 5, day: TODAY + 1 }))],
    },
    'does not begin again when a clock goes back': {
      given: being(quotaOf(terms, { usedToday: 5 })),
      when: reset('day', NOON - 3 * DAY_MS),
      gives: [],
    },
    'is given by a person': {
      given: being(quotaOf(terms, { usedToday: 100, usedAhead: 5, unfinished: 9 })),
      when: reset('person', NOON, 'our fault'),
      gives: [
        {
          type: 'QuotaReset',
          data: { by: 'person', used: 100, reason: 'our fault', after: quotaOf(terms, { unfinished: 9 }) },
        },
      ],
    },
    'is not given when nothing was used': {
      given: being(quotaOf(terms)),
      when: reset('person', NOON),
      gives: [],
    },
    'says nothing to a tenant without a quota': { given: [], when: reset('person', NOON), gives: [] },
  });
});
