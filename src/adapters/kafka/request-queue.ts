import { createRequire } from 'node:module';

interface RequestQueue {
  readonly pending: readonly unknown[];
  scheduleCheckPendingRequests(): void;
}

let calmed = false;

/**
 * kafkajs 2.2.4 looks for waiting requests some 700 times a second on every connection, for ever, with a timer whose
 * negative delay makes Node warn. Looking is only of use while requests wait.
 */
export function calmRequestQueues(): void {
  if (calmed) return;
  calmed = true;
  const { prototype } = createRequire(import.meta.url)('kafkajs/src/network/requestQueue') as {
    readonly prototype: RequestQueue;
  };
  const schedule = prototype.scheduleCheckPendingRequests;
  prototype.scheduleCheckPendingRequests = function (this: RequestQueue) {
    if (this.pending.length > 0) schedule.call(this);
  };
}
