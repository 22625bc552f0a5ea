import type pg from 'pg';
import { createKeyVault } from './adapters/postgres/key-vault.ts';
import { createManageKeys, type ManageKeys } from './commands/manage-keys.ts';
import { createNoteAction, type NoteAction } from './commands/note-action.ts';
import type { Clock, EventLog, Ids } from './commands/ports.ts';

/** Who may use the service, and what they did to it. */
export interface Access {
  readonly keys: ManageKeys;
  readonly noteAction: NoteAction;
}

export interface AccessDeps {
  readonly pool: pg.Pool;
  readonly log: EventLog;
  readonly clock: Clock;
  readonly ids: Ids;
}

export const createAccess = ({ pool, ...deps }: AccessDeps): Access => ({
  keys: createManageKeys({ ...deps, vault: createKeyVault(pool) }),
  noteAction: createNoteAction(deps),
});
