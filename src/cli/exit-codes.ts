/** What the program ends with; docs/cli.md promises these. */
export const EXIT = {
  ok: 0,
  refused: 1,
  usage: 2,
  unreachable: 3,
  differences: 4,
} as const;

export const EXIT_MEANINGS: readonly (readonly [number, string])[] = [
  [EXIT.ok, 'done'],
  [EXIT.refused, 'the service refused, or the command could not do what it was asked'],
  [EXIT.usage, 'the command was not understood'],
  [EXIT.unreachable, 'the service or its database could not be reached'],
  [EXIT.differences, 'verify found differences'],
];
