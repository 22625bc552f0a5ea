import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

let answers: boolean | undefined;

/** Whether containers can be started here. Asked once for each process. */
export function dockerAnswers(): boolean {
  answers ??= ask();
  return answers;
}

function ask(): boolean {
  try {
    execFileSync('docker', ['version', '--format', '{{.Server.Version}}'], {
      stdio: 'ignore',
      timeout: 10_000,
    });
    return true;
  } catch {
    return false;
  }
}

/** The image that docker-compose.yml runs for a service: tests run the same. */
export function imageOf(service: 'postgres' | 'eventstoredb' | 'kafka'): string {
  const text = readFileSync(new URL('../../docker-compose.yml', import.meta.url), 'utf8');
  const { services } = parse(text, { merge: true }) as {
    readonly services: Readonly<Record<string, { readonly image: string }>>;
  };
  const found = services[service];
  if (!found) throw new Error(`docker-compose.yml has no service ${service}`);
  return found.image;
}
