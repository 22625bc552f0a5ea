import { describe, expectTypeOf, it } from 'vitest';
import type { ClaimedJob, Handlers, JobsClient } from '../../src/sdk/index.ts';

type Jobs = {
  'email.send': { payload: { to: string }; result: { messageId: string } };
  'cache.clear': { payload: null };
};

describe('a typed job map', () => {
  it('gives every handler its own payload', () => {
    type Send = Handlers<Jobs>['email.send'];
    expectTypeOf<Parameters<Send>[0]>().toEqualTypeOf<ClaimedJob<{ to: string }>>();
    expectTypeOf<Parameters<Handlers<Jobs>['cache.clear']>[0]['payload']>().toEqualTypeOf<null>();
  });

  it('asks every handler for its own result', () => {
    const right = { 'email.send': () => ({ messageId: 'm' }), 'cache.clear': async () => {} };
    expectTypeOf(right).toExtend<Handlers<Jobs>>();
    const wrong = { 'email.send': () => ({ id: 1 }), 'cache.clear': () => {} };
    expectTypeOf(wrong).not.toExtend<Handlers<Jobs>>();
  });

  it('wants a handler for every type', () => {
    expectTypeOf<{ 'cache.clear': () => void }>().not.toExtend<Handlers<Jobs>>();
  });

  it('lets only known types with their payloads be enqueued', () => {
    type Client = JobsClient<Jobs>;
    const check = (client: Client): void => {
      client.enqueue('email.send', { to: 'ada' }, { priority: 1 });
      client.enqueueBulk([
        { type: 'email.send', payload: { to: 'ada' } },
        { type: 'cache.clear', payload: null },
      ]);
      // @ts-expect-error a type that is not in the map
      client.enqueue('email.sent', { to: 'ada' });
      // @ts-expect-error the payload of another type
      client.enqueue('cache.clear', { to: 'ada' });
      // @ts-expect-error the payload of another type, in bulk
      client.enqueueBulk([{ type: 'cache.clear', payload: { to: 'ada' } }]);
      // @ts-expect-error an option that there is not
      client.enqueue('cache.clear', null, { prio: 1 });
    };
    expectTypeOf(check).toBeFunction();
  });

  it('lets anything be enqueued without a map', () => {
    const check = (client: JobsClient): Promise<unknown> => client.enqueue('anything', { at: 'all' });
    expectTypeOf(check).returns.resolves.toBeUnknown();
  });
});
