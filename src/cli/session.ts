import type { Command } from 'commander';
import { JobsClient } from '../sdk/client.ts';
import { connectionFrom } from './connection.ts';
import { Output } from './output.ts';

/** What every command has at hand. */
export interface Session {
  readonly out: Output;
  readonly client: JobsClient;
  /** Aborted on Ctrl-C. */
  readonly signal: AbortSignal;
}

interface GlobalOptions {
  readonly json?: boolean;
  readonly url?: string;
}

export function outputOf(command: Command): Output {
  const { json = false } = command.optsWithGlobals<GlobalOptions>();
  return new Output({ json, stdout: process.stdout, stderr: process.stderr });
}

/** The session of a command that talks to the service. */
export function sessionOf(command: Command): Session {
  const { url } = command.optsWithGlobals<GlobalOptions>();
  const client = new JobsClient(connectionFrom(process.env, url));
  return { out: outputOf(command), client, signal: interrupted() };
}

let interruption: AbortController | undefined;

/** Aborts at the first Ctrl-C, for commands that have something to bring to an end; the second one kills. */
function interrupted(): AbortSignal {
  if (!interruption) {
    const controller = new AbortController();
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => controller.abort());
    interruption = controller;
  }
  return interruption.signal;
}
