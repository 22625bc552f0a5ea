import { accepted, type Decider, type Decision, rejected, unreachable } from '../decider.ts';
import type { TenantQuotaCommand, TenantQuotaRejection } from './commands.ts';
import { reserve, reset, settle } from './decide-jobs.ts';
import { noteExceeded, resume, setTerms, suspend } from './decide-terms.ts';
import type { TenantQuotaEvent } from './events.ts';
import { evolve, unheardOf } from './evolve.ts';
import type { TenantQuota } from './state.ts';

/** What one tenant may use, and what it uses. undefined: nobody ever said anything about the tenant. */
export const tenantQuotaDecider: Decider<
  TenantQuotaCommand,
  TenantQuota | undefined,
  TenantQuotaEvent,
  TenantQuotaRejection
> = { initial: () => undefined, evolve, decide };

function decide(
  command: TenantQuotaCommand,
  quota: TenantQuota | undefined,
): Decision<TenantQuotaEvent, TenantQuotaRejection> {
  switch (command.type) {
    case 'SetTerms':
      return setTerms(command, quota);
    case 'Reserve':
      return reserve(command, quota ?? unheardOf(command.at));
    case 'SuspendTenant':
      return suspend(command, quota ?? unheardOf(command.at));
    case 'Settle':
      return quota ? settle(command, quota) : rejected('not_settled_there');
    case 'NoteExceeded':
      return quota ? noteExceeded(command, quota) : accepted<TenantQuotaEvent>();
    case 'ResetQuota':
      return quota ? reset(command, quota) : accepted<TenantQuotaEvent>();
    case 'ResumeTenant':
      return quota ? resume(command, quota) : accepted<TenantQuotaEvent>();
    default:
      return unreachable(command);
  }
}
