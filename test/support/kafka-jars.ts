import { execFile, execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { promisify } from 'node:util';

const CACHE = new URL('../../.cache/', import.meta.url).pathname;

/** Programs of the Kafka project: what their folders in .cache are called, and the poms that name their jars. */
const PROGRAMS = {
  server: { folder: 'kafka-4.3.0', pom: 'kafka-server.pom.xml' },
  connect: { folder: 'kafka-connect-4.3.0-debezium-3.3.1', pom: 'kafka-connect.pom.xml' },
} as const;

export type KafkaProgram = keyof typeof PROGRAMS;

/** What is missing for running it here; undefined: nothing. */
export function missingForKafka(program: KafkaProgram = 'server'): string | undefined {
  const wanted = existsSync(folderOf(program)) ? ['java'] : ['java', 'mvn'];
  const missing = wanted.filter((command) => !runs(command));
  return missing.length === 0 ? undefined : `${missing.join(' and ')} not found`;
}

/** Class path of a program; fetched from Maven Central once, then kept in .cache/. Suites may ask at the same time. */
export async function kafkaClassPath(program: KafkaProgram = 'server'): Promise<string> {
  const folder = folderOf(program);
  if (!existsSync(folder)) {
    await mkdir(CACHE, { recursive: true });
    const fetched = await mkdtemp(`${CACHE}fetching-`);
    try {
      const pom = new URL(`./${PROGRAMS[program].pom}`, import.meta.url).pathname;
      const goal = ['dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${fetched}`];
      await promisify(execFile)('mvn', ['-q', '-B', '-f', pom, ...goal], { timeout: 240_000 });
      await rename(fetched, folder);
    } catch (error) {
      await rm(fetched, { recursive: true, force: true });
      if (!existsSync(folder)) throw error;
    }
  }
  return `${folder}/*`;
}

const folderOf = (program: KafkaProgram): string => `${CACHE}${PROGRAMS[program].folder}`;

function runs(command: string): boolean {
  try {
    execFileSync(command, ['-version'], { stdio: 'ignore', timeout: 30_000 });
    return true;
  } catch {
    return false;
  }
}
