/** JSON.rawJSON and the source of a value are in Node, but not in TypeScript's library yet. */
const { rawJSON } = JSON as unknown as { rawJSON(text: string): unknown };
type Reviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown;

/** As JSON.parse, but numbers that a double can't hold come out of JSON.stringify as they went in. */
export function parseLossless(text: string): unknown {
  const keepDigits: Reviver = (_key, value, { source }) =>
    typeof value === 'number' && source !== undefined && String(value) !== source ? rawJSON(source) : value;
  return JSON.parse(text, keepDigits as (key: string, value: unknown) => unknown);
}
