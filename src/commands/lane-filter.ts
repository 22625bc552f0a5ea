import type { Lane } from './placement.ts';
import type { ClaimRequest } from './use-cases.ts';

/** Which lanes a claim may take from. */
export interface LaneFilter {
  /** Names the pool of workers: tenants take turns in each pool of its own. */
  readonly pool: string;
  readonly tenants: ReadonlySet<string> | '*';
  readonly queues: ReadonlySet<string> | '*';
  readonly types: ReadonlySet<string> | '*';
}

export function laneFilter({ tenants, queues, types }: ClaimRequest): LaneFilter {
  return {
    pool: JSON.stringify([tenants, queues, types]),
    tenants: tenants === '*' ? '*' : new Set(tenants),
    queues: queues === '*' || queues.includes('*') ? '*' : new Set(queues),
    types: types === undefined ? '*' : new Set(types),
  };
}

export const accepts = (filter: LaneFilter, lane: Lane): boolean =>
  (filter.queues === '*' || filter.queues.has(lane.queue)) &&
  (filter.types === '*' || filter.types.has(lane.type));
