import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { type RunningService, startServer } from '../support/running-service.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { waitUntil } from '../support/wait-until.ts';

it('says 503 and when to come back while PostgreSQL does not answer, and goes on when it does', async () => {
  await using place = await tempFolder();
  await using server = await startServer({ DATA_DIR: place.path });
  expect((await enqueue(server, 'before')).status).toBe(201);
  const postgres = await stopPostgres(place.path);
  try {
    const answers = await Promise.all([
      enqueue(server, 'unnamed'),
      enqueue(server, 'named', { 'idempotency-key': 'named' }),
      call(server, 'GET', '/v1/jobs'),
      call(server, 'GET', '/v1/queues'),
      call(server, 'GET', '/v1/events'),
      call(server, 'GET', '/readyz'),
      call(server, 'POST', '/v1/jobs', {
        authorization: 'Bearer ezk_abcdefabcdef_0123456789012345678901234567890123456789012',
      }),
    ]);
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 503));
    const toComeBack = answers.filter(({ url }) => !url.endsWith('/readyz'));
    expect(toComeBack.map(({ headers }) => headers.get('retry-after'))).toEqual(toComeBack.map(() => '1'));
    expect((await call(server, 'GET', '/livez')).status).toBe(200);
  } finally {
    for (const pid of postgres) process.kill(pid, 'SIGCONT');
  }
  await waitUntil('it is ready again', async () => (await call(server, 'GET', '/readyz')).status === 200);
  // The first try may have left its name: what it sent is carried out only now.
  const named = await waitUntil('nobody else has the name', async () => {
    const answer = await enqueue(server, 'named', { 'idempotency-key': 'named' });
    return ![409, 503].includes(answer.status) && answer;
  });
  expect(named.status).toBe(201);
  const found = await waitUntil('the jobs are seen', async () => {
    const answer = await call(server, 'GET', '/v1/jobs');
    const { data } = (await answer.json()) as { data: { type: string }[] };
    const types = data.map(({ type }) => type);
    return types.includes('named') && types;
  });
  // Whether an append without an answer was written is unknown; one with a key is never written twice.
  expect(found.filter((type) => type !== 'unnamed').sort()).toEqual(['before', 'named']);
}, 240_000);

function enqueue(server: RunningService, type: string, headers: Record<string, string> = {}) {
  return call(server, 'POST', '/v1/jobs', headers, JSON.stringify({ type }));
}

/** Gives up, and fails the test, when there is no answer at all. */
function call(
  { url, devKey }: RunningService,
  method: string,
  path: string,
  headers: Record<string, string> = {},
  body: string | null = null,
): Promise<Response> {
  const type = body === null ? {} : { 'content-type': 'application/json' };
  return fetch(`${url}${path}`, {
    method,
    headers: { authorization: `Bearer ${devKey}`, ...type, ...headers },
    body,
    signal: AbortSignal.timeout(60_000),
  });
}

/** Halts all its processes, the one first that would start others and see them off. Answers their ids. */
async function stopPostgres(dataDir: string): Promise<readonly number[]> {
  const pid = Number((await readFile(`${dataDir}/postgres/postmaster.pid`, 'utf8')).split('\n')[0]);
  process.kill(pid, 'SIGSTOP');
  const children = execFileSync('pgrep', ['-P', `${pid}`], { encoding: 'utf8' });
  const all = [pid, ...children.trim().split('\n').map(Number)];
  for (const one of all) process.kill(one, 'SIGSTOP');
  return all;
}
