import { createMemoryEventLog } from '../../src/adapters/memory/event-log.ts';
import { exerciseEventLog } from './event-log.ts';

exerciseEventLog('memory', async () => ({
  log: createMemoryEventLog(),
  async [Symbol.asyncDispose]() {},
}));
