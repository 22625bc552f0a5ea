import { Command } from 'commander';
import { JobsClient } from '../../sdk/client.ts';
import { CliError } from '../cli-error.ts';
import { connectionFrom, serviceUrl } from '../connection.ts';
import { withDatabase } from '../database.ts';
import { type Check, type Finding, failed, skipped } from '../doctor/check.ts';
import { databaseChecks } from '../doctor/database-checks.ts';
import { machineChecks } from '../doctor/machine-checks.ts';
import { projectionCheck } from '../doctor/projection-check.ts';
import { withExample } from '../example.ts';
import type { Output } from '../output.ts';
import { outputOf } from '../session.ts';

type Result = Finding & { readonly name: string };

export function doctorCommand(): Command {
  const command = new Command('doctor')
    .description('Find out what is wrong, and how to put it right')
    .action(async (_options: object, self: Command) => {
      const out = outputOf(self);
      const url = serviceUrl(process.env, self.optsWithGlobals<{ url?: string }>().url);
      const results = [...(await runAll(machineChecks(process.env, url))), ...(await checkDatabaseItself())];
      const up = results.some(({ name, status }) => name === 'service' && status === 'ok');
      results.push(
        ...(up ? await runAll([freshness(url)]) : [{ name: 'read models', ...skipped('no service') }]),
      );
      await out.result(results, () => results.map((result) => line(out, result)).join('\n'));
      const broken = results.filter(({ status }) => status === 'failed').length;
      if (broken > 0)
        throw new CliError(`${broken} ${broken === 1 ? 'thing needs' : 'things need'} to be put right`);
    });
  return withExample(command, 'doctor');
}

/** Without a key this one fails, and says what to set. */
const freshness = (url: string): Check => ({
  name: 'read models',
  run: () => projectionCheck(new JobsClient(connectionFrom(process.env, url))).run(),
});

async function checkDatabaseItself(): Promise<readonly Result[]> {
  try {
    return await withDatabase(process.env, (pool) => runAll(databaseChecks(pool)));
  } catch (error) {
    const [detail = '', ...fix] = (error as Error).message.split('; ');
    return [{ name: 'database', ...failed(detail, fix.join('; ')) }];
  }
}

async function runAll(checks: readonly Check[]): Promise<Result[]> {
  const results: Result[] = [];
  for (const { name, run } of checks) results.push({ name, ...(await run().catch(findingOf)) });
  return results;
}

const findingOf = (error: unknown): Finding =>
  failed(error instanceof Error ? error.message : String(error), 'see above, and the log of the service');

const MARKS = { ok: '✓', warning: '!', failed: '✗', skipped: '-' } as const;
const PAINTS = { ok: 'green', warning: 'yellow', failed: 'red', skipped: 'gray' } as const;

function line(out: Output, { name, status, detail, fix }: Result): string {
  const first = `${out.paint(PAINTS[status], MARKS[status])} ${name.padEnd(17)} ${detail}`;
  return fix ? `${first}\n${' '.repeat(20)}→ ${fix}` : first;
}
