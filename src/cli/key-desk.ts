import { userInfo } from 'node:os';
import type { Command } from 'commander';
import { createAccess } from '../access.ts';
import type {
  CreateKeyRequest,
  KeyPage,
  KeyWithToken,
  RotateKeyRequest,
} from '../adapters/http/contract/keys.ts';
import { keyView } from '../adapters/http/key-view.ts';
import { checkLogHome, logPlace } from '../adapters/postgres/log-home.ts';
import { systemClock, systemIds } from '../adapters/system.ts';
import type { ManageKeys } from '../commands/manage-keys.ts';
import { noLogger, noMetrics } from '../commands/telemetry.ts';
import { openLog } from '../open-log.ts';
import { InvalidCursorError } from '../projections/queries.ts';
import { CliError, usageError } from './cli-error.ts';
import { withDatabase } from './database.ts';
import { sessionOf } from './session.ts';

type NewKey = CreateKeyRequest & { readonly tenants: Exclude<CreateKeyRequest['tenants'], undefined> };

export interface KeyQuery {
  readonly limit: number;
  readonly cursor?: string;
  readonly tenant?: string;
}

/** Where keys are made. */
export interface KeyDesk {
  list(query: KeyQuery): Promise<KeyPage>;
  create(key: NewKey): Promise<KeyWithToken>;
  rotate(id: string, rotation: RotateKeyRequest): Promise<KeyWithToken>;
  revoke(id: string, reason?: string): Promise<void>;
}

/** Through the service with --api; else straight in its database, which is how the first key comes about. */
export function atKeyDesk<Result>(
  command: Command,
  { api = false }: { readonly api?: boolean },
  task: (desk: KeyDesk) => Promise<Result>,
): Promise<Result> {
  return api ? task(sessionOf(command).client.keys) : atDatabase(task);
}

function atDatabase<Result>(task: (desk: KeyDesk) => Promise<Result>): Promise<Result> {
  const clock = systemClock;
  const ids = systemIds(clock);
  return withDatabase(process.env, async (pool) => {
    const home = eventStoreDb();
    await checkLogHome(pool, logPlace(home));
    const log = await openLog(home, { pool, logger: noLogger, metrics: noMetrics });
    try {
      const { keys } = createAccess({ pool, log, clock, ids });
      const correlationId = ids.next();
      return await task(databaseDesk(keys, { actor: { id: userName(), auth: 'cli' }, correlationId }));
    } finally {
      await log.close();
    }
  });
}

type Caller = Parameters<ManageKeys['create']>[0];

function databaseDesk(keys: ManageKeys, caller: Caller): KeyDesk {
  return {
    async list({ tenant, ...page }) {
      const found = await keys.list(tenant === undefined ? '*' : [tenant], page).catch((error: unknown) => {
        throw error instanceof InvalidCursorError ? usageError(error.message) : error;
      });
      const { rows, nextCursor, prevCursor } = found;
      return { data: rows.map(keyView), nextCursor, prevCursor };
    },
    async create({ expiresAt, ...key }) {
      const made = await keys.create(caller, { ...key, expiresAt: at(expiresAt) });
      return { ...keyView(made.key), token: made.token };
    },
    async rotate(id, { graceMs = 0, expiresAt, reason }) {
      const rotation = { graceMs, expiresAt: at(expiresAt), reason, allows: () => true };
      const done = await keys.rotate(caller, id, '*', rotation);
      if (done.kind === 'refused') throw noSuchKey(id);
      return { ...keyView(done.key), token: done.token };
    },
    async revoke(id, reason) {
      const done = await keys.revoke(caller, id, '*', reason);
      if (done.kind === 'refused') throw noSuchKey(id);
    },
  };
}

const at = (time: string | undefined): number | undefined =>
  time === undefined ? undefined : Date.parse(time);

const noSuchKey = (id: string) => new CliError(`there is no key ${id} that works`, undefined, 'not_found');

/** Where the service has its log, the events of keys belong, too. */
function eventStoreDb() {
  const { EVENTSTOREDB_URL: connectionString, EVENTSTOREDB_STREAM_PREFIX } = process.env;
  if (!connectionString) return undefined;
  return { connectionString, streamPrefix: EVENTSTOREDB_STREAM_PREFIX || 'eventzr.' };
}

/** Containers often run as a user without a name. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}`;
  }
}
