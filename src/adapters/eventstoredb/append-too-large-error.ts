/** The server's standard limit for one append, with some room for what it adds itself. */
export const LARGEST_APPEND_BYTES = 1024 * 1024 - 4 * 1024;

/** An append that EventStoreDB would not take; refused before it is sent. */
export class AppendTooLargeError extends Error {
  readonly code = 'append_too_large';
  constructor(bytes: number) {
    super(`an append of ${bytes} bytes is too large: EventStoreDB takes ${LARGEST_APPEND_BYTES} at most`);
  }
}
