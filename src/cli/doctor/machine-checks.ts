import { checkPort } from '../../adapters/process/port-check.ts';
import { StartupError } from '../../adapters/process/startup-error.ts';
import { readConfig } from '../../config.ts';
import { type Check, failed, ok, warning } from './check.ts';

const OLDEST_NODE = [22, 22] as const;
const ANSWER_WITHIN_MS = 5_000;

/** Node, settings, and whether something answers where the service should be. */
export function machineChecks(environment: NodeJS.ProcessEnv, url: string): readonly Check[] {
  return [
    { name: 'Node.js', run: async () => nodeFinding(process.versions.node) },
    { name: 'settings', run: async () => settingsFinding(environment) },
    { name: 'service', run: () => serviceFinding(url) },
  ];
}

function nodeFinding(version: string) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [oldestMajor, oldestMinor] = OLDEST_NODE;
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return ok(version);
  return failed(
    `${version} is too old; ${OLDEST_NODE.join('.')} or later is needed`,
    'npm ci brings its own: call the program through npx or npm run',
  );
}

function settingsFinding(environment: NodeJS.ProcessEnv) {
  try {
    readConfig([], environment);
    return ok('understood');
  } catch (error) {
    if (!(error instanceof StartupError)) throw error;
    return failed(error.message, 'docs/configuration.md explains every setting');
  }
}

async function serviceFinding(url: string) {
  try {
    const answer = await fetch(new URL('/readyz', url), { signal: AbortSignal.timeout(ANSWER_WITHIN_MS) });
    const body = (await answer.json()) as {
      status?: string;
      checks?: readonly { name: string; status: string }[];
    };
    if (answer.ok && body.status === 'ok') return ok(`answers at ${url}`);
    const broken = (body.checks ?? []).filter(({ status }) => status !== 'ok').map(({ name }) => name);
    return failed(
      `answers at ${url}, but is not ready: ${broken.join(', ') || answer.status}`,
      'see its log',
    );
  } catch (error) {
    return absentFinding(url, error instanceof SyntaxError);
  }
}

async function absentFinding(url: string, answersOtherwise: boolean) {
  const { hostname, port } = new URL(url);
  if (answersOtherwise) return failed(`something else answers at ${url}`, 'set JOBS_URL to the service');
  try {
    await checkPort(hostname, Number(port || 80));
  } catch (error) {
    // Of another machine nothing can be said.
    if (error instanceof StartupError && error.code === 'port_busy')
      return failed(error.message, 'stop that, or set PORT');
    return failed(`nothing answers at ${url}`, 'check JOBS_URL, and the network between');
  }
  return warning(`nothing answers at ${url}; the port is free`, 'npm start');
}
