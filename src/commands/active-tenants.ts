import { type Logger, noLogger } from './telemetry.ts';

/** How the process that lines jobs up tells the others that several tenants enqueue. */
export interface ActivitySign {
  tell(): Promise<void>;
  /** Whether it was told within so many milliseconds. */
  wasToldWithin(ms: number): Promise<boolean>;
}

export interface ActiveTenantsDeps {
  readonly sign: ActivitySign;
  /** Whether this process lines jobs up: then it hears of all that is enqueued. */
  readonly hearsAll: () => boolean;
  readonly logger?: Logger;
}

/** Who enqueued is active for so long. */
const ACTIVE_MS = 1_000;
/** Others are told, and asked, this often. */
const TELL_MS = 400;
const ASK_MS = 250;

/** Whether a tenant has the service for itself these seconds, or others enqueue as well. A hint: nothing depends on it but the pace. */
export class ActiveTenants {
  readonly #deps: ActiveTenantsDeps;
  #newest = { tenantId: '', at: Number.NEGATIVE_INFINITY };
  /** The newest of all the others. */
  #other = { tenantId: '', at: Number.NEGATIVE_INFINITY };
  #toldAt = Number.NEGATIVE_INFINITY;
  #askedAt = Number.NEGATIVE_INFINITY;
  /** By what another process told. */
  #sharedAt = Number.NEGATIVE_INFINITY;

  constructor(deps: ActiveTenantsDeps) {
    this.#deps = deps;
  }

  begins(tenantId: string): void {
    if (tenantId !== this.#newest.tenantId) this.#other = this.#newest;
    this.#newest = { tenantId, at: performance.now() };
  }

  /** A job that is being lined up, whoever enqueued it. */
  linedUp(tenantId: string): void {
    this.begins(tenantId);
    const now = performance.now();
    if (now - this.#other.at > ACTIVE_MS || now - this.#toldAt < TELL_MS) return;
    this.#toldAt = now;
    const { sign, logger = noLogger } = this.#deps;
    sign.tell().catch((err: unknown) => logger.debug({ err }, 'others were not told of active tenants'));
  }

  /** Whether others than this one are. */
  hasOthers(tenantId: string): boolean {
    const other = this.#newest.tenantId === tenantId ? this.#other : this.#newest;
    if (performance.now() - other.at < ACTIVE_MS) return true;
    if (this.#deps.hearsAll()) return false;
    void this.#ask();
    return performance.now() - this.#sharedAt < ACTIVE_MS;
  }

  async #ask(): Promise<void> {
    const now = performance.now();
    if (now - this.#askedAt < ASK_MS) return;
    this.#askedAt = now;
    const { sign, logger = noLogger } = this.#deps;
    try {
      if (await sign.wasToldWithin(ACTIVE_MS)) this.#sharedAt = now;
    } catch (err) {
      logger.debug({ err }, 'active tenants were not asked for');
    }
  }
}
