import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { HELP, readConfig, SETTING_LIST } from '../src/config.ts';

describe('the configuration', () => {
  it('has a standard for everything', () => {
    expect(config([], {})).toMatchObject({
      databaseUrl: undefined,
      port: 4000,
      host: '127.0.0.1',
      dataDir: '.data',
      logLevel: 'info',
      shutdownMs: 10_000,
      demo: false,
    });
    expect([...config([], {}).roles]).toEqual(['api', 'projections', 'timers', 'forwarder', 'inbox']);
  });

  it('comes from the environment, and flags win', () => {
    const environment = { PORT: '5000', ROLES: 'projections', DATABASE_URL: 'postgres://db/jobs' };
    expect(config(['--port', '5001', '--roles=api, timers', '--demo'], environment)).toMatchObject({
      port: 5001,
      demo: true,
      databaseUrl: 'postgres://db/jobs',
    });
    expect([...config(['--roles=api, timers'], environment).roles]).toEqual(['api', 'timers']);
  });

  it('takes an empty variable for none', () => {
    expect(config([], { PORT: '', DATABASE_URL: ' ' })).toEqual(config([], {}));
  });

  it('cannot be changed', () => {
    expect(Object.isFrozen(config([], {}))).toBe(true);
  });

  it('names every problem at once, with its remedy', () => {
    const message = problems(['--port=99999'], {
      ROLES: 'api,cook',
      LOG_LEVEL: 'loud',
      SHUTDOWN_MS: '-1',
      DATABASE_URL: 'mysql://db',
      DATABASE_CONNECTIONS: '11',
    });
    expect(message).toMatch(/PORT: must be a whole number from 0 to 65535, not "99999"/);
    expect(message).toMatch(
      /ROLES: must be one or more of api,projections,timers,forwarder,inbox, not "api,cook"/,
    );
    expect(message).toMatch(/LOG_LEVEL: must be trace, debug/);
    expect(message).toMatch(/SHUTDOWN_MS: must be a whole number/);
    expect(message).toMatch(/DATABASE_URL: must look like postgres:/);
    expect(message).toMatch(/DATABASE_CONNECTIONS: must be a whole number from 12 to 500/);
  });

  it.each(['4000.5', '0x10', '1e3', 'NaN', '٤٠٠٠', '99999999999999999999'])('refuses the port %j', (port) => {
    expect(problems([], { PORT: port })).toMatch(/^.*PORT: must be a whole number/);
  });

  it('keeps a password out of its messages', () => {
    expect(problems([], { DATABASE_URL: 'mysql://me:hunter2@db/jobs' })).not.toContain('hunter2');
  });

  it('says where the log is', () => {
    expect(config([], {}).eventStoreDb).toBeUndefined();
    expect(config([], { EVENTSTOREDB_URL: 'esdb://me:pw@a:2113,b:2113?tls=true' }).eventStoreDb).toEqual({
      connectionString: 'esdb://me:pw@a:2113,b:2113?tls=true',
      streamPrefix: 'eventzr.',
    });
    const message = problems([], {
      EVENTSTOREDB_URL: 'http://me:hunter2@a:2113',
      EVENTSTOREDB_STREAM_PREFIX: '$mine',
    });
    expect(message).toMatch(/EVENTSTOREDB_URL: must look like esdb:/);
    expect(message).toMatch(/EVENTSTOREDB_STREAM_PREFIX: must be up to 64 letters/);
    expect(message).not.toContain('hunter2');
    expect(problems([], { EVENTSTOREDB_URL: 'esdb://a', MAX_PAYLOAD_BYTES: '1000000' })).toMatch(
      /MAX_PAYLOAD_BYTES: EventStoreDB takes 983040 at most/,
    );
  });

  it('says where others reach it, without a slash at the end', () => {
    expect(config([], {}).publicUrl).toBeUndefined();
    expect(config([], { PUBLIC_URL: 'https://jobs.example.com/' }).publicUrl).toBe(
      'https://jobs.example.com',
    );
    expect(config([], { PUBLIC_URL: 'http://a:4000/jobs' }).publicUrl).toBe('http://a:4000/jobs');
    for (const wrong of ['jobs.example.com', 'ftp://a', 'https://a/?b', 'https://a/#b', 'https://me@a']) {
      expect(problems([], { PUBLIC_URL: wrong })).toMatch(/PUBLIC_URL: must look like https:/);
    }
    expect(problems([], { PUBLIC_URL: 'https://me:hunter2@a' })).not.toContain('hunter2');
  });

  it('refuses flags it does not know, and arguments', () => {
    expect(problems(['--prot', '1'], {})).toMatch(/--prot.*--help/);
    expect(problems(['serve'], {})).toMatch(/serve.*--help/);
  });

  it('helps', () => {
    expect(readConfig(['--help'], { PORT: 'nonsense' })).toEqual({ kind: 'help' });
    for (const { name } of SETTING_LIST) expect(HELP).toContain(name);
  });
});

describe('rows for change data capture', () => {
  it('are written only where they are wanted, and stay for an hour unless something else is said', () => {
    expect(config([], {}).outbox).toBeUndefined();
    expect(config([], { OUTBOX_TABLE: 'true' }).outbox).toEqual({ keepMs: 3_600_000 });
    expect(config([], { OUTBOX_TABLE: 'true', OUTBOX_KEEP_MS: '0' }).outbox).toEqual({ keepMs: 0 });
  });
});

describe('the connection to Kafka', () => {
  it('is absent without brokers', () => {
    expect(config([], { KAFKA_TLS: 'true' }).kafka).toBeUndefined();
  });

  it('takes brokers, and what topics are created with', () => {
    expect(config([], { KAFKA_BROKERS: 'a:9092, b:9093', KAFKA_TOPIC_PREFIX: 'staging.' }).kafka).toEqual({
      connection: {
        brokers: ['a:9092', 'b:9093'],
        clientId: 'eventzr-jobs',
        tls: undefined,
        sasl: undefined,
      },
      topics: { prefix: 'staging.', partitions: 6, replication: -1, retentionMs: 604_800_000, create: true },
      contentMode: 'structured',
    });
  });

  it.each(['plain', 'scram-sha-256', 'scram-sha-512'])('logs in with %s', (mechanism) => {
    const settings = { KAFKA_BROKERS: 'a:9092', KAFKA_SASL: mechanism };
    const { kafka } = config([], { ...settings, KAFKA_USERNAME: 'me', KAFKA_PASSWORD: 'secret' });
    expect(kafka?.connection.sasl).toEqual({ mechanism, username: 'me', password: 'secret' });
    expect(problems([], settings)).toMatch(/KAFKA_USERNAME: .* needs it[\s\S]*KAFKA_PASSWORD: .* needs it/);
  });

  it('logs in to Amazon MSK', () => {
    const settings = { KAFKA_BROKERS: 'a:9098', KAFKA_SASL: 'aws-msk-iam' };
    const { kafka } = config([], { ...settings, KAFKA_TLS: 'true', KAFKA_AWS_REGION: 'eu-central-1' });
    expect(kafka?.connection).toMatchObject({
      tls: {},
      sasl: { mechanism: 'aws-msk-iam', region: 'eu-central-1' },
    });
    expect(problems([], settings)).toMatch(/KAFKA_AWS_REGION: [\s\S]*KAFKA_TLS: /);
  });

  it('reads certificates from files', () => {
    const path = new URL('../package.json', import.meta.url).pathname;
    const settings = { KAFKA_BROKERS: 'a:9092', KAFKA_TLS: 'true', KAFKA_TLS_CA: path };
    expect(config([], settings).kafka?.connection.tls?.ca).toContain('eventzr-jobs');
    expect(problems([], { KAFKA_TLS_CA: '/no/such/file' })).toMatch(/KAFKA_TLS_CA: must be a file/);
  });

  it('names what is wrong', () => {
    const message = problems([], { KAFKA_BROKERS: 'kafka://a', KAFKA_SASL: 'kerberos', KAFKA_TLS: 'yes' });
    expect(message).toMatch(/KAFKA_BROKERS: must look like host:9092/);
    expect(message).toMatch(/KAFKA_SASL: must be plain/);
    expect(message).toMatch(/KAFKA_TLS: must be true or false/);
  });
});

describe('its documents', () => {
  it('docs/configuration.md lists every setting as it is', () => {
    const rows = SETTING_LIST.map(
      ({ name, standard, meaning }) => `| \`${name}\` | ${standard && `\`${standard}\``} | ${meaning} |`,
    );
    const table = document('docs/configuration.md')
      .split('\n')
      .filter((line) => /^\| `[A-Z]/.test(line));
    expect(table).toEqual(rows);
  });

  it('.env.example lists every setting with its standard', () => {
    const lines = document('.env.example')
      .split('\n')
      .filter((line) => /^#?[A-Z_]+=/.test(line));
    expect(lines).toEqual(SETTING_LIST.map(({ name, standard }) => `#${name}=${standard}`));
  });
});

function config(args: string[], environment: Record<string, string>) {
  const invocation = readConfig(args, environment);
  if (invocation.kind !== 'serve') throw new Error('expected a configuration');
  return invocation.config;
}

function problems(args: string[], environment: Record<string, string>): string {
  try {
    readConfig(args, environment);
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('expected problems');
}

function document(path: string): string {
  return readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');
}
