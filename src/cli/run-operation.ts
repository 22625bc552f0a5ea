import { setTimeout as pause } from 'node:timers/promises';
import type { Operation, StartOperationRequest } from '../adapters/http/contract/operations.ts';
import { CliError } from './cli-error.ts';
import { numberText } from './format.ts';
import type { Session } from './session.ts';

const POLL_MS = 200;

/** Does one thing to many jobs and waits for the end. It goes on in the service when we are interrupted. */
export async function runOperation(
  { client, out, signal }: Session,
  order: Omit<StartOperationRequest, 'dryRun'>,
  dryRun: boolean,
): Promise<void> {
  if (dryRun) {
    const found = await client.operations.preview(order);
    const count = `${found.more ? 'more than ' : ''}${numberText(found.matched)}`;
    return out.result(found, () => [`${count} match`, ...found.sample].join('\n'));
  }
  let operation = await client.operations.start(order);
  while (operation.status === 'running') {
    await pause(POLL_MS, undefined, { signal }).catch(() => {});
    if (signal.aborted) {
      throw new CliError(`interrupted; it goes on in the service: operations abort ${operation.id} stops it`);
    }
    operation = await client.operations.get(operation.id);
  }
  await out.result(operation, () => operationText(operation));
  if (operation.status === 'failed')
    throw new CliError(operation.error ?? 'it failed', undefined, 'operation_failed');
}

export function operationText({ action, changed, seen, refused, status }: Operation): string {
  const left = refused > 0 ? `, ${numberText(refused)} could not be changed any more` : '';
  return `${action} ${status}: ${numberText(changed)} of ${numberText(seen)} changed${left}`;
}
