import type { PoolClient } from 'pg';

/** How a live table differs from the same table folded from the log, at one position. */
export interface TableDifferences {
  readonly table: string;
  readonly rows: number;
  /** Rows that should be there, should not be there, hold other values. */
  readonly missing: number;
  readonly unexpected: number;
  readonly different: number;
  /** The first few. */
  readonly samples: readonly RowDifference[];
}

export interface RowDifference {
  /** Primary key, as Postgres writes a row. */
  readonly key: string;
  /** The row as JSON; null where there is none. */
  readonly live: Readonly<Record<string, unknown>> | null;
  readonly folded: Readonly<Record<string, unknown>> | null;
}

export const differenceCount = (tables: readonly TableDifferences[]): number =>
  tables.reduce((sum, { missing, unexpected, different }) => sum + missing + unexpected + different, 0);

export class NotComparableError extends Error {
  readonly code = 'not_comparable';
}

export interface TablePair {
  readonly table: string;
  /** Physical names. */
  readonly live: string;
  readonly folded: string;
  readonly tenant?: string | undefined;
}

/** Counts and hashes both tables in buckets, and looks at single rows only where those differ. */
export async function compareTables(
  client: PoolClient,
  pair: TablePair,
  sampleLimit: number,
): Promise<TableDifferences> {
  const key = await keyColumns(client, pair.live);
  if (pair.tenant !== undefined) await requireTenantColumn(client, pair);
  const values = pair.tenant === undefined ? [] : [pair.tenant];
  const { rows: buckets } = await client.query<BucketRow>(bucketSql(pair, key), values);
  const rows = buckets.reduce((sum, { live_rows }) => sum + Number(live_rows ?? 0), 0);
  const unequal = buckets.filter(({ equal }) => !equal).map(({ bucket }) => bucket);
  if (unequal.length === 0) {
    return { table: pair.table, rows, missing: 0, unexpected: 0, different: 0, samples: [] };
  }
  const { rows: found } = await client.query<CountRow>(countSql(pair, key), [...values, unequal]);
  const { rows: samples } = await client.query<RowDifference>(sampleSql(pair, key), [
    ...values,
    unequal,
    sampleLimit,
  ]);
  const [counts] = found;
  return {
    table: pair.table,
    rows,
    missing: Number(counts?.missing ?? 0),
    unexpected: Number(counts?.unexpected ?? 0),
    different: Number(counts?.different ?? 0),
    samples,
  };
}

/** Quoted names of the primary key's columns. */
export async function keyColumns(client: PoolClient, physical: string): Promise<readonly string[]> {
  const { rows } = await client.query<{ name: string }>(KEY_COLUMNS, [physical]);
  if (rows.length === 0) throw new NotComparableError(`${physical} has no primary key`);
  return rows.map(({ name }) => name);
}

async function requireTenantColumn(client: PoolClient, { table, live }: TablePair): Promise<void> {
  const { rowCount } = await client.query(TENANT_COLUMN, [live]);
  if (rowCount === 0)
    throw new NotComparableError(`${table} has no column tenant_id, so it can't be taken by tenant`);
}

interface BucketRow {
  readonly bucket: number;
  readonly live_rows: string | null;
  readonly equal: boolean;
}

interface CountRow {
  readonly missing: string;
  readonly unexpected: string;
  readonly different: string;
}

const BUCKETS = 1_024;
const bucketOf = (key: readonly string[]) =>
  `(hash_record_extended(row(${key.join(', ')}), 0) & ${BUCKETS - 1})::int`;
const ofTenant = ({ tenant }: TablePair) => (tenant === undefined ? 'true' : 'tenant_id = $1');

const bucketSql = (pair: TablePair, key: readonly string[]) => `
with live as (
  select ${bucketOf(key)} as bucket, count(*) as rows, bit_xor(hash_record_extended(t, 1)) as hash
  from ${pair.live} t
  where ${ofTenant(pair)}
  group by 1
), folded as (
  select ${bucketOf(key)} as bucket, count(*) as rows, bit_xor(hash_record_extended(t, 1)) as hash
  from ${pair.folded} t
  where ${ofTenant(pair)}
  group by 1
)
select
  bucket,
  live.rows as live_rows,
  (live.rows, live.hash) is not distinct from (folded.rows, folded.hash) as equal
from live
full join folded using (bucket)`;

const unequalRows = (pair: TablePair, key: readonly string[]) => {
  const buckets = pair.tenant === undefined ? '$1' : '$2';
  return `
with live as (
  select row(${key.join(', ')})::text as key, t::text as content, to_jsonb(t) as row
  from ${pair.live} t
  where ${ofTenant(pair)} and ${bucketOf(key)} = any(${buckets}::int[])
), folded as (
  select row(${key.join(', ')})::text as key, t::text as content, to_jsonb(t) as row
  from ${pair.folded} t
  where ${ofTenant(pair)} and ${bucketOf(key)} = any(${buckets}::int[])
)`;
};

const countSql = (pair: TablePair, key: readonly string[]) => `
${unequalRows(pair, key)}
select
  count(*) filter (where live.key is null) as missing,
  count(*) filter (where folded.key is null) as unexpected,
  count(*) filter (where live.content <> folded.content) as different
from live
full join folded using (key)`;

const sampleSql = (pair: TablePair, key: readonly string[]) => `
${unequalRows(pair, key)}
select key, live.row as live, folded.row as folded
from live
full join folded using (key)
where live.content is distinct from folded.content
order by key
limit ${pair.tenant === undefined ? '$2' : '$3'}`;

const KEY_COLUMNS = `
select quote_ident(attribute.attname) as name
from pg_index index
cross join lateral unnest(index.indkey::int2[]) with ordinality as part (number, place)
join pg_attribute attribute on attribute.attrelid = index.indrelid and attribute.attnum = part.number
where index.indrelid = $1::regclass and index.indisprimary
order by part.place`;

const TENANT_COLUMN = `
select 1
from pg_attribute
where attrelid = $1::regclass and attname = 'tenant_id' and not attisdropped`;
