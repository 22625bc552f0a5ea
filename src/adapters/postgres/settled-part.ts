import type { Position, StoredEvent } from '../../commands/ports.ts';

/**
 * How far events read after a position can be shown: while positions follow each other, or lie within what was settled
 * before they were read. When they are all there is, that is at least as far as was settled.
 */
export function settledPart(
  after: Position,
  events: readonly StoredEvent[],
  settled: Position,
  isAll: boolean,
): { readonly upTo: Position; readonly count: number } {
  let upTo = after;
  let count = 0;
  for (const { position } of events) {
    if (position > settled) {
      if (upTo < settled) upTo = settled;
      if (position !== upTo + 1n) return { upTo, count };
    }
    upTo = position;
    count += 1;
  }
  return { upTo: isAll && settled > upTo ? settled : upTo, count };
}
