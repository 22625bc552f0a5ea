import type { Clock } from './ports.ts';
import type { KnownQuota, QuotaHandler } from './quota-handler.ts';
import { type Metrics, noMetrics } from './telemetry.ts';

const MAX_TENANTS = 10_000;

interface Entry {
  readonly known: KnownQuota;
  /** When it was certain. */
  readonly at: number;
}

/** What this process last knew of the quotas of the tenants that it serves. Callers say how old it may be. */
export class QuotaCache {
  readonly #handler: QuotaHandler;
  readonly #clock: Clock;
  readonly #metrics: Metrics;
  readonly #entries = new Map<string, Entry>();
  readonly #readings = new Map<string, Promise<KnownQuota>>();

  constructor(handler: QuotaHandler, clock: Clock, metrics: Metrics = noMetrics) {
    this.#handler = handler;
    this.#clock = clock;
    this.#metrics = metrics;
  }

  /** Answers at once when what is known is young enough; those who come while it is read share the read. */
  get(tenantId: string, maxAgeMs: number): KnownQuota | Promise<KnownQuota> {
    const entry = this.#entries.get(tenantId);
    if (entry && this.#isYounger(entry, maxAgeMs)) return entry.known;
    return this.#readings.get(tenantId) ?? this.refresh(tenantId);
  }

  /** How the stream ends now: a read that began before is not waited for. */
  refresh(tenantId: string): Promise<KnownQuota> {
    this.#metrics.count('quota_reads_total');
    const begunAt = this.#clock.now();
    const reading = this.#handler
      .load(tenantId)
      .then((known) => this.#keep(tenantId, { known, at: begunAt }).known)
      .finally(() => {
        if (this.#readings.get(tenantId) === reading) this.#readings.delete(tenantId);
      });
    this.#readings.set(tenantId, reading);
    return reading;
  }

  /** What was just written. */
  put(tenantId: string, known: KnownQuota): void {
    this.#keep(tenantId, { known, at: this.#clock.now() });
  }

  /** Answers may overtake each other: what is older than what is known changes nothing. */
  #keep(tenantId: string, entry: Entry): Entry {
    const present = this.#entries.get(tenantId);
    if (present && present.known.revision > entry.known.revision) return present;
    this.#entries.delete(tenantId);
    this.#entries.set(tenantId, entry);
    if (this.#entries.size > MAX_TENANTS) {
      const [oldest] = this.#entries.keys();
      if (oldest !== undefined) this.#entries.delete(oldest);
    }
    return entry;
  }

  /** A clock that went back makes everything old. */
  #isYounger({ at }: Entry, maxAgeMs: number): boolean {
    const age = this.#clock.now() - at;
    return age >= 0 && age <= maxAgeMs;
  }
}
