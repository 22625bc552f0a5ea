import { expect, it } from 'vitest';
import { BulkOperations, type BulkOperationsDeps } from '../../src/adapters/http/bulk-operations.ts';
import type {
  OpenOperation,
  OperationCounts,
  OperationStore,
} from '../../src/adapters/http/operation-store.ts';
import { systemIds } from '../../src/adapters/system.ts';
import { LogUnavailableError } from '../../src/commands/ports.ts';

const notNeeded = () => Promise.reject(new Error('not needed here'));

/** One operation, on two jobs unless others are given, as a store keeps it. */
function oneOperation(ids: readonly string[] = ['a', 'b']) {
  let state: { cursor: string | null } & OperationCounts = { cursor: null, seen: 0, changed: 0, refused: 0 };
  let finished: { readonly counts: OperationCounts; readonly error: string | undefined } | undefined;
  const operation = {
    operationId: '0199aaaa-bbbb-7ccc-8ddd-eeeeffff0000',
    order: { action: 'cancel', ids },
    caller: { tenantId: 'acme', actor: { id: 'ops', auth: 'in_process' }, correlationId: 'c' },
  } as const;
  const store: OperationStore = {
    create: notNeeded,
    get: notNeeded,
    list: notNeeded,
    abort: notNeeded,
    take: async () => (finished ? undefined : ({ ...operation, ...state } as unknown as OpenOperation)),
    async save(_id, cursor, counts) {
      state = { cursor, ...counts };
      return true;
    },
    async finish(_id, counts, error) {
      finished = { counts, error };
      stop.abort();
    },
  };
  const stop = new AbortController();
  return { store, signal: stop.signal, finished: () => finished };
}

function operationsWith(
  store: OperationStore,
  cancelJob: () => Promise<{ readonly kind: 'changed' }>,
  keyEnd: BulkOperationsDeps['keyEnd'] = async () => undefined,
) {
  const useCases = {
    cancelJob,
    retryJob: notNeeded,
    replayDeadLetter: notNeeded,
    purgeDeadLetter: notNeeded,
  };
  const queries = { listJobs: notNeeded, listDeadLetters: notNeeded };
  return new BulkOperations({ store, queries, useCases: useCases as never, keyEnd, ids: systemIds() });
}

it.each([
  ['the log', () => new LogUnavailableError('away')],
  ['the database', () => Object.assign(new Error('shutting down'), { code: '57P01' })],
])('an operation is gone on with after %s was away', async (_name, away) => {
  const { store, signal, finished } = oneOperation();
  let isAway = true;
  const operations = operationsWith(store, async () => {
    if (isAway) throw away();
    return { kind: 'changed' };
  });
  await expect(operations.run(signal)).rejects.toThrow();
  expect(finished()).toBeUndefined();
  isAway = false;
  await operations.run(signal);
  expect(finished()).toEqual({ counts: { seen: 2, changed: 2, refused: 0 }, error: undefined });
});

it('an operation that meets a bug ends with what it says', async () => {
  const { store, signal, finished } = oneOperation();
  const operations = operationsWith(store, () => Promise.reject(new TypeError('x is not a function')));
  await operations.run(signal);
  expect(finished()?.error).toBe('x is not a function');
});

it('an operation changes no more once the key of its caller has ended, and counts what it did', async () => {
  const { store, signal, finished } = oneOperation(Array.from({ length: 250 }, (_, index) => `job-${index}`));
  let changed = 0;
  const operations = operationsWith(
    store,
    async () => {
      changed += 1;
      return { kind: 'changed' };
    },
    async ({ id }) => (changed < 120 ? undefined : `${id} has ended`),
  );
  await operations.run(signal);
  expect(changed).toBe(120);
  expect(finished()).toEqual({
    counts: { seen: 120, changed: 120, refused: 0 },
    error: 'ops has ended; what was changed stays changed',
  });
});

it('an operation waits while nobody can tell whether the key of its caller has ended', async () => {
  const { store, signal, finished } = oneOperation();
  const away = Object.assign(new Error('shutting down'), { code: '57P01' });
  let isAway = true;
  const operations = operationsWith(
    store,
    async () => ({ kind: 'changed' }),
    async () => {
      if (isAway) throw away;
      return undefined;
    },
  );
  await expect(operations.run(signal)).rejects.toThrow('shutting down');
  expect(finished()).toBeUndefined();
  isAway = false;
  await operations.run(signal);
  expect(finished()).toEqual({ counts: { seen: 2, changed: 2, refused: 0 }, error: undefined });
});
