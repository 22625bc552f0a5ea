import { z } from 'zod';
import { InvalidCursorError, type Page, type PageRequest } from '../../../projections/queries.ts';

/** Where a page starts: after the row with this key, on the way to older or back to newer rows. */
export interface Keyset<Key> {
  readonly towards: 'older' | 'newer';
  readonly key: Key;
}

const MAX_LIMIT = 200;
const MAX_CURSOR_LENGTH = 512;

/** The cursors of one list. Its name is part of them, so that a cursor of another list is not taken for one of its own. */
export function pageCursors<Key>(list: string, key: z.ZodType<Key>) {
  const schema = z.strictObject({ list: z.literal(list), towards: z.enum(['older', 'newer']), key });

  function write(keyset: Keyset<Key>): string {
    return Buffer.from(JSON.stringify({ list, ...keyset })).toString('base64url');
  }

  return {
    /** Throws InvalidCursorError. */
    read(cursor: string | undefined): Keyset<Key> | undefined {
      if (cursor === undefined) return undefined;
      const parsed = schema.safeParse(parse(cursor));
      if (!parsed.success) throw new InvalidCursorError();
      return { towards: parsed.data.towards, key: parsed.data.key };
    },

    /** Makes the page of the rows that were found, one more than asked for if there are more, nearest to the cursor first. */
    page<Row>(
      found: readonly Row[],
      from: Keyset<Key> | undefined,
      limit: number,
      keyOf: (row: Row) => Key,
    ): Page<Row> {
      const more = found.length > limit;
      const near = found.slice(0, limit);
      const rows = from?.towards === 'newer' ? near.reverse() : near;
      const [first, last] = [rows.at(0), rows.at(-1)];
      if (first === undefined || last === undefined) return { rows, nextCursor: null, prevCursor: null };
      const back = from?.towards === 'newer';
      return {
        rows,
        nextCursor: more || back ? write({ towards: 'older', key: keyOf(last) }) : null,
        prevCursor: (back ? more : from !== undefined)
          ? write({ towards: 'newer', key: keyOf(first) })
          : null,
      };
    },
  };
}

/** 1..200, whatever was asked for. */
export const pageLimit = ({ limit }: Pick<PageRequest, 'limit'>): number =>
  Number.isFinite(limit) ? Math.min(MAX_LIMIT, Math.max(1, Math.trunc(limit))) : MAX_LIMIT;

function parse(cursor: string): unknown {
  if (cursor.length > MAX_CURSOR_LENGTH || !/^[A-Za-z0-9_-]+$/.test(cursor)) throw new InvalidCursorError();
  try {
    return JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
  } catch {
    throw new InvalidCursorError();
  }
}
