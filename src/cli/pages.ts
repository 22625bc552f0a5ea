import type { Command } from 'commander';
import type { Output } from './output.ts';
import { wholeNumber } from './values.ts';

export interface PageOptions {
  readonly limit: number;
  readonly cursor?: string;
  readonly all?: boolean;
}

interface Page<Row> {
  readonly data: readonly Row[];
  readonly nextCursor: string | null;
}

export const withPageOptions = (command: Command): Command =>
  command
    .option('--limit <n>', 'rows of a page', wholeNumber(1, 200), 50)
    .option('--cursor <cursor>', 'the page after the one that ended with this cursor')
    .option('--all', 'everything that matches; with --json one document to a line');

/** Prints a page and how to get the next one; or, with --all, page after page. */
export async function printPages<Row>(
  out: Output,
  { limit, cursor, all = false }: PageOptions,
  read: (query: { limit: number; cursor?: string }) => Promise<Page<Row>>,
  table: (rows: readonly Row[]) => string,
): Promise<void> {
  let next = cursor;
  do {
    const page = await read({ limit: all ? 200 : limit, ...(next === undefined ? {} : { cursor: next }) });
    next = page.nextCursor ?? undefined;
    if (!all) {
      await out.result(page, () => (page.data.length > 0 ? table(page.data) : 'nothing found'));
      if (next && !out.json) out.note(`\nmore: add --all, or --cursor ${next}`);
      return;
    }
    if (!out.json) await out.line(table(page.data));
    else for (const row of page.data) await out.item(row, () => '');
  } while (next);
}
