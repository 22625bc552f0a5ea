import { EXIT } from './exit-codes.ts';

/** Ends the command with a line for the person and a code for the script. */
export class CliError extends Error {
  readonly exitCode: number;
  readonly code: string;
  constructor(message: string, exitCode: number = EXIT.refused, code = 'failed') {
    super(message);
    this.name = 'CliError';
    this.exitCode = exitCode;
    this.code = code;
  }
}

export const usageError = (message: string): CliError => new CliError(message, EXIT.usage, 'usage');
