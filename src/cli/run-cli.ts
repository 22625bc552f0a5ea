import { CommanderError } from 'commander';
import { StartupError } from '../adapters/process/startup-error.ts';
import { JobsApiError, JobsConnectionError } from '../sdk/errors.ts';
import { CliError } from './cli-error.ts';
import { EXIT } from './exit-codes.ts';
import { plainText } from './format.ts';
import { createProgram } from './program.ts';

/** Runs one command line (without the program's name) and answers its exit code. Never rejects. */
export async function runCli(args: readonly string[]): Promise<number> {
  const json = args.includes('--json');
  try {
    const program = json ? createProgram(() => {}) : createProgram();
    await program.parseAsync(args, { from: 'user' });
    return Number(process.exitCode ?? EXIT.ok);
  } catch (error) {
    return fail(error, json);
  }
}

interface Failure {
  readonly exitCode: number;
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
}

function fail(error: unknown, json: boolean): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return EXIT.ok;
    // For people, Commander has said it already.
    if (!json) return EXIT.usage;
  }
  const { exitCode, hint, ...about } = failureOf(error);
  if (json) process.stderr.write(`${JSON.stringify({ error: about })}\n`);
  else
    process.stderr.write(
      `eventzr-jobs: ${plainText(about.message)}${hint ? `\n  ${plainText(hint)}` : ''}\n`,
    );
  return exitCode;
}

function failureOf(error: unknown): Failure {
  if (error instanceof CommanderError) {
    return { exitCode: EXIT.usage, code: 'usage', message: misunderstood(error) };
  }
  if (error instanceof CliError) {
    return { exitCode: error.exitCode, code: error.code, message: error.message };
  }
  if (error instanceof JobsApiError) {
    const { code, message, requestId } = error;
    const hint = code === 'internal' ? `request ${requestId}` : HINTS[code];
    return { exitCode: EXIT.refused, code, message, ...(requestId && { requestId }), ...(hint && { hint }) };
  }
  if (error instanceof JobsConnectionError) {
    const hint = 'is it running? Start it with npm start, or set JOBS_URL';
    return { exitCode: EXIT.unreachable, code: error.code, message: error.message, hint };
  }
  if (error instanceof StartupError) {
    return { exitCode: EXIT.refused, code: error.code, message: error.message };
  }
  // A bug: the stack is what helps.
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { exitCode: EXIT.refused, code: 'unexpected', message };
}

/** Without a subcommand Commander shows help and gives no message; suggestions are a line of their own. */
const misunderstood = ({ code, message }: CommanderError): string =>
  code === 'commander.help'
    ? 'give a command; --help shows them'
    : message.replace(/^error: /, '').replaceAll('\n', ' ');

const HINTS: Readonly<Record<string, string>> = {
  unauthenticated: 'is JOBS_API_KEY a key of this service, not revoked and not expired? See: keys list',
  'tenant-required': 'the key is for several tenants: set JOBS_TENANT to the one that is meant',
  forbidden: 'the role of this key does not allow it; an operator makes others with: keys create --role',
};
