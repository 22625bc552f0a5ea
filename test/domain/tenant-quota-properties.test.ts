import fc from 'fast-check';
import { expect, it } from 'vitest';
import { tenantQuotaCodec } from '../../src/commands/tenant-quota-codec.ts';
import type { TenantQuotaCommand } from '../../src/domain/tenant-quota/commands.ts';
import { dayOf } from '../../src/domain/tenant-quota/day.ts';
import { tenantQuotaDecider } from '../../src/domain/tenant-quota/decider.ts';
import type { TenantQuotaEvent } from '../../src/domain/tenant-quota/events.ts';
import type { LimitName, QuotaTerms } from '../../src/domain/tenant-quota/limits.ts';
import type { TenantQuota } from '../../src/domain/tenant-quota/state.ts';
import { foldQuota, NOTHING_FOLDED } from '../support/folded-quota.ts';
import { DAY_MS, NOON, termsOf } from '../support/quota-states.ts';

interface Step {
  readonly command: TenantQuotaCommand;
  readonly before: TenantQuota | undefined;
  readonly events: readonly TenantQuotaEvent[];
  readonly after: TenantQuota | undefined;
}

/** Carries the commands out one after the other; refusals leave the quota as it is. */
function live(commands: readonly TenantQuotaCommand[]): readonly Step[] {
  let quota = tenantQuotaDecider.initial();
  return commands.map((command) => {
    const before = quota;
    const decision = tenantQuotaDecider.decide(command, before);
    const events = decision.kind === 'accepted' ? decision.events : [];
    for (const event of events) quota = tenantQuotaDecider.evolve(quota, event, command.at);
    return { command, before, events, after: quota };
  });
}

const few = fc.integer({ min: 0, max: 6 });
const limit = fc.option(few);
const terms: fc.Arbitrary<QuotaTerms> = fc
  .record({ jobsPerDay: limit, unfinishedJobs: limit })
  .chain((limits) => fc.constantFrom('reject', 'delay').map((onExceed) => termsOf(limits, { onExceed })));
/** Around two midnights, in any order: clocks of processes differ. */
const at = fc
  .constantFrom(-DAY_MS, -1, 0, 1, DAY_MS / 2 - 1, DAY_MS / 2, DAY_MS, 2 * DAY_MS)
  .map((ms) => NOON + ms);
const jobIds = fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 1, maxLength: 4 });
const limitName: fc.Arbitrary<LimitName> = fc.constantFrom('jobsPerDay', 'unfinishedJobs', 'payloadBytes');
const position = fc.integer({ min: 0, max: 12 }).map(String);
const reservationId = fc.constant('r');
const reason = fc.constantFrom('x', 'y');

const command: fc.Arbitrary<TenantQuotaCommand> = fc.oneof(
  fc.record({ type: fc.constant('SetTerms' as const), terms, at }),
  fc.record({ type: fc.constant('Reserve' as const), reservationId, jobIds, whole: fc.boolean(), at }),
  fc.record({
    type: fc.constant('Settle' as const),
    after: position,
    through: position,
    released: few,
    adopted: few,
    revived: few,
    duplicates: fc.constant([]),
    at,
  }),
  fc.record({
    type: fc.constant('NoteExceeded' as const),
    limit: limitName,
    value: few,
    used: few,
    refused: few,
    at,
  }),
  fc.record({ type: fc.constant('ResetQuota' as const), by: fc.constantFrom('day', 'person'), at }),
  fc.record({
    type: fc.constant('SuspendTenant' as const),
    mode: fc.constantFrom('claims', 'all'),
    reason,
    at,
  }),
  fc.record({ type: fc.constant('ResumeTenant' as const), at }),
);
const lives = fc.array(command, { maxLength: 30 });

function always(name: string, check: (step: Step) => void): void {
  it(name, () => {
    fc.assert(
      fc.property(lives, (commands) => live(commands).forEach(check)),
      { numRuns: 1000 },
    );
  });
}

it('the totals that an event carries are those that follow from all events so far', () => {
  fc.assert(
    fc.property(lives, (commands) => {
      let folded = NOTHING_FOLDED;
      let day: number | undefined;
      for (const { command, events } of live(commands))
        for (const event of events) {
          const { after } = event.data;
          folded = foldQuota(folded, event, after.day - (day ?? dayOf(command.at)));
          day = after.day;
          const { terms, unfinished, usedToday, usedAhead, settledThrough, suspension } = after;
          const suspended = suspension?.mode;
          expect({ terms, unfinished, usedToday, usedAhead, settledThrough, suspended }).toEqual(folded);
        }
    }),
    { numRuns: 1000 },
  );
});

always('a reservation never goes above a limit', ({ events }) => {
  for (const event of events) {
    if (event.type !== 'QuotaReserved') continue;
    const { after, ahead } = event.data;
    const { jobsPerDay, unfinishedJobs } = after.terms.limits;
    if (unfinishedJobs !== null) expect(after.unfinished).toBeLessThanOrEqual(unfinishedJobs);
    if (jobsPerDay === null) expect(ahead).toBe(0);
    else {
      if (ahead < event.data.jobIds.length) expect(after.usedToday).toBeLessThanOrEqual(jobsPerDay);
      expect(after.usedAhead).toBeLessThanOrEqual(
        after.terms.onExceed === 'delay' ? jobsPerDay : after.usedAhead,
      );
    }
  }
});

always(
  'what is reserved are the first ones of what was asked for, and all of it when whole',
  ({ command, events }) => {
    if (command.type !== 'Reserve') return;
    const reserved = events.find((event) => event.type === 'QuotaReserved');
    if (!reserved) return;
    expect(command.jobIds.slice(0, reserved.data.jobIds.length)).toEqual(reserved.data.jobIds);
    if (command.whole) expect(reserved.data.jobIds).toEqual(command.jobIds);
  },
);

always('a job more would have fitted nowhere when some are left out', ({ command, events, after }) => {
  if (command.type !== 'Reserve' || command.whole || !after) return;
  const reserved = events.find((event) => event.type === 'QuotaReserved');
  if (!reserved || reserved.data.jobIds.length === command.jobIds.length) return;
  const again = tenantQuotaDecider.decide({ ...command, jobIds: ['z'] }, after);
  expect(again).toEqual({ kind: 'rejected', reason: 'quota_exceeded' });
});

always('a command that was carried out changes nothing when it comes again', ({ command, after }) => {
  if (command.type === 'Reserve') return;
  const again = tenantQuotaDecider.decide(command, after);
  if (command.type === 'Settle') {
    const done = after?.settledThrough === command.through;
    if (done) expect(again).toEqual({ kind: 'rejected', reason: 'not_settled_there' });
  } else expect(again).toEqual({ kind: 'accepted', events: [] });
});

always('days and positions only go on', ({ before, after }) => {
  if (!before || !after) return;
  expect(after.day).toBeGreaterThanOrEqual(before.day);
  expect(BigInt(after.settledThrough)).toBeGreaterThanOrEqual(BigInt(before.settledThrough));
});

always('every event comes back from the log as it was', ({ command, events }) => {
  const metadata = {
    tenantId: 'acme',
    actor: { id: 'k1', auth: 'api_key' as const },
    correlationId: 'c',
    causationId: 'c',
    occurredAt: command.at,
  };
  for (const event of events)
    expect(tenantQuotaCodec.decode(tenantQuotaCodec.encode(event, metadata))).toEqual(event);
});
