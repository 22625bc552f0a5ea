import { createApiKey, type NewApiKey } from '../../src/adapters/postgres/api-keys.ts';
import { noLogger } from '../../src/commands/telemetry.ts';
import { readConfig } from '../../src/config.ts';
import { startService } from '../../src/service.ts';
import { createDatabase, type TestDatabase } from './database.ts';
import { assertAsDescribed } from './described-answers.ts';
import { logSettings } from './log-in-use.ts';
import { waitUntil } from './wait-until.ts';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape; the description checks them.
  readonly body: any;
}

export interface Caller {
  readonly tenantId: string;
  readonly keyId: string;
  readonly token: string;
  /** Asks again while a read model is behind: the service itself waits for two seconds only. */
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
}

/** The whole service on a database of its own, listening. Every answer is compared with the API's description. */
export interface LiveApi extends AsyncDisposable {
  readonly url: string;
  readonly database: TestDatabase;
  /** A caller with a key of its own, for a tenant of its own, or for those given. */
  caller(key?: Partial<Pick<NewApiKey, 'tenants' | 'role'>>): Promise<Caller>;
}

/** `given`: the database of another one, to be a second process beside it. */
export async function startLiveApi(
  settings: Readonly<Record<string, string>> = {},
  given?: TestDatabase,
): Promise<LiveApi> {
  const database = given ?? (await createDatabase());
  const environment = { DATABASE_URL: database.url, PORT: '0', ...logSettings(database.url), ...settings };
  const invocation = readConfig([], environment);
  if (invocation.kind !== 'serve') throw new Error('no configuration');
  const service = await startService({
    ...invocation,
    logger: noLogger,
    databaseUrl: database.url,
    devKey: undefined,
  });
  let tenants = 0;
  return {
    url: service.url,
    database,
    async caller({ tenants: bound, role = 'admin' } = {}) {
      tenants += 1;
      const tenantId = `tenant-${tenants}`;
      const key = { name: 'test', tenants: bound ?? [tenantId], role };
      const { token, keyId } = await createApiKey(database.pool, key);
      const call = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) => {
        const all = { authorization: `Bearer ${token}`, ...headers };
        return waitUntil('the read model is there', async () => {
          const answer = await request(service.url, { method, path, body, headers: all });
          return answer.body?.code !== 'projection-behind' && answer;
        });
      };
      return { tenantId, keyId, token, call };
    },
    async [Symbol.asyncDispose]() {
      await service.stop();
      if (!given) await database[Symbol.asyncDispose]();
    },
  };
}

interface Call {
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
  readonly headers: Record<string, string>;
}

async function request(url: string, { method, path, body, headers }: Call): Promise<Answer> {
  const json = body === undefined ? undefined : JSON.stringify(body);
  const type = json === undefined ? undefined : { 'content-type': 'application/json' };
  const response = await fetch(url + path, { method, headers: { ...type, ...headers }, body: json ?? null });
  const text = await response.text();
  const answer = text ? JSON.parse(text) : undefined;
  assertAsDescribed(method, path, response, answer);
  return { status: response.status, headers: response.headers, body: answer };
}
