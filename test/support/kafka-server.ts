import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { promisify } from 'node:util';
import { Kafka, logLevel } from 'kafkajs';
import { dockerAnswers } from './containers.ts';
import { type JavaProcess, runJava } from './java-process.ts';
import { kafkaClassPath, missingForKafka } from './kafka-jars.ts';
import { type KafkaLogin, type Listener, type SecuredListener, securedListener } from './kafka-login.ts';
import { freePort } from './running-service.ts';
import { tempFolder } from './temp-folder.ts';
import { waitUntil } from './wait-until.ts';

/** A Kafka broker of one's own, one node: Apache Kafka on the machine's Java, or in a container where there is no Java. */
export interface KafkaServer extends AsyncDisposable {
  readonly brokers: readonly string[];
  /** The same broker over TLS with a login, if asked for. */
  readonly secured: SecuredListener | undefined;
  /** Starts it again after kill or stop, with the same data at the same address. Resolves when it takes topics. */
  start(): Promise<void>;
  /** Ends it in order. */
  stop(): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
}

/**
 * Why suites that start brokers can't run here; undefined: they can. Says so on the terminal, too. Logins need Java, without
 * them a container will do.
 */
export function whyNoKafka({ login = false }: { readonly login?: boolean } = {}): string | undefined {
  const missing = missingForKafka();
  if (missing === undefined || (!login && dockerAnswers())) return undefined;
  const why = `${missing}${login ? '' : ', and Docker does not answer'}`;
  console.warn(`SKIPPED: no Kafka for the tests: ${why} (Java 17 or later, and Maven)`);
  return why;
}

export interface KafkaServerOptions {
  /** Compile for throughput, as a real broker does; otherwise for a quick start. */
  readonly forSpeed?: boolean;
  /** Who may log in to a second listener, with PLAIN and SCRAM. */
  readonly login?: KafkaLogin;
}

export async function startKafka({ forSpeed = false, login }: KafkaServerOptions = {}): Promise<KafkaServer> {
  if (!login && missingForKafka() !== undefined) {
    const { startKafkaContainer } = await import('./kafka-container.ts');
    return startKafkaContainer(containerSettings, isUp);
  }
  const classPath = await kafkaClassPath();
  const folder = await tempFolder();
  const port = await freePort();
  const settings = `${folder.path}/server.properties`;
  const secured = login && (await securedListener(folder.path, await freePort(), login));
  await writeFile(settings, properties(folder.path, port, await freePort(), secured));
  // One that begins with a dash would be taken for an option.
  const id = randomBytes(16).toString('base64url').replace(/^-/, 'A');
  const jvm = ['-Xmx512m', '-XX:+UseSerialGC', ...(forSpeed ? [] : ['-XX:TieredStopAtLevel=1'])];
  const format = [
    ...jvm,
    '-cp',
    classPath,
    'kafka.tools.StorageTool',
    'format',
    '-t',
    id,
    '-c',
    settings,
    ...(secured?.formatting ?? []),
  ];
  await promisify(execFile)('java', format, { timeout: 120_000 });
  let broker: JavaProcess | undefined;
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    await broker?.end(signal);
    broker = undefined;
  };
  const server: KafkaServer = {
    brokers: [`127.0.0.1:${port}`],
    secured,
    async start() {
      const started = await runJava([...jvm, '-cp', classPath, 'kafka.Kafka', settings]);
      broker = started;
      await waitUntil(
        'Kafka answers',
        () => {
          if (started.ended()) throw new Error(`Kafka ended:\n${started.output()}`);
          return isUp(port);
        },
        { timeoutMs: 120_000, everyMs: 50 },
      );
    },
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
    async [Symbol.asyncDispose]() {
      await end('SIGKILL');
      await folder[Symbol.asyncDispose]();
    },
  };
  await server.start();
  return server;
}

/** A broker takes connections before its controller lets it in; until then no topic can be created. */
async function isUp(port: number): Promise<boolean> {
  if (!(await answers(port))) return false;
  const kafka = new Kafka({
    brokers: [`127.0.0.1:${port}`],
    logLevel: logLevel.NOTHING,
    retry: { retries: 0 },
  });
  const admin = kafka.admin();
  try {
    await admin.connect();
    return (await admin.describeCluster()).brokers.length === 1;
  } catch {
    return false;
  } finally {
    await admin.disconnect();
  }
}

async function answers(port: number): Promise<boolean> {
  const socket = createConnection({ host: '127.0.0.1', port });
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** What all brokers of tests have in common. */
const COMMON: Readonly<Record<string, string>> = {
  'process.roles': 'broker,controller',
  'node.id': '1',
  'inter.broker.listener.name': 'PLAINTEXT',
  'controller.listener.names': 'CONTROLLER',
  'num.partitions': '1',
  'auto.create.topics.enable': 'false',
  'default.replication.factor': '1',
  'min.insync.replicas': '1',
  'offsets.topic.replication.factor': '1',
  'offsets.topic.num.partitions': '4',
  'transaction.state.log.replication.factor': '1',
  'transaction.state.log.min.isr': '1',
  'group.initial.rebalance.delay.ms': '0',
  // A killed broker may come back once its session is over.
  'broker.session.timeout.ms': '2000',
  'broker.heartbeat.interval.ms': '500',
};

const containerSettings = (port: number, controllerPort: number): Readonly<Record<string, string>> => ({
  ...COMMON,
  listeners: `PLAINTEXT://:9092,CONTROLLER://:${controllerPort}`,
  'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
  'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
  'controller.quorum.voters': `1@localhost:${controllerPort}`,
});

const properties = (folder: string, port: number, controllerPort: number, secured?: Listener): string => `
${Object.entries(COMMON)
  .map(([name, value]) => `${name}=${value}`)
  .join('\n')}
listeners=PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}${secured?.address ?? ''}
advertised.listeners=PLAINTEXT://127.0.0.1:${port}${secured?.address ?? ''}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURED:SASL_SSL
controller.quorum.voters=1@127.0.0.1:${controllerPort}
log.dirs=${folder}/data
${secured?.properties ?? ''}
`;
