import type { FastifyRequest } from 'fastify';
import type { KeyRow, KeyScope } from '../../../commands/key-vault.ts';
import type { KeyRefused } from '../../../commands/manage-keys.ts';
import { commandContextOf, namedTenant, signedIn, tenantOf } from '../caller.ts';
import {
  createKeyRequest,
  keyPage,
  keyParams,
  keyWithToken,
  listKeysQuery,
  revokeKeyQuery,
  rotateKeyRequest,
} from '../contract/keys.ts';
import { futureTime } from '../future-time.ts';
import { keyView } from '../key-view.ts';
import { isPlatform, isWithin, type Role } from '../principal.ts';
import { HttpProblem, invalid } from '../problems.ts';
import { setPosition } from '../revision-headers.ts';
import type { App, ServerParts } from '../server-parts.ts';
import { answers } from './describe.ts';
import { pageView } from './page.ts';

const TAGS = ['keys'];

/** A year, also a long one. */
const MOST_DAYS_BY_TOKEN = 366;

export function keyRoutes(app: App, { access, clock }: ServerParts): void {
  app.get(
    '/v1/keys',
    {
      config: { permission: 'administer' },
      schema: {
        operationId: 'listKeys',
        summary: 'Keys that act for no other tenants than the caller: working ones first, then the newest',
        tags: TAGS,
        querystring: listKeysQuery,
        response: answers({ 200: keyPage }, 'invalid-cursor'),
      },
    },
    async (request, reply) => {
      const page = await access.keys.list(scopeOf(request), request.query);
      return pageView(page, keyView, request, reply);
    },
  );

  app.post(
    '/v1/keys',
    {
      // Without Idempotency-Key: answers that are kept for repeats would keep the secret.
      config: { permission: 'administer' },
      schema: {
        operationId: 'createKey',
        summary: 'Make a key; its token is shown in the answer and never again',
        description:
          'It can do no more than the key that makes it: no other tenants, no later end. Made with a token of an ' +
          `identity provider, it must end within ${MOST_DAYS_BY_TOKEN} days.`,
        tags: TAGS,
        body: createKeyRequest,
        response: answers({ 201: keyWithToken }, 'malformed-json', 'tenant-required', 'contended'),
      },
    },
    async (request, reply) => {
      const { tenants: wanted, expiresAt: end, ...body } = request.body;
      const tenants = wanted ?? [tenantOf(request)];
      const expiresAt = futureTime('/expiresAt', end, clock.now());
      const wants = { role: body.role, expiresAt: expiresAt ?? null };
      if (!isCovered(tenants, scopeOf(request)) || !allowsOf(request, clock.now())(wants))
        throw beyondCaller();
      const made = await access.keys.create(commandContextOf(request), { ...body, tenants, expiresAt });
      setPosition(reply, made.position).header('location', `/v1/keys/${made.key.keyId}`);
      return reply.status(201).send({ ...keyView(made.key), token: made.token });
    },
  );

  app.post(
    '/v1/keys/:id/rotate',
    {
      config: { permission: 'administer', bodyOptional: true },
      schema: {
        operationId: 'rotateKey',
        summary: 'Give a key a new secret; the one before works for as long as asked',
        description: `With a token of an identity provider, the key must end within ${MOST_DAYS_BY_TOKEN} days afterwards.`,
        tags: TAGS,
        params: keyParams,
        body: rotateKeyRequest,
        response: answers({ 200: keyWithToken }, 'malformed-json', 'not-found', 'key-ended', 'contended'),
      },
    },
    async (request, reply) => {
      const { graceMs = 0, expiresAt: end, reason } = request.body;
      const expiresAt = futureTime('/expiresAt', end, clock.now());
      const rotation = { graceMs, expiresAt, reason, allows: allowsOf(request, clock.now()) };
      const context = commandContextOf(request);
      const done = await access.keys.rotate(context, request.params.id, scopeOf(request), rotation);
      if (done.kind === 'refused') throw problemOf(done);
      return setPosition(reply, done.position).send({ ...keyView(done.key), token: done.token });
    },
  );

  app.delete(
    '/v1/keys/:id',
    {
      config: { permission: 'administer' },
      schema: {
        operationId: 'revokeKey',
        summary: 'Refuse a key from now on, everywhere within a second',
        description:
          'What it has open, long polls and event streams, ends as well. Repeating it changes nothing.',
        tags: TAGS,
        params: keyParams,
        querystring: revokeKeyQuery,
        response: answers({ 204: undefined }, 'not-found', 'contended'),
      },
    },
    async (request, reply) => {
      const { reason } = request.query;
      const done = await access.keys.revoke(
        commandContextOf(request),
        request.params.id,
        scopeOf(request),
        reason,
      );
      if (done.kind === 'refused') throw problemOf(done);
      return setPosition(reply, done.position).status(204).send();
    },
  );
}

/** Keys that the caller may see and hand out: those for no tenants but its own. */
function scopeOf(request: FastifyRequest): KeyScope {
  const named = namedTenant(request);
  if (named !== undefined) return [named];
  const caller = signedIn(request);
  return isPlatform(caller) ? '*' : caller.tenants;
}

const isCovered = (tenants: readonly string[] | '*', scope: KeyScope): boolean =>
  scope === '*' || (tenants !== '*' && tenants.every((tenant) => scope.includes(tenant)));

/** A key must not be a way round its own role or its own end. Throws when a token would make one that stays for ever. */
const allowsOf =
  (request: FastifyRequest, now: number) =>
  ({ role, expiresAt }: Pick<KeyRow, 'role' | 'expiresAt'>): boolean => {
    const caller = signedIn(request);
    const { endsAt } = caller;
    const outlives = endsAt !== undefined && (expiresAt === null || expiresAt > endsAt);
    if (!isWithin(role as Role, caller.role) || outlives) return false;
    if (caller.auth === 'jwt') refuseLasting(expiresAt, now);
    return true;
  };

/**
 * A token ends within the hour, and its own end would make keys useless. But whoever is taken out of the identity provider
 * must not stay in by a key for ever.
 */
function refuseLasting(expiresAt: number | null, now: number): void {
  if (expiresAt !== null && expiresAt <= now + MOST_DAYS_BY_TOKEN * 86_400_000) return;
  const detail = `with a token, name an end of the key within ${MOST_DAYS_BY_TOKEN} days`;
  throw invalid('/expiresAt', detail);
}

const beyondCaller = () =>
  new HttpProblem('forbidden', 'the key would do more than yours: other tenants, or beyond its end');

function problemOf({ reason }: KeyRefused): HttpProblem {
  if (reason === 'key_not_found') return new HttpProblem('not-found', 'no such key');
  return reason === 'key_ended' ? new HttpProblem('key-ended') : beyondCaller();
}
