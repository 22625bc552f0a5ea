import { expect, it } from 'vitest';
import { createMemoryEventLog } from '../../src/adapters/memory/event-log.ts';
import { NO_STREAM } from '../../src/commands/ports.ts';
import { createQuotaHandler } from '../../src/commands/quota-handler.ts';
import { systemMetadata } from '../../src/commands/system-metadata.ts';
import type { TenantQuotaCommand } from '../../src/domain/tenant-quota/commands.ts';
import { bound } from '../support/gated.ts';
import { NOON, termsOf } from '../support/quota-states.ts';

const TERMS = termsOf({ unfinishedJobs: 1 });
const setTerms = (unfinishedJobs: number): TenantQuotaCommand => ({
  type: 'SetTerms',
  terms: termsOf({ unfinishedJobs }),
  at: NOON,
});
const reserve = { type: 'Reserve', reservationId: 'r', jobIds: ['a'], whole: false, at: NOON } as const;
const metadata = () => systemMetadata('test', 'acme', crypto.randomUUID(), NOON);

function setUp() {
  const log = createMemoryEventLog();
  const reads: number[] = [];
  const handler = createQuotaHandler({
    ...bound(log),
    async readStream(stream, options) {
      const events = await log.readStream(stream, options);
      reads.push(events.length);
      return events;
    },
  });
  return {
    log,
    reads,
    handler,
    do: (command: TenantQuotaCommand) => handler.handle({ command, metadata: metadata() }),
  };
}

it('a quota is known from one event, however long its stream is', async () => {
  const { handler, reads, do: carryOut } = setUp();
  for (let limit = 1; limit <= 5; limit += 1) await carryOut(setTerms(limit));
  reads.length = 0;
  expect(await handler.load('acme')).toMatchObject({
    revision: 4,
    state: { terms: { limits: { unfinishedJobs: 5 } } },
  });
  expect(reads).toEqual([1]);
});

it('a tenant without a quota has none', async () => {
  expect(await setUp().handler.load('acme')).toEqual({ state: undefined, revision: NO_STREAM });
});

it('a refusal on what the caller believed is looked into', async () => {
  const { handler, do: carryOut } = setUp();
  await carryOut(setTerms(0));
  const assume = await handler.load('acme');
  await carryOut(setTerms(1));
  expect(await handler.handle({ command: reserve, metadata: metadata(), assume })).toMatchObject({
    kind: 'accepted',
    revision: 2,
  });
});

it('what the caller believed to be so already is looked into', async () => {
  const { handler, do: carryOut } = setUp();
  await carryOut(setTerms(1));
  const assume = await handler.load('acme');
  await carryOut(setTerms(2));
  const again = await handler.handle({ command: setTerms(1), metadata: metadata(), assume });
  expect(again).toMatchObject({ kind: 'accepted', revision: 2, events: [{ type: 'QuotaLimitsChanged' }] });
});

it('a lost race is decided anew', async () => {
  const { handler, do: carryOut } = setUp();
  await carryOut(setTerms(1));
  const assume = await handler.load('acme');
  await carryOut(reserve);
  const command = { ...reserve, reservationId: 's', jobIds: ['b'] };
  expect(await handler.attempt({ command, metadata: metadata(), assume })).toMatchObject({
    kind: 'conflict',
  });
  expect(await handler.handle({ command, metadata: metadata(), assume })).toMatchObject({
    kind: 'rejected',
    reason: 'quota_exceeded',
  });
});

it('a command for another revision is refused', async () => {
  const { handler, do: carryOut } = setUp();
  await carryOut({ type: 'SetTerms', terms: TERMS, at: NOON });
  const late = { command: setTerms(9), metadata: metadata(), onlyAtRevision: 3 };
  expect(await handler.handle(late)).toMatchObject({ kind: 'revision_mismatch', revision: 0 });
});

it('gives up a race that it always loses', async () => {
  const { log } = setUp();
  const loses = createQuotaHandler({
    ...bound(log),
    append: async (requests) => requests.map(() => ({ kind: 'conflict', actualRevision: 7 })),
  });
  expect(await loses.handle({ command: setTerms(1), metadata: metadata() })).toEqual({ kind: 'contended' });
});
