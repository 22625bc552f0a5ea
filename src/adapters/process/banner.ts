import { DEV_TENANT } from './dev-key.ts';

export interface Ready {
  readonly version: string;
  /** Where the API answers, without a path. */
  readonly url: string;
  readonly database: string;
  /** Absent when keys are made by an operator. */
  readonly devKey?: string | undefined;
}

const EXAMPLE = '{"type":"email.send","payload":{"to":"ada@example.com"}}';

/** A command that enqueues a job when it is pasted into a shell. */
export function exampleCommand({ url, devKey = '$JOBS_API_KEY' }: Pick<Ready, 'url' | 'devKey'>): string {
  return `curl -s ${url}/v1/jobs -H "authorization: Bearer ${devKey}" -H "content-type: application/json" -d '${EXAMPLE}'`;
}

/** What a person needs to know once the service runs. */
export function banner(ready: Ready): string {
  const { version, url, database, devKey } = ready;
  const key =
    devKey === undefined ? 'npm run jobs -- keys create --help' : `${devKey}  (tenant ${DEV_TENANT})`;
  return `
  Eventzr Jobs ${version}

  API     ${url}/v1
  Docs    ${url}/docs
  Key     ${key}
  Data    ${database}

  Try it: ${exampleCommand(ready)}

  Ctrl-C stops.

`;
}
