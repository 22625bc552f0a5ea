import { execFile, execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { promisify } from 'node:util';

const VERSION = '4.3.0';
const CACHE = new URL('../../.cache/', import.meta.url).pathname;
const POM = new URL('./kafka-server.pom.xml', import.meta.url).pathname;

/** What is missing for running Kafka here; undefined: nothing. */
export function missingForKafka(): string | undefined {
  const missing = (existsSync(folder()) ? ['java'] : ['java', 'mvn']).filter((command) => !runs(command));
  return missing.length === 0 ? undefined : `${missing.join(' and ')} not found`;
}

/** Class path of Apache Kafka; fetched from Maven Central once, then kept in .cache/. Suites may ask at the same time. */
export async function kafkaClassPath(): Promise<string> {
  if (!existsSync(folder())) {
    await mkdir(CACHE, { recursive: true });
    const fetched = await mkdtemp(`${CACHE}fetching-`);
    try {
      const goal = ['dependency:copy-dependencies', `-DoutputDirectory=${fetched}`];
      await promisify(execFile)('mvn', ['-q', '-B', '-f', POM, ...goal], { timeout: 240_000 });
      await rename(fetched, folder());
    } catch (error) {
      await rm(fetched, { recursive: true, force: true });
      if (!existsSync(folder())) throw error;
    }
  }
  return `${folder()}/*`;
}

const folder = (): string => `${CACHE}kafka-${VERSION}`;

function runs(command: string): boolean {
  try {
    execFileSync(command, ['-version'], { stdio: 'ignore', timeout: 30_000 });
    return true;
  } catch {
    return false;
  }
}
