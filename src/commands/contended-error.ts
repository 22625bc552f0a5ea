/** Other writers won every try for a stream. Nothing was changed; asking again is safe and will usually work. */
export class ContendedError extends Error {
  readonly code = 'contended';
  constructor(stream: string) {
    super(`too many writers change ${stream} at once; try again`);
  }
}
