import { createMemoryEventLog } from '../../src/adapters/memory/event-log.ts';
import type { LogForGates } from '../support/gated.ts';
import { exerciseAdmittedJobs } from './quota-gate-jobs.ts';
import { exerciseLimits } from './quota-gate-limits.ts';
import { exerciseRate } from './quota-gate-rate.ts';

const make = async (): Promise<LogForGates> => {
  const log = createMemoryEventLog();
  return { open: () => log, async [Symbol.asyncDispose]() {} };
};

exerciseLimits('memory', make);
exerciseRate('memory', make);
exerciseAdmittedJobs('memory', make);
