import type { ApiKeyCommand, ApiKeyRejection } from '../domain/api-key/commands.ts';
import { type ApiKey, apiKeyDecider } from '../domain/api-key/decider.ts';
import type { ApiKeyEvent } from '../domain/api-key/events.ts';
import { apiKeyStream } from '../domain/api-key/stream.ts';
import { apiKeyCodec } from './api-key-codec.ts';
import type { CallContext } from './call-context.ts';
import { ContendedError } from './contended-error.ts';
import { Handler } from './handle.ts';
import type { KeyPage, KeyPageRequest, KeyRow, KeyScope, KeyVault } from './key-vault.ts';
import { commandMetadataFor } from './metadata-for.ts';
import type { Clock, EventLog, Ids, Position } from './ports.ts';

export interface ManageKeysDeps {
  readonly log: EventLog;
  readonly vault: KeyVault;
  readonly clock: Clock;
  readonly ids: Ids;
}

/** Who asks. A key's events belong to its tenant, or to all tenants when it has several. */
export type KeyContext = Omit<CallContext, 'tenantId'>;

export interface NewKey {
  readonly name: string;
  readonly tenants: readonly string[] | '*';
  readonly role: string;
  readonly expiresAt?: number | undefined;
  readonly reason?: string | undefined;
}

export interface KeyRotation {
  /** How long the secret before goes on working; 0: it ends at once. */
  readonly graceMs: number;
  /** A new end; absent: as it was. */
  readonly expiresAt?: number | undefined;
  readonly reason?: string | undefined;
  /** Whether the caller may hold the key as it would be then. */
  readonly allows: (key: Pick<KeyRow, 'role' | 'expiresAt'>) => boolean;
}

/** The token is answered once and can't be found again. */
export interface KeyWithToken {
  readonly kind: 'changed';
  readonly key: KeyRow;
  readonly token: string;
  readonly position?: Position | undefined;
}

export type KeyRefused = {
  readonly kind: 'refused';
  /** beyond_caller: the caller would hold more than it has. */
  readonly reason: ApiKeyRejection | 'key_not_found' | 'beyond_caller';
};

/** Keys to the service. Whether the caller may hand out what it asks for is decided where the caller is known. */
export interface ManageKeys {
  /** Working ones first, then the newest. Throws an error with code invalid_cursor. */
  list(scope: KeyScope, page: KeyPageRequest): Promise<KeyPage>;
  create(context: KeyContext, key: NewKey): Promise<KeyWithToken>;
  rotate(
    context: KeyContext,
    keyId: string,
    scope: KeyScope,
    rotation: KeyRotation,
  ): Promise<KeyWithToken | KeyRefused>;
  /** Refused everywhere within a second. Repeating it changes nothing. */
  revoke(
    context: KeyContext,
    keyId: string,
    scope: KeyScope,
    reason?: string,
  ): Promise<{ readonly kind: 'changed'; readonly position?: Position | undefined } | KeyRefused>;
}

/**
 * The event comes first, then the vault. When that fails between, the caller gets no answer and no secret: a repeated
 * rotation makes another one, and a repeated revocation reaches the vault although its event was there.
 */
export function createManageKeys({ log, vault, clock, ids }: ManageKeysDeps): ManageKeys {
  const handler = new Handler<ApiKeyCommand, ApiKey, ApiKeyEvent, ApiKeyRejection>(
    log,
    apiKeyDecider,
    apiKeyCodec,
  );

  async function carryOut(context: KeyContext, keyId: string, command: ApiKeyCommand) {
    const stream = apiKeyStream(keyId);
    const [only = '*'] = command.key.tenants;
    const tenantId = command.key.tenants.length === 1 ? only : '*';
    const metadata = commandMetadataFor({ ...context, tenantId }, command.at, ids.next());
    const [answer] = await handler.handle([{ stream, command, metadata }]);
    if (answer?.kind === 'unreadable') throw answer.error;
    if (answer?.kind === 'accepted' || answer?.kind === 'rejected') return answer;
    throw new ContendedError(stream);
  }

  return {
    list: (scope, page) => vault.list(scope, page),

    async create(context, { name, tenants: named, role, expiresAt, reason }) {
      // A key that has one tenant twice would ask which one is meant.
      const tenants = named === '*' ? named : [...new Set(named)];
      const secret = vault.newSecret();
      const at = clock.now();
      const terms = { name, tenants: tenants === '*' ? ['*'] : tenants, role };
      const done = await carryOut(context, secret.keyId, {
        type: 'CreateKey',
        key: terms,
        expiresAt,
        reason,
        at,
      });
      const key = { name, tenants, role, createdAt: at, expiresAt: expiresAt ?? null };
      await vault.insert(secret, key, done.revision);
      const { keyId, token } = secret;
      const rest = { revokedAt: null, lastUsedAt: null, previousUntil: null };
      return { kind: 'changed', key: { keyId, ...key, ...rest }, token, position: positionOf(done) };
    },

    async rotate(context, keyId, scope, { graceMs, expiresAt, reason, allows }) {
      const row = await vault.find(keyId, scope);
      if (!row) return { kind: 'refused', reason: 'key_not_found' };
      const endsAt = expiresAt ?? row.expiresAt;
      if (!allows({ role: row.role, expiresAt: endsAt })) return { kind: 'refused', reason: 'beyond_caller' };
      if (row.revokedAt !== null) return { kind: 'refused', reason: 'key_ended' };
      const at = clock.now();
      const done = await carryOut(context, keyId, {
        type: 'RotateKey',
        key: termsOf(row),
        endsAt: row.expiresAt ?? undefined,
        graceMs,
        expiresAt,
        reason,
        at,
      });
      if (done.kind === 'rejected') return { kind: 'refused', reason: done.reason };
      const secret = vault.newSecret(keyId);
      const previousUntil = graceMs > 0 ? at + graceMs : null;
      const change = { previousUntil, expiresAt: endsAt };
      if (!(await vault.replaceSecret(secret, change, done.revision)))
        throw new ContendedError(apiKeyStream(keyId));
      return {
        kind: 'changed',
        key: { ...row, ...change },
        token: secret.token,
        position: positionOf(done),
      };
    },

    async revoke(context, keyId, scope, reason) {
      const row = await vault.find(keyId, scope);
      if (!row) return { kind: 'refused', reason: 'key_not_found' };
      const at = clock.now();
      const done = await carryOut(context, keyId, { type: 'RevokeKey', key: termsOf(row), reason, at });
      await vault.revoke(keyId, done.revision);
      return { kind: 'changed', position: positionOf(done) };
    },
  };
}

const termsOf = ({ name, tenants, role }: KeyRow) => ({
  name,
  tenants: tenants === '*' ? ['*'] : tenants,
  role,
});

const positionOf = (done: { readonly position?: Position | undefined } | object): Position | undefined =>
  'position' in done ? done.position : undefined;
