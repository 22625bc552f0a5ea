/**
 * A column of a batch as one text, a line for each row; empty lines are nulls, and a column of nulls is null, which costs
 * Postgres nothing. `string_to_array($n, E'\n', '')` makes an array of it: for Node and for Postgres this costs a third
 * less than an array literal. Only for values that hold no line break and are never empty.
 */
export function lines<Row>(
  rows: readonly Row[],
  value: (row: Row) => string | number | null | undefined,
): string | null {
  let text = '';
  let breaks = 0;
  let empty = true;
  for (const row of rows) {
    const cell = value(row);
    if (cell !== undefined && cell !== null) {
      if (breaks > 0) {
        text += '\n'.repeat(breaks);
        breaks = 0;
      }
      text += cell;
      empty = false;
    }
    breaks += 1;
  }
  return empty ? null : text;
}

/** The values as an array parameter, for texts that may hold anything; null when there are none. */
export const texts = <Row>(
  rows: readonly Row[],
  value: (row: Row) => string | undefined,
): (string | null)[] | null =>
  rows.some((row) => value(row) !== undefined) ? rows.map((row) => value(row) ?? null) : null;

/** Postgres takes any text but NUL; lines take no line breaks. */
export const oneLine = (text: string): string =>
  /[\0\n]/.test(text) ? text.replaceAll(/[\0\n]/g, '\uFFFD') : text;

/** The n-th parameter, a text of `lines`, as an array of a type. */
export const lineArray = (n: number, type = 'text'): string =>
  `string_to_array($${n}, E'\\n', '')${type === 'text' ? '' : `::${type}[]`}`;

/** A text array as Postgres writes it. */
export const textArray = (values: readonly string[]): string =>
  `{${values.map((value) => `"${withoutNul(value).replaceAll(/["\\]/g, '\\$&')}"`).join(',')}}`;

export const withoutNul = (text: string): string =>
  text.includes('\0') ? text.replaceAll('\0', '\uFFFD') : text;
