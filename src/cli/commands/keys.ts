import { Command, Option } from 'commander';
import type { Role } from '../../adapters/http/principal.ts';
import { type ApiKeyRow, createApiKey, listApiKeys, revokeApiKey } from '../../adapters/postgres/api-keys.ts';
import { CliError, usageError } from '../cli-error.ts';
import { withDatabase } from '../database.ts';
import { withExample } from '../example.ts';
import { plainText, sinceText } from '../format.ts';
import type { Output } from '../output.ts';
import { outputOf } from '../session.ts';
import { several, time } from '../values.ts';

const ROLES: readonly Role[] = ['producer', 'worker', 'viewer', 'operator', 'admin'];
const TENANT = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;

export function keyCommands(): Command {
  const command = new Command('keys').description(
    "API keys, straight in the service's database (DATABASE_URL)",
  );
  for (const part of [create(), list(), revoke()]) command.addCommand(part);
  return withExample(command, 'keys create --tenant acme --role worker');
}

interface CreateOptions {
  readonly tenant: string[];
  readonly role: Role;
  readonly name?: string;
  readonly expires?: string;
}

function create(): Command {
  const command = new Command('create')
    .description('Make a key; it is shown once and kept only as a hash')
    .requiredOption('--tenant <id>', "whom it acts for; several times for several, '*' for all", several)
    .addOption(new Option('--role <role>', 'what it may do').choices(ROLES).makeOptionMandatory())
    .option('--name <text>', 'what it is for; shown as the actor of events')
    .option('--expires <time>', 'refused from then on: a time, or 90d from now', time)
    .action(async ({ tenant, role, name, expires }: CreateOptions, self: Command) => {
      const out = outputOf(self);
      for (const id of tenant) {
        if (id !== '*' && !TENANT.test(id))
          throw usageError(`${JSON.stringify(id)} is no tenant: letters, digits, _ and -`);
      }
      const tenants = tenant.includes('*') ? '*' : tenant;
      const expiresAt = expires === undefined ? undefined : Date.parse(expires);
      if (expiresAt !== undefined && expiresAt <= Date.now()) throw usageError('--expires lies in the past');
      const named = name ?? `${role} of ${tenants === '*' ? 'all tenants' : tenants.join(', ')}`;
      const { keyId, token } = await withDatabase(process.env, (pool) =>
        createApiKey(pool, { name: named, tenants, role, expiresAt }),
      );
      await out.result({ keyId, token, name: named, tenants, role, expiresAt: expires ?? null }, () => token);
      if (!out.json) out.note(`\nkey ${keyId}: ${named}. It is not shown again; use it as JOBS_API_KEY.`);
    });
  return withExample(command, 'keys create --tenant acme --role producer --name shop --expires 90d');
}

function list(): Command {
  const command = new Command('list')
    .description('Keys, newest first')
    .option('--tenant <id>', 'only those of a tenant')
    .action(async ({ tenant }: { tenant?: string }, self: Command) => {
      const out = outputOf(self);
      const keys = await withDatabase(process.env, (pool) => listApiKeys(pool, tenant));
      await out.result(keys.map(keyDocument), () => (keys.length > 0 ? keyTable(out, keys) : 'no keys yet'));
    });
  return withExample(command, 'keys list');
}

const timeOf = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString());

const keyDocument = (key: ApiKeyRow) => ({
  ...key,
  createdAt: timeOf(key.createdAt),
  expiresAt: timeOf(key.expiresAt),
  revokedAt: timeOf(key.revokedAt),
  lastUsedAt: timeOf(key.lastUsedAt),
});

function keyTable(out: Output, keys: readonly ApiKeyRow[]): string {
  const cells = keys.map((key) => [
    key.keyId,
    plainText(key.name),
    key.tenants === '*' ? '*' : key.tenants.join(', '),
    key.role,
    stateOf(out, key),
    key.lastUsedAt === null ? 'never' : sinceText(new Date(key.lastUsedAt).toISOString()),
  ]);
  return out.table(['KEY', 'NAME', 'TENANTS', 'ROLE', 'STATE', 'USED'], cells);
}

function stateOf(out: Output, { revokedAt, expiresAt }: ApiKeyRow): string {
  if (revokedAt !== null) return out.paint('gray', 'revoked');
  if (expiresAt === null) return out.paint('green', 'works');
  if (expiresAt <= Date.now()) return out.paint('gray', 'expired');
  return out.paint('green', `until ${new Date(expiresAt).toISOString().slice(0, 10)}`);
}

function revoke(): Command {
  const command = new Command('revoke')
    .description('Refuse a key from now on')
    .argument('<key>', 'its id: the part after ezk_; list shows it')
    .action(async (given: string, _options: object, self: Command) => {
      const out = outputOf(self);
      // Whoever has the whole key at hand may give that.
      const keyId = /^ezk_([a-z0-9]{12})_/.exec(given)?.[1] ?? given;
      const revoked = await withDatabase(process.env, (pool) => revokeApiKey(pool, keyId));
      if (!revoked) throw new CliError(`there is no key ${keyId} that works`, undefined, 'not_found');
      await out.result({ keyId, revoked }, () => `${keyId} is refused from now on`);
    });
  return withExample(command, 'keys revoke abcdefghijkl');
}
