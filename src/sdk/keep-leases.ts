import { pause } from './http.ts';
import type { WorkerHeartbeat, WorkerTransport } from './transport.ts';
import { within } from './within.ts';

export interface KeepLeasesOptions {
  readonly transport: Pick<WorkerTransport, 'heartbeat'>;
  readonly workerId: string;
  readonly leaseMs: number;
  /** Ends the heartbeats. */
  readonly signal: AbortSignal;
  /** Tokens of the leases to keep. */
  leases(): readonly string[];
  told(directive: WorkerHeartbeat['directive'], leases: WorkerHeartbeat['leases']): void;
  failed(error: unknown): void;
  /** Nothing was heard for as long as a lease lasts. */
  silent(): void;
}

/** Most leases in one heartbeat. */
const MAX_LEASES = 500;

/** Sends heartbeats, three in the time of a lease, until the signal aborts. Also without leases: they carry directives. */
export async function keepLeases(options: KeepLeasesOptions): Promise<void> {
  const { leaseMs, signal } = options;
  let lastGood = performance.now();
  while (!signal.aborted) {
    await pause(leaseMs / 3, signal).catch(() => {});
    if (signal.aborted) return;
    const began = performance.now();
    // Even after a pause that was much too long, the service gets a moment to say that all is well.
    const leftMs = Math.max(leaseMs / 10, lastGood + leaseMs - began);
    try {
      await within(leftMs, beat(options));
      lastGood = began;
    } catch (error) {
      options.failed(error);
      // Timers may come a moment early.
      if (performance.now() - lastGood < leaseMs - 1) continue;
      options.silent();
      lastGood = performance.now();
    }
  }
}

async function beat({ transport, workerId, leaseMs, leases, told }: KeepLeasesOptions): Promise<void> {
  const tokens = leases();
  for (let from = 0; from === 0 || from < tokens.length; from += MAX_LEASES) {
    const leaseTokens = tokens.slice(from, from + MAX_LEASES);
    const answer = await transport.heartbeat({ workerId, leaseTokens, leaseMs });
    told(answer.directive, answer.leases);
  }
}
