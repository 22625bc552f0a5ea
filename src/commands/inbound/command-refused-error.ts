import type { Refused } from '../use-cases.ts';

/** A command that came to nothing. */
export class CommandRefusedError extends Error {
  readonly code: string;
  /** What the tenant's quota said, where it was the one to refuse. */
  readonly refused: Refused | undefined;
  constructor(command: string, about: string, reason: string, refused?: Refused) {
    super(`${command} ${about}: ${reason}`);
    this.code = reason;
    this.refused = refused;
  }
}
