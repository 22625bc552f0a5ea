import { parseArgs } from 'node:util';
import { z } from 'zod';
import { ACCESS_SETTINGS, accessProblems, tokenOptions } from './access-settings.ts';
import type { RedactionRules } from './adapters/http/redaction.ts';
import type { KafkaOptions } from './adapters/kafka/options.ts';
import type { TokenOptions } from './adapters/oidc/options.ts';
import { StartupError } from './adapters/process/startup-error.ts';
import {
  EVENTSTOREDB_SETTINGS,
  type EventStoreDbSettings,
  eventStoreDbProblems,
  eventStoreDbSettings,
} from './eventstoredb-settings.ts';
import type { InboundSettings } from './inbound.ts';
import { INBOX_SETTINGS, inboundSettings } from './inbox-settings.ts';
import { KAFKA_SETTINGS, kafkaOptions, kafkaProblems } from './kafka-settings.ts';
import { OUTBOX_SETTINGS, type OutboxSettings, outboxSettings } from './outbox-settings.ts';
import { PLAN_SETTINGS, type PlanSettings, planSettings } from './plan-settings.ts';
import { type Setting, setting, wholeNumber } from './setting.ts';

export const ROLES = ['api', 'projections', 'timers', 'forwarder', 'inbox'] as const;
export type Role = (typeof ROLES)[number];

/** Everything that can be set from outside, checked and frozen. Durations in milliseconds, sizes in bytes. */
export interface Config {
  /** Absent: an embedded PostgreSQL in dataDir. */
  readonly databaseUrl: string | undefined;
  readonly databaseConnections: number;
  readonly port: number;
  readonly host: string;
  /** Without a slash at the end. */
  readonly publicUrl: string | undefined;
  readonly dataDir: string;
  readonly logLevel: z.infer<typeof logLevel>;
  readonly roles: ReadonlySet<Role>;
  readonly shutdownMs: number;
  readonly maxPendingEvents: number;
  readonly maxPayloadBytes: number;
  readonly demo: boolean;
  /** Absent: the log is in PostgreSQL. */
  readonly eventStoreDb: EventStoreDbSettings | undefined;
  /** Absent: public events stay here. */
  readonly kafka: KafkaOptions | undefined;
  /** Absent: public events are not written as rows. */
  readonly outbox: OutboxSettings | undefined;
  readonly inbound: InboundSettings;
  /** Absent: only API keys are taken. */
  readonly tokens: TokenOptions | undefined;
  readonly redactions: RedactionRules;
  readonly plans: PlanSettings;
}

const logLevel = z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], {
  error: 'must be trace, debug, info, warn, error, fatal or silent',
});

const postgresUrl = z.string().refine(isPostgresUrl, {
  error: 'must look like postgres://user:password@host:5432/database',
});

const publicUrl = z
  .string()
  .refine(isPlainUrl, { error: 'must look like https://jobs.example.com, without user, query or fragment' })
  .transform((url) => url.replace(/\/+$/, ''));

const roles = z
  .string()
  .transform((text) => text.split(',').map((word) => word.trim()))
  .pipe(z.array(z.enum(ROLES, { error: `must be one or more of ${ROLES.join(',')}` })))
  .transform((list): ReadonlySet<Role> => new Set(list));

const SETTINGS = {
  DATABASE_URL: setting(
    postgresUrl.optional(),
    '',
    'PostgreSQL 14 or later to use, as `postgres://user:password@host:5432/database`. Not set: an embedded PostgreSQL in `DATA_DIR`',
  ),
  DATABASE_CONNECTIONS: setting(
    // Eight of them belong to leadership and read models, and callers need four.
    wholeNumber(12, 500),
    '20',
    'Connections to the database at most, for each process: 12 or more',
  ),
  PORT: setting(wholeNumber(0, 65_535), '4000', 'Port of the HTTP API; 0 takes any free one. Also `--port`'),
  HOST: setting(
    z.string().regex(/^[\w.:-]+$/, 'must be an address or a host name'),
    '127.0.0.1',
    'Address to listen on. `0.0.0.0` opens the API to the network: put TLS in front of it',
  ),
  PUBLIC_URL: setting(
    publicUrl.optional(),
    '',
    'Where others reach the API, as `https://jobs.example.com`: public events name their schemas by it. Not set: by URN',
  ),
  DATA_DIR: setting(z.string(), '.data', 'Folder of the embedded PostgreSQL and of its secrets'),
  LOG_LEVEL: setting(logLevel, 'info', '`trace`, `debug`, `info`, `warn`, `error`, `fatal` or `silent`'),
  ROLES: setting(
    roles,
    ROLES.join(','),
    'What this process does: answer the API, maintain read models, fire timers and expire leases, put events on Kafka, listen to events of others. Also `--roles`',
  ),
  SHUTDOWN_MS: setting(
    wholeNumber(0, 600_000),
    '10000',
    'How long stopping may take after SIGTERM or Ctrl-C; requests under way are cut off after three quarters of it',
  ),
  MAX_PENDING_EVENTS: setting(
    wholeNumber(100, 10_000_000),
    '20000',
    'Events waiting to be written before the API answers 503 with Retry-After',
  ),
  MAX_PAYLOAD_BYTES: setting(
    wholeNumber(1_024, 1_048_576),
    '262144',
    'Size of one payload or result at most',
  ),
  ...EVENTSTOREDB_SETTINGS,
  ...KAFKA_SETTINGS,
  ...OUTBOX_SETTINGS,
  ...INBOX_SETTINGS,
  ...PLAN_SETTINGS,
  ...ACCESS_SETTINGS,
} as const;

export const SETTING_LIST: readonly Setting[] = Object.entries(SETTINGS).map(
  ([name, { standard, meaning }]) => ({
    name,
    standard,
    meaning,
  }),
);

export const HELP = `Eventzr Jobs: a multi-tenant job service on an event log

  npm start                      everything in this process, PostgreSQL included, on http://127.0.0.1:4000
  npm start -- --demo            and a worker with some jobs to look at

  --port NUMBER   port of the HTTP API (PORT)
  --roles LIST    what this process does: ${ROLES.join(',')} (ROLES)
  --demo          enqueue and work some demo jobs
  --help          this text

Settings come from the environment or from a file named .env:

${SETTING_LIST.map(({ name, standard }) => `  ${name.padEnd(28)}${standard}`.trimEnd()).join('\n')}

They are explained in docs/configuration.md.
`;

export type Invocation = { readonly kind: 'help' } | { readonly kind: 'serve'; readonly config: Config };

/**
 * Reads flags (without the program's name) and environment; a flag wins. Throws one StartupError that names every
 * problem and its remedy.
 */
export function readConfig(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Invocation {
  const flags = readFlags(args);
  if (flags.help === true) return { kind: 'help' };
  const given: Record<string, string | undefined> = {
    ...environment,
    ...(flags.port !== undefined && { PORT: flags.port }),
    ...(flags.roles !== undefined && { ROLES: flags.roles }),
  };
  const problems: string[] = [];
  const values = z.object(shapeOf(SETTINGS)).safeParse(withStandards(given));
  for (const issue of values.error?.issues ?? []) {
    const name = String(issue.path[0]);
    // A URL may hold a password.
    const value = /_URL$|PASSWORD/.test(name) ? '' : `, not ${JSON.stringify(given[name])}`;
    problems.push(`${name}: ${issue.message}${value}`);
  }
  if (values.success) problems.push(...problemsTogether(values.data));
  if (!values.success || problems.length > 0) throw invalid(problems);
  const { data } = values;
  return {
    kind: 'serve',
    config: Object.freeze({
      databaseUrl: data.DATABASE_URL,
      databaseConnections: data.DATABASE_CONNECTIONS,
      port: data.PORT,
      host: data.HOST,
      publicUrl: data.PUBLIC_URL,
      dataDir: data.DATA_DIR,
      logLevel: data.LOG_LEVEL,
      roles: data.ROLES,
      shutdownMs: data.SHUTDOWN_MS,
      maxPendingEvents: data.MAX_PENDING_EVENTS,
      maxPayloadBytes: data.MAX_PAYLOAD_BYTES,
      demo: flags.demo === true,
      eventStoreDb: eventStoreDbSettings(data),
      kafka: kafkaOptions(data),
      outbox: outboxSettings(data),
      inbound: inboundSettings(data),
      tokens: tokenOptions(data),
      redactions: data.REDACT ?? {},
      plans: planSettings(data),
    }),
  };
}

type Values = z.infer<z.ZodObject<Schemas<typeof SETTINGS>>>;

/** What settings that are right by themselves lack together. */
const problemsTogether = (values: Values): readonly string[] => [
  ...eventStoreDbProblems(values),
  ...kafkaProblems(values),
  ...accessProblems(values),
];

function readFlags(args: readonly string[]) {
  try {
    const options = {
      help: { type: 'boolean', short: 'h' },
      port: { type: 'string' },
      roles: { type: 'string' },
      demo: { type: 'boolean' },
    } as const;
    return parseArgs({ args: [...args], options }).values;
  } catch (error) {
    throw invalid([`${(error as Error).message.split('. ')[0]}; --help shows what there is`]);
  }
}

type Schemas<S extends Record<string, { schema: z.ZodType }>> = { [K in keyof S]: S[K]['schema'] };

function shapeOf<const S extends Record<string, { schema: z.ZodType }>>(settings: S): Schemas<S> {
  return Object.fromEntries(
    Object.entries(settings).map(([name, { schema }]) => [name, schema]),
  ) as Schemas<S>;
}

/** An empty variable counts as not set: that is how compose files and .env files leave things out. */
function withStandards(
  given: Readonly<Record<string, string | undefined>>,
): Record<string, string | undefined> {
  return Object.fromEntries(
    SETTING_LIST.map(({ name, standard }) => [name, given[name]?.trim() || standard || undefined]),
  );
}

function isPostgresUrl(text: string): boolean {
  return URL.canParse(text) && /^postgres(ql)?:$/.test(new URL(text).protocol);
}

function isPlainUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, search, hash } = new URL(text);
  return /^https?:$/.test(protocol) && username === '' && search === '' && hash === '';
}

function invalid(problems: readonly string[]): StartupError {
  const list =
    problems.length === 1 ? ` ${problems[0]}` : problems.map((problem) => `\n  ${problem}`).join('');
  return new StartupError('config_invalid', `the configuration is not right:${list}`);
}
