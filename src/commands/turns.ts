/** Tenants without jobs that are remembered, until a round begins or there are more. */
const MOST_ABSENT = 1_000;

/**
 * How tenants share what one pool of workers can take: deficit round robin. In a round each tenant may take as many jobs
 * as its weight says, one each time it is its turn, so a heavy tenant does not take all of its own at once. What is left
 * of a round is kept from claim to claim: claims of one job share as exactly as claims of a thousand.
 */
export class Turns {
  /** What each tenant may still take in this round, in the order of their turns. */
  readonly #left = new Map<string, number>();

  /** How many of `wanted` jobs each tenant may take. `able`: those that may have jobs for the pool. */
  deal(
    able: Pick<ReadonlyMap<string, unknown>, 'has' | 'keys' | 'size'>,
    wanted: number,
    weightOf: (tenantId: string) => number,
  ): ReadonlyMap<string, number> {
    const dealt = new Map<string, number>();
    if (able.size === 0) return dealt;
    for (const tenantId of able.keys()) {
      if (!this.#left.has(tenantId)) this.#left.set(tenantId, weightOf(tenantId));
    }
    if (this.#left.size > able.size + MOST_ABSENT) this.#forgetAbsent(able);
    let open = wanted;
    while (open > 0) {
      // Whoever took one goes to the end, where this loop comes by again.
      for (const [tenantId, left] of this.#left) {
        if (open === 0) break;
        if (left < 1 || !able.has(tenantId)) continue;
        this.#left.delete(tenantId);
        this.#left.set(tenantId, left - 1);
        dealt.set(tenantId, (dealt.get(tenantId) ?? 0) + 1);
        open -= 1;
      }
      if (open > 0) this.#beginRound(able, weightOf);
    }
    return dealt;
  }

  /** The tenant did not take what it was dealt. */
  giveBack(tenantId: string, jobs: number, weight: number): void {
    const left = this.#left.get(tenantId);
    if (left !== undefined) this.#left.set(tenantId, Math.min(weight, left + jobs));
  }

  /** Tenants that come with one job each may keep a round from ever ending. */
  #forgetAbsent(able: Pick<ReadonlyMap<string, unknown>, 'has'>): void {
    for (const tenantId of [...this.#left.keys()]) if (!able.has(tenantId)) this.#left.delete(tenantId);
  }

  /** Who has nothing to take saves nothing up. */
  #beginRound(able: Pick<ReadonlyMap<string, unknown>, 'has'>, weightOf: (tenantId: string) => number): void {
    for (const tenantId of [...this.#left.keys()]) {
      if (able.has(tenantId)) this.#left.set(tenantId, weightOf(tenantId));
      else this.#left.delete(tenantId);
    }
  }
}
