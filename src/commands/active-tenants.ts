import { type Logger, noLogger } from './telemetry.ts';

/** So many jobs at once are many: whoever comes with them can wait for those who come with few. */
export const MANY_JOBS = 20;

/** How the process that lines jobs up tells the others that a flood should give way. */
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

/** Who enqueued is active for so long, and has many jobs for so long. */
const ACTIVE_MS = 1_000;
/** Others are told, and asked, this often. */
const TELL_MS = 400;
const ASK_MS = 250;
/** From so many tenants with many jobs on, those that have few again are forgotten. */
const MANY_TENANTS = 1_000;

const NEVER = Number.NEGATIVE_INFINITY;

/**
 * Which tenants enqueue a few jobs these seconds, beside those that enqueue many. Two floods need not give way to each
 * other: they take turns. A hint; nothing depends on it but the pace.
 */
export class ActiveTenants {
  readonly #deps: ActiveTenantsDeps;
  /** Who came with few jobs last, and the last of all the others. */
  #newest = { tenantId: '', at: NEVER };
  #other = { tenantId: '', at: NEVER };
  /** When tenants came with many. */
  readonly #many = new Map<string, number>();
  #toldAt = NEVER;
  #askedAt = NEVER;
  /** By what another process told. */
  #toldToUsAt = NEVER;

  constructor(deps: ActiveTenantsDeps) {
    this.#deps = deps;
  }

  /** So many jobs at once. */
  enqueued(tenantId: string, jobs: number): void {
    const now = performance.now();
    if (jobs >= MANY_JOBS) {
      if (this.#many.size >= MANY_TENANTS) this.#forgetFormer(now);
      this.#many.set(tenantId, now);
    }
    // The last few of a flood are part of it.
    if (this.#hasMany(tenantId, now)) return;
    if (tenantId !== this.#newest.tenantId) this.#other = this.#newest;
    this.#newest = { tenantId, at: now };
  }

  /** The same of jobs that this process lines up, whoever enqueued them. */
  linedUp(tenantId: string, jobs: number): void {
    this.enqueued(tenantId, jobs);
    const now = performance.now();
    if (!this.#hasMany(tenantId, now) || !this.hasOthers(tenantId) || now - this.#toldAt < TELL_MS) return;
    this.#toldAt = now;
    const { sign, logger = noLogger } = this.#deps;
    sign.tell().catch((err: unknown) => logger.debug({ err }, 'others were not told of active tenants'));
  }

  /** Whether others than this one enqueue a few. */
  hasOthers(tenantId: string): boolean {
    const now = performance.now();
    // Who came with a few may be a flood by now.
    const isOther = ({ tenantId: id, at }: { tenantId: string; at: number }) =>
      id !== tenantId && now - at < ACTIVE_MS && !this.#hasMany(id, now);
    if (isOther(this.#newest) || isOther(this.#other)) return true;
    if (this.#deps.hearsAll()) return false;
    void this.#ask(now);
    return now - this.#toldToUsAt < ACTIVE_MS;
  }

  #hasMany(tenantId: string, now: number): boolean {
    return now - (this.#many.get(tenantId) ?? NEVER) < ACTIVE_MS;
  }

  #forgetFormer(now: number): void {
    for (const tenantId of this.#many.keys()) if (!this.#hasMany(tenantId, now)) this.#many.delete(tenantId);
  }

  async #ask(now: number): Promise<void> {
    if (now - this.#askedAt < ASK_MS) return;
    this.#askedAt = now;
    const { sign, logger = noLogger } = this.#deps;
    try {
      if (await sign.wasToldWithin(ACTIVE_MS)) this.#toldToUsAt = now;
    } catch (err) {
      logger.debug({ err }, 'active tenants were not asked for');
    }
  }
}
