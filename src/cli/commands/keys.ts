import { Command, Option } from 'commander';
import type { Key, KeyWithToken } from '../../adapters/http/contract/keys.ts';
import { ROLES, type Role } from '../../adapters/http/principal.ts';
import { usageError } from '../cli-error.ts';
import { withExample } from '../example.ts';
import { plainText, sinceText } from '../format.ts';
import { atKeyDesk } from '../key-desk.ts';
import type { Output } from '../output.ts';
import { type PageOptions, printPages, withPageOptions } from '../pages.ts';
import { outputOf } from '../session.ts';
import { duration, several, time } from '../values.ts';

const TENANT = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;

export function keyCommands(): Command {
  const command = new Command('keys').description(
    "API keys: straight in the service's database (DATABASE_URL), or with --api through the service",
  );
  for (const part of [create(), list(), rotate(), revoke()]) {
    command.addCommand(part.option('--api', 'through the service, with JOBS_API_KEY of an admin'));
  }
  return withExample(command, 'keys create --tenant acme --role worker');
}

interface Common {
  readonly api?: boolean;
  readonly reason?: string;
}

interface CreateOptions extends Common {
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
    .option('--reason <text>', 'why; kept for audits')
    .action(async (options: CreateOptions, self: Command) => {
      const { tenant, role, name, expires, reason } = options;
      const out = outputOf(self);
      for (const id of tenant) {
        if (id !== '*' && !TENANT.test(id))
          throw usageError(`${JSON.stringify(id)} is no tenant: letters, digits, _ and -`);
      }
      refusePast(expires);
      const tenants = tenant.includes('*') ? ('*' as const) : tenant;
      const named = name ?? `${role} of ${tenants === '*' ? 'all tenants' : tenants.join(', ')}`;
      const wanted = { name: named, tenants, role, expiresAt: expires, reason };
      const made = await atKeyDesk(self, options, (desk) => desk.create(wanted));
      await showToken(out, made);
    });
  return withExample(command, 'keys create --tenant acme --role producer --name shop --expires 90d');
}

function list(): Command {
  const command = withPageOptions(
    new Command('list')
      .description('Keys: those that work first, then the newest')
      .option('--tenant <id>', 'only those for this tenant alone'),
  ).action(async (options: PageOptions & Common & { readonly tenant?: string }, self: Command) => {
    const out = outputOf(self);
    const { tenant } = options;
    const filter = tenant === undefined ? {} : { tenant };
    await atKeyDesk(self, options, (desk) =>
      printPages(
        out,
        options,
        (query) => desk.list({ ...filter, ...query }),
        (keys) => keyTable(out, keys),
      ),
    );
  });
  return withExample(command, 'keys list');
}

interface RotateOptions extends Common {
  readonly grace?: number;
  readonly expires?: string;
}

function rotate(): Command {
  const command = new Command('rotate')
    .description('Give a key a new secret, shown once')
    .argument('<key>', 'its id: the part after ezk_; list shows it')
    .option('--grace <duration>', 'how long the secret before goes on working, at most 24h', duration)
    .option('--expires <time>', 'a new end: a time, or 90d from now', time)
    .option('--reason <text>', 'why; kept for audits')
    .action(async (given: string, options: RotateOptions, self: Command) => {
      const { grace = 0, expires, reason } = options;
      if (grace > 86_400_000) throw usageError('--grace is at most 24h');
      refusePast(expires);
      const rotation = { graceMs: grace, expiresAt: expires, reason };
      const made = await atKeyDesk(self, options, (desk) => desk.rotate(idOf(given), rotation));
      await showToken(outputOf(self), made);
    });
  return withExample(command, 'keys rotate abcdefghijkl --grace 1h');
}

function revoke(): Command {
  const command = new Command('revoke')
    .description('Refuse a key from now on')
    .argument('<key>', 'its id: the part after ezk_; list shows it')
    .option('--reason <text>', 'why; kept for audits')
    .action(async (given: string, options: Common, self: Command) => {
      const keyId = idOf(given);
      await atKeyDesk(self, options, (desk) => desk.revoke(keyId, options.reason));
      await outputOf(self).result({ id: keyId, revoked: true }, () => `${keyId} is refused from now on`);
    });
  return withExample(command, 'keys revoke abcdefghijkl');
}

/** Whoever has the whole key at hand may give that. */
const idOf = (given: string): string => /^ezk_([a-z0-9]{12})_/.exec(given)?.[1] ?? given;

function refusePast(expires: string | undefined): void {
  if (expires !== undefined && Date.parse(expires) <= Date.now())
    throw usageError('--expires lies in the past');
}

async function showToken(out: Output, key: KeyWithToken): Promise<void> {
  await out.result(key, () => key.token);
  if (!out.json) out.note(`\nkey ${key.id}: ${key.name}. It is not shown again; use it as JOBS_API_KEY.`);
}

function keyTable(out: Output, keys: readonly Key[]): string {
  const cells = keys.map((key) => [
    key.id,
    plainText(key.name),
    key.tenants === '*' ? '*' : key.tenants.join(', '),
    key.role,
    stateOf(out, key),
    key.lastUsedAt === null ? 'never' : sinceText(key.lastUsedAt),
  ]);
  return out.table(['KEY', 'NAME', 'TENANTS', 'ROLE', 'STATE', 'USED'], cells);
}

function stateOf(out: Output, { revokedAt, expiresAt }: Key): string {
  if (revokedAt !== null) return out.paint('gray', 'revoked');
  if (expiresAt === null) return out.paint('green', 'works');
  if (Date.parse(expiresAt) <= Date.now()) return out.paint('gray', 'expired');
  return out.paint('green', `until ${expiresAt.slice(0, 10)}`);
}
