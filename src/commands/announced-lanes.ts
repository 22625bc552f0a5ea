import type { Lane } from './placement.ts';

/** Lanes that nobody has asked for yet; with more than this, whoever comes looks at the tables. */
const MAX_LANES = 1_000;

/** Which lanes get jobs from this process's own placements: known without asking the tables, once they are committed. */
export class AnnouncedLanes {
  #announced: readonly Lane[] = [];
  readonly #placed = new Map<string, Lane>();

  get size(): number {
    return this.#placed.size;
  }

  /** A commit under way puts jobs in these lanes. Said again when it is tried again. */
  announce(lanes: readonly Lane[]): void {
    this.#announced = lanes;
  }

  /** The commit is done: `some` lanes have jobs, or so many that they were not remembered. */
  placed(): 'none' | 'some' | 'many' {
    const lanes = this.#announced;
    this.#announced = [];
    return this.filled(lanes);
  }

  /** Jobs were put in these lanes by a commit that was not announced. */
  filled(lanes: readonly Lane[]): 'none' | 'some' | 'many' {
    if (lanes.length === 0) return 'none';
    for (const { tenantId, queue, type, priority } of lanes)
      this.#placed.set(`${tenantId} ${queue} ${type} ${priority}`, { tenantId, queue, type, priority });
    if (this.#placed.size <= MAX_LANES) return 'some';
    this.#placed.clear();
    return 'many';
  }

  take(): readonly Lane[] {
    const lanes = [...this.#placed.values()];
    this.#placed.clear();
    return lanes;
  }
}
