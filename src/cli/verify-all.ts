import { CliError } from './cli-error.ts';
import { EXIT } from './exit-codes.ts';
import { followRebuild } from './follow-rebuild.ts';
import { numberText } from './format.ts';
import type { Session } from './session.ts';

interface Verdict {
  readonly name: string;
  /** skipped: others write its tables, too, so the events alone can't tell. */
  readonly verdict: 'same' | 'different' | 'skipped' | 'failed';
  readonly rows: number;
  readonly differences: number;
  readonly tables: readonly object[];
  readonly error: string | null;
}

/** Verifies one projection after the other and ends with exit code 4 when a row differs. */
export async function verifyAll(
  session: Session,
  names: readonly string[],
  tenant: string | undefined,
): Promise<void> {
  const { client, out } = session;
  const wanted = names.length > 0 ? names : (await client.projections.list()).map(({ name }) => name);
  const verdicts: Verdict[] = [];
  for (const name of wanted) verdicts.push(await verifyOne(session, name, tenant));
  await out.result(verdicts, () =>
    out.table(
      ['PROJECTION', 'VERDICT', 'ROWS', 'DIFFERENCES', ''],
      verdicts.map(({ name, verdict, rows, differences, error }) => [
        name,
        out.paint(PAINTS[verdict], verdict),
        numberText(rows),
        numberText(differences),
        error ?? '',
      ]),
    ),
  );
  const different = verdicts.filter(({ verdict }) => verdict === 'different');
  if (different.length > 0) {
    const list = different.map(({ name }) => name).join(', ');
    throw new CliError(
      `${list} differ from the events; put right with: projections rebuild NAME`,
      EXIT.differences,
      'differences',
    );
  }
  const failed = verdicts.filter(({ verdict }) => verdict === 'failed');
  if (failed.length > 0)
    throw new CliError(`${failed.length} could not be verified`, EXIT.refused, 'verify_failed');
}

const PAINTS = { same: 'green', different: 'red', skipped: 'gray', failed: 'red' } as const;

async function verifyOne(session: Session, name: string, tenant: string | undefined): Promise<Verdict> {
  const started = await session.client.projections.verify(
    name,
    tenant === undefined ? {} : { tenantId: tenant },
  );
  const { differences, tables, error, errorCode } = await followRebuild(session, name, started);
  const rows = (tables ?? []).reduce((sum, table) => sum + table.rows, 0);
  const verdict =
    errorCode === 'not_comparable'
      ? 'skipped'
      : error !== null
        ? 'failed'
        : differences
          ? 'different'
          : 'same';
  return { name, verdict, rows, differences: differences ?? 0, tables: tables ?? [], error };
}
