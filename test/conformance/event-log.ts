import { afterEach, beforeEach, describe } from 'vitest';
import type { EventLog } from '../../src/commands/ports.ts';
import { exerciseAppends } from './log-appends.ts';
import { exerciseReads } from './log-reads.ts';
import { exerciseSubscriptions } from './log-subscriptions.ts';

export interface LogUnderTest extends AsyncDisposable {
  readonly log: EventLog;
  /** What was truncated is gone from its stream at once, but from the whole log only after some housekeeping. */
  readonly truncatedStaysInLog?: boolean;
}

/** What every event log must do, whatever it is made of. `make` gives an empty log of its own. */
export function exerciseEventLog(name: string, make: () => Promise<LogUnderTest>): void {
  describe(`event log: ${name}`, () => {
    let subject: LogUnderTest;

    beforeEach(async () => {
      subject = await make();
    });
    afterEach(async () => {
      await subject[Symbol.asyncDispose]();
    });

    exerciseAppends(() => subject.log);
    exerciseReads(() => subject);
    exerciseSubscriptions(() => subject.log);
  });
}
