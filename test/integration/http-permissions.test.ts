import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ApiOperation, apiOperations } from '../support/api-operations.ts';
import { type Answer, type Caller, type LiveApi, startLiveApi } from '../support/live-api.ts';
import { type Belongings, tenantBelongings } from '../support/tenant-belongings.ts';

const ROLES = ['viewer', 'worker', 'producer', 'operator', 'admin'] as const;
type Role = (typeof ROLES)[number];

/** Written down by hand, so that a slip of the pen in the code shows. */
const MAY: Readonly<Record<string, readonly Role[]>> = {
  read: ROLES,
  work: ['worker', 'operator', 'admin'],
  enqueue: ['producer', 'operator', 'admin'],
  operate: ['operator', 'admin'],
  administer: ['admin'],
  read_platform: ROLES,
  administer_platform: ['admin'],
};

/** Every operation, by what it wants. A new one is entered here, or the first test fails. */
const RULES: Readonly<Record<string, readonly string[]>> = {
  nothing: ['getLiveness', 'getReadiness', 'getMetrics'],
  read: [
    ...['listJobs', 'getJob', 'listJobEvents', 'listJobAttempts'],
    ...['listDeadLetters', 'groupDeadLetters', 'getDeadLetter'],
    ...['listQueues', 'getQueue', 'listWorkers', 'getStats', 'getTimeseries'],
    ...['listTenants', 'getTenant', 'getQuota', 'listQuotaHistory', 'listPlans', 'getPlan'],
    ...['listProjections', 'getProjection', 'listEvents', 'streamEvents'],
    ...['listSubscriptions', 'getSubscription', 'listInboxDeadLetters', 'getInboxDeadLetter'],
    ...['listOperations', 'getOperation'],
  ],
  work: [
    ...['claimJobs', 'heartbeat', 'acknowledge'],
    ...['completeJob', 'failJob', 'releaseJob', 'acknowledgeCancel', 'heartbeatJob'],
  ],
  enqueue: ['enqueueJob', 'enqueueJobs', 'amendJob', 'cancelJob', 'retryJob', 'receiveEvents'],
  operate: [
    ...['purgeDeadLetter', 'replayDeadLetter', 'limitQueue', 'pauseQueue', 'resumeQueue'],
    ...['putSubscription', 'deleteSubscription', 'editInboxDeadLetter', 'replayInboxDeadLetter'],
    'replayInboxDeadLetters',
    ...['quietWorker', 'wakeWorker', 'startOperation', 'abortOperation', 'listAudit'],
  ],
  administer: ['listKeys', 'createKey', 'rotateKey', 'revokeKey'],
  read_platform: ['getForwarder', 'listConsumers'],
  administer_platform: [
    ...['rebuildProjection', 'verifyProjection', 'rollBackProjection'],
    ...['pauseTenant', 'resumeTenant', 'putQuota', 'deleteQuota', 'resetQuota', 'putPlan', 'deletePlan'],
    ...['republishEvents', 'listRepublications', 'getRepublication', 'abortRepublication'],
  ],
};

const operations = apiOperations();
const ruleOf = new Map(Object.entries(RULES).flatMap(([rule, ids]) => ids.map((id) => [id, rule])));
const withCredential = operations.filter(({ permission }) => permission !== undefined);

it('every operation has one rule, which the description says, too', () => {
  const described = operations.map(({ id, permission }) => `${id} wants ${permission ?? 'nothing'}`);
  const ruled = Object.entries(RULES).flatMap(([rule, ids]) => ids.map((id) => `${id} wants ${rule}`));
  expect(described.sort()).toEqual(ruled.sort());
});

let api: LiveApi;
let ours: Belongings;
let theirs: Belongings;
const ofTenant = new Map<Role, Caller>();
const ofPlatform = new Map<Role, Caller>();

beforeAll(async () => {
  api = await startLiveApi();
  const belongingsOf = async (tenant: string) =>
    tenantBelongings(api, await api.caller({ tenants: [tenant] }), tenant);
  [ours, theirs] = await Promise.all([belongingsOf('ours'), belongingsOf('theirs')]);
  for (const role of ROLES) {
    ofTenant.set(role, await api.caller({ tenants: ['ours'], role }));
    ofPlatform.set(role, await api.caller({ tenants: '*', role }));
  }
});
afterAll(() => api?.[Symbol.asyncDispose]());

/** What a tenant does not have for itself. */
const SHARED: Readonly<Record<string, string>> = {
  '/v1/plans': 'a-plan',
  '/v1/projections': 'dead-letters',
  '/v1/forwarder': '019340a1-7f3e-7000-8c11-2a3b4c5d6e7f',
};

function addressOf({ path, parameters, id }: ApiOperation, belongings: Belongings): string {
  const head = path.split('/', 3).join('/');
  const address = parameters.reduce(
    (text, name) => text.replace(`{${name}}`, SHARED[head] ?? belongings.at(path, name)),
    path,
  );
  return id === 'purgeDeadLetter' ? `${address}?reason=test` : address;
}

/** As the example of its body says; without waiting for anything, and without dooming what the next test needs. */
function ask(
  caller: Caller | undefined,
  operation: ApiOperation,
  belongings: Belongings,
  headers: Record<string, string> = {},
  query = '',
): Promise<Answer> {
  if (!caller) throw new Error('there is no such caller');
  const address = addressOf(operation, belongings);
  const url = query === '' ? address : `${address}${address.includes('?') ? '&' : '?'}${query}`;
  if (operation.id === 'streamEvents') return openStream(caller, url, headers);
  const body = operation.id === 'claimJobs' ? { workerId: 'w', queues: ['none'] } : operation.body;
  return caller.call(operation.method, url, body, headers);
}

async function openStream(caller: Caller, url: string, headers: Record<string, string>): Promise<Answer> {
  const stop = new AbortController();
  const authorization = `Bearer ${caller.token}`;
  const response = await fetch(api.url + url, {
    headers: { authorization, ...headers },
    signal: stop.signal,
  });
  const { status } = response;
  const body = status === 200 ? undefined : await response.json();
  stop.abort();
  return { status, headers: response.headers, body };
}

/** Let in: whatever became of it, the role was not what stood in the way. */
const isLetIn = ({ status, body }: Answer): boolean => status !== 401 && body?.code !== 'forbidden';

describe.each(ROLES)('a %s', (role) => {
  it.each(withCredential)('of the tenant may $id if the rule says so', async (operation) => {
    const rule = ruleOf.get(operation.id) ?? '';
    const allowed = MAY[rule]?.includes(role) === true && !rule.endsWith('_platform');
    const answer = await ask(ofTenant.get(role), operation, ours);
    expect(isLetIn(answer), JSON.stringify(answer.body)).toBe(allowed);
    if (!allowed) expect(answer.status).toBe(403);
  });

  it.each(withCredential)('of the platform may $id if the rule says so', async (operation) => {
    // The tenants of these tests keep their quotas and are not paused.
    const belongings = { ...ours, at: (path: string, name: string) => elsewhere(path, name) };
    const allowed = MAY[ruleOf.get(operation.id) ?? '']?.includes(role) === true;
    const headers = { 'on-behalf-of': 'elsewhere' };
    const answer = await ask(ofPlatform.get(role), operation, belongings, headers);
    expect(isLetIn(answer), JSON.stringify(answer.body)).toBe(allowed);
    if (!allowed) expect(answer.status).toBe(403);
  });
});

const elsewhere = (path: string, name: string): string =>
  path.startsWith('/v1/tenants') ? 'elsewhere' : ours.at(path, name);

describe('the admin of a tenant', () => {
  const admin = () => ofTenant.get('admin');
  const text = ({ body, headers }: Answer): string =>
    `${JSON.stringify(body)}${JSON.stringify([...headers])}`;
  /** The tenant's id may be in what was asked for, and comes back with the problem. */
  const withoutAddress = (answer: Answer): string =>
    text({ ...answer, body: answer.body && { ...answer.body, instance: '' } });
  const ofOneTenant = withCredential.filter(({ path, parameters }) => {
    const head = path.split('/', 3).join('/');
    return parameters.length > 0 && SHARED[head] === undefined;
  });
  const NAMED_BY_TENANT: readonly string[] = ['limitQueue', 'pauseQueue', 'resumeQueue', 'putSubscription'];

  // First: what it asks for below is noted as its own doing, with the names that it asked for.
  it.each(withCredential.filter(({ method, id }) => method === 'GET' && id !== 'streamEvents'))(
    'sees nothing of another in $id',
    async (operation) => {
      const answer = await ask(admin(), operation, ours);
      for (const secret of theirs.secrets) expect(text(answer)).not.toContain(secret);
    },
  );

  it.each(ofOneTenant.filter(({ id }) => !NAMED_BY_TENANT.includes(id)))(
    'can not $id of another, and learns nothing',
    async (operation) => {
      const before = await eventsOfOthers();
      const answer = await ask(admin(), operation, theirs);
      expect([403, 404, 409]).toContain(answer.status);
      // A lease token speaks for itself; the example's is nobody's.
      if (answer.status === 409) expect(answer.body.code).toBe('lease-lost');
      for (const secret of theirs.secrets) expect(withoutAddress(answer)).not.toContain(secret);
      expect(await eventsOfOthers()).toBe(before);
    },
  );

  it.each(withCredential)('can not $id on behalf of another', async (operation) => {
    const before = await eventsOfOthers();
    const answers = [await ask(admin(), operation, ours, { 'on-behalf-of': 'theirs' })];
    if (operation.method === 'GET') answers.push(await ask(admin(), operation, ours, {}, 'tenant=theirs'));
    expect(answers.map(({ status, body }) => `${status} ${body.code}`)).toEqual(
      answers.map(() => '403 forbidden'),
    );
    expect(await eventsOfOthers()).toBe(before);
  });

  it('sees nothing of another where names are free: they are names of its own', async () => {
    for (const operation of ofOneTenant.filter(({ id }) => NAMED_BY_TENANT.includes(id))) {
      const before = await eventsOfOthers();
      const answer = await ask(admin(), operation, theirs);
      expect(isLetIn(answer)).toBe(true);
      expect(answer.status).not.toBe(409);
      for (const secret of theirs.secrets.slice(1)) expect(text(answer)).not.toContain(secret);
      expect(await eventsOfOthers()).toBe(before);
    }
  });
});

async function eventsOfOthers(): Promise<number> {
  const { rows } = await api.database.pool.query<{ events: number }>(
    `select count(*)::int as events from eventzr.events where metadata::json->>'tenantId' = 'theirs'`,
  );
  return rows[0]?.events ?? -1;
}
