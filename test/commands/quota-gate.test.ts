import { createMemoryEventLog } from '../../src/adapters/memory/event-log.ts';
import { exerciseQuotaGate } from './quota-gate-suite.ts';

exerciseQuotaGate('memory', async () => {
  const log = createMemoryEventLog();
  return { open: () => log, async [Symbol.asyncDispose]() {} };
});
