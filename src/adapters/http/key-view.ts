import type { KeyRow } from '../../commands/key-vault.ts';
import type { Key } from './contract/keys.ts';
import type { Role } from './principal.ts';
import { formatOptionalTime, formatTime } from './rfc3339.ts';

/** A key as the contract has it. */
export const keyView = ({ keyId, tenants, ...row }: KeyRow): Key => ({
  id: keyId,
  name: row.name,
  tenants: tenants === '*' ? '*' : [...tenants],
  role: row.role as Role,
  createdAt: formatTime(row.createdAt),
  expiresAt: formatOptionalTime(row.expiresAt),
  revokedAt: formatOptionalTime(row.revokedAt),
  lastUsedAt: formatOptionalTime(row.lastUsedAt),
  previousSecretUntil: formatOptionalTime(row.previousUntil),
});
