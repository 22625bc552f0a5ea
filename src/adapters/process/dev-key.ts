import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Credentials, Principal } from '../http/principal.ts';
import type { DataFolder } from './data-folder.ts';

export const DEV_TENANT = 'dev';

const FILE = 'dev-key';

const DEVELOPER: Principal = { name: 'dev key', auth: 'dev_key', tenants: [DEV_TENANT], role: 'admin' };

/** The key of a data folder, drawn at random at the first start. Without it a fresh installation could not be used. */
export async function devKey(folder: DataFolder): Promise<string> {
  const known = await folder.readSecret(FILE);
  if (known) return known;
  const key = `dev_${randomBytes(24).toString('base64url')}`;
  await folder.writeSecret(FILE, key);
  return key;
}

/** Takes the dev key and leaves every other token to `others`. */
export function withDevKey(key: string, others: Credentials): Credentials {
  const expected = hash('sha256', key, 'buffer');
  return {
    async verify(token) {
      if (timingSafeEqual(hash('sha256', token, 'buffer'), expected)) return DEVELOPER;
      return others.verify(token);
    },
  };
}
