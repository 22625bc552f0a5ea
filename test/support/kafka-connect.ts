import { writeFile } from 'node:fs/promises';
import { type JavaProcess, runJava } from './java-process.ts';
import { kafkaClassPath, missingForKafka } from './kafka-jars.ts';
import { freePort } from './running-service.ts';
import { tempFolder } from './temp-folder.ts';
import { waitUntil } from './wait-until.ts';

/** A connector as it is given to Kafka Connect. */
export interface Connector {
  readonly name: string;
  readonly config: Readonly<Record<string, string>>;
}

/** Kafka Connect with one connector, as a process of its own. */
export interface KafkaConnect extends AsyncDisposable {
  /** Starts it again after kill, with the offsets that it had written down. Resolves when the connector runs. */
  start(): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
  output(): string;
}

/** Why suites that start it can't run here; undefined: they can. Says so on the terminal, too. */
export function whyNoConnect(): string | undefined {
  const missing = missingForKafka('connect');
  if (missing)
    console.warn(`SKIPPED: no Kafka Connect for the tests: ${missing} (Java 17 or later, and Maven)`);
  return missing;
}

export async function startConnect(brokers: readonly string[], connector: Connector): Promise<KafkaConnect> {
  const classPath = await kafkaClassPath('connect');
  const folder = await tempFolder();
  const port = await freePort();
  const [settings, order] = [`${folder.path}/worker.properties`, `${folder.path}/connector.json`];
  await writeFile(settings, worker(brokers, folder.path, port));
  await writeFile(order, JSON.stringify(connector));
  let connect: JavaProcess | undefined;
  const end = async (): Promise<void> => {
    await connect?.end('SIGKILL');
    connect = undefined;
  };
  const started: KafkaConnect = {
    output: () => connect?.output() ?? '',
    async start() {
      const jvm = ['-Xmx384m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', classPath];
      const run = await runJava([...jvm, 'org.apache.kafka.connect.cli.ConnectStandalone', settings, order]);
      connect = run;
      await waitUntil(
        'the connector runs',
        () => {
          if (run.ended()) throw new Error(`Kafka Connect ended:\n${run.output()}`);
          return isRunning(`http://127.0.0.1:${port}/connectors/${connector.name}/status`);
        },
        { timeoutMs: 120_000, everyMs: 100 },
      );
    },
    kill: end,
    async [Symbol.asyncDispose]() {
      await end();
      await folder[Symbol.asyncDispose]();
    },
  };
  await started.start();
  return started;
}

interface Status {
  readonly tasks: readonly { readonly state: string; readonly trace?: string }[];
}

async function isRunning(url: string): Promise<boolean> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(2_000) }).catch(() => undefined);
  if (!answer?.ok) return false;
  const { tasks } = (await answer.json()) as Status;
  const failed = tasks.find(({ state }) => state === 'FAILED');
  if (failed) throw new Error(`the connector failed:\n${failed.trace}`);
  return tasks.some(({ state }) => state === 'RUNNING');
}

const worker = (brokers: readonly string[], folder: string, port: number): string => `
bootstrap.servers=${brokers.join(',')}
listeners=http://127.0.0.1:${port}
offset.storage.file.filename=${folder}/offsets
offset.flush.interval.ms=500
key.converter=org.apache.kafka.connect.storage.StringConverter
value.converter=org.apache.kafka.connect.storage.StringConverter
plugin.discovery=service_load
`;
