import type {
  WorkerAcknowledged,
  WorkerAcknowledgement,
  WorkerClaim,
  WorkerClaimRequest,
  WorkerHeartbeat,
  WorkerTransport,
} from '../../src/sdk/transport.ts';

/** A service in memory for one worker: hands out jobs in order, takes every outcome, does as the test tells it. */
export class FakeTransport implements WorkerTransport {
  readonly claimed: WorkerClaimRequest[] = [];
  readonly beats: (readonly string[])[] = [];
  /** The batches as they came. */
  readonly batches: (readonly WorkerAcknowledgement[])[] = [];
  /** Replaced by tests that want something else. */
  onAcknowledge: (batch: readonly WorkerAcknowledgement[]) => Promise<readonly WorkerAcknowledged[]> = async (
    batch,
  ) => batch.map(() => ({ kind: 'acknowledged' }));
  onHeartbeat: (tokens: readonly string[]) => Promise<WorkerHeartbeat> = async (tokens) => ({
    directive: 'run',
    leases: tokens.map((leaseToken) => ({ leaseToken, status: 'extended' })),
  });
  onClaim: () => Promise<void> = async () => {};
  readonly #ready: WorkerClaim[] = [];
  #arrived = Promise.withResolvers<void>();
  #made = 0;

  /** Makes jobs ready; answers their lease tokens. */
  add(
    count: number,
    payload: (index: number) => unknown = (index) => index,
    type = 'work',
    timeoutMs: number | null = null,
    tenantId = 'acme',
  ): readonly string[] {
    const tokens = Array.from({ length: count }, (_, index) => {
      this.#made += 1;
      const leaseToken = `lease-${this.#made}`;
      const job = {
        id: `job-${this.#made}`,
        tenantId,
        type,
        queue: 'default',
        priority: 5,
        attempt: 1,
      };
      this.#ready.push({
        leaseToken,
        job: { ...job, maxAttempts: 3, tags: [], payload: payload(index), timeoutMs },
      });
      return leaseToken;
    });
    this.#arrived.resolve();
    return tokens;
  }

  /** Every outcome so far, by lease. */
  get outcomes(): ReadonlyMap<string, WorkerAcknowledgement> {
    return new Map(this.batches.flat().map((one) => [one.leaseToken, one]));
  }

  async claim(request: WorkerClaimRequest, signal: AbortSignal): Promise<readonly WorkerClaim[]> {
    this.claimed.push(request);
    await this.onClaim();
    while (this.#ready.length === 0) {
      this.#arrived = Promise.withResolvers();
      const aborted = Promise.withResolvers<never>();
      const abort = (): void => aborted.reject(signal.reason);
      if (signal.aborted) abort();
      signal.addEventListener('abort', abort, { once: true });
      await Promise.race([this.#arrived.promise, aborted.promise]);
      signal.removeEventListener('abort', abort);
    }
    return this.#ready.splice(0, request.max);
  }

  async heartbeat({ leaseTokens }: { readonly leaseTokens: readonly string[] }): Promise<WorkerHeartbeat> {
    this.beats.push(leaseTokens);
    return this.onHeartbeat(leaseTokens);
  }

  async acknowledge(batch: readonly WorkerAcknowledgement[]): Promise<readonly WorkerAcknowledged[]> {
    this.batches.push(batch);
    return this.onAcknowledge(batch);
  }
}
