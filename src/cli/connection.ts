import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ConnectionOptions } from '../sdk/http.ts';
import { usageError } from './cli-error.ts';
import { parseLossless } from './lossless-json.ts';

type Environment = Readonly<Record<string, string | undefined>>;

const LOOPBACK = /^(127\.\d+\.\d+\.\d+|localhost|\[::1\])$/;
const PROJECT = fileURLToPath(new URL('../..', import.meta.url));

/** Where the service is. */
export function serviceUrl(environment: Environment, given?: string): string {
  const url = given ?? (environment.JOBS_URL || `http://127.0.0.1:${environment.PORT || 4000}`);
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw usageError(
      `${JSON.stringify(url)} is no address of a service; it looks like http://127.0.0.1:4000`,
    );
  }
  return url;
}

/** The service and the key to it: JOBS_API_KEY, or the key that a server on this machine made for itself. */
export function connectionFrom(environment: Environment, givenUrl?: string): ConnectionOptions {
  const url = serviceUrl(environment, givenUrl);
  const apiKey = environment.JOBS_API_KEY || devKey(environment, url);
  const tenant = environment.JOBS_TENANT || undefined;
  return { url, apiKey, tenant, parse: parseLossless, tries: 3, timeoutMs: 30_000 };
}

function devKey(environment: Environment, url: string): string {
  // The key of this machine's own server is nobody else's business.
  if (!LOOPBACK.test(new URL(url).hostname)) {
    throw usageError(
      `set JOBS_API_KEY to a key of ${url}; an operator makes one with: keys create --tenant NAME`,
    );
  }
  const key = readSecret(environment, 'dev-key');
  if (key) return key;
  throw usageError(
    'no key: set JOBS_API_KEY (an operator makes one with: keys create --tenant NAME), or run this in the folder where npm start runs',
  );
}

/** A file of the embedded installation; undefined when there is none. */
export function readSecret(environment: Environment, name: string): string | undefined {
  for (const folder of dataFolders(environment)) {
    const file = join(folder, name);
    try {
      return readFileSync(file, 'utf8').trim() || undefined;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EACCES')
        throw usageError(`${file} belongs to the user who runs the server; run this as that user`);
      if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error;
    }
  }
  return undefined;
}

/** Where DATA_DIR points; else here, else in the project itself, so that it does not matter where one stands. */
export const dataFolders = ({ DATA_DIR }: Environment): readonly string[] =>
  DATA_DIR ? [DATA_DIR] : ['.data', join(PROJECT, '.data')];
