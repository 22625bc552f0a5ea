import type { StoredEvent } from '../../commands/ports.ts';

/** For a first page, when nothing is known about the size of the events. */
export const CAUTIOUS_PAGE_SIZE = 200;

const PAGE_CHARACTERS = 8 * 1024 * 1024;
const SMALLEST_PAGE = 20;

/** Events for the next page, so that it weighs about 8 MB at most if it is like the last one: content may be large. */
export function affordablePageSize(last: readonly StoredEvent[], most: number): number {
  let characters = 0;
  for (const { data, content } of last) characters += data.length + (content?.length ?? 0);
  if (characters === 0) return Math.min(most, CAUTIOUS_PAGE_SIZE);
  const affordable = Math.floor((PAGE_CHARACTERS / characters) * last.length);
  return Math.min(most, Math.max(affordable, SMALLEST_PAGE));
}
