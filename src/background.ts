import { createIdempotencySweeper } from './adapters/postgres/idempotency-sweeper.ts';
import { OUTBOX } from './adapters/postgres/outbox-writer.ts';
import { createQuotaAccounts } from './adapters/postgres/quota-accounts.ts';
import { postgresLeaseAudit } from './adapters/postgres/ready-queue-audit.ts';
import { expireLeases } from './commands/expire-leases.ts';
import { fenceReservations } from './commands/fence-reservations.ts';
import { fireTimers } from './commands/fire-timers.ts';
import { createQuotaHandler } from './commands/quota-handler.ts';
import { reconcileLeases } from './commands/reconcile-leases.ts';
import { resetQuotas } from './commands/reset-quotas.ts';
import { settleQuotas } from './commands/settle-quotas.ts';
import type { Parts } from './parts.ts';
import { READY_JOBS } from './projections/ready-jobs.ts';
import { runProjections } from './projections/runner.ts';

/** What a process does besides answering calls. */
export type BackgroundRole = 'projections' | 'timers' | 'forwarder' | 'inbox';

export interface BackgroundTask {
  readonly name: string;
  readonly task: (signal: AbortSignal) => Promise<void>;
}

/** The tasks of a role; each is supervised on its own. Those that only one process may do elect a leader first. */
export function backgroundTasks(parts: Parts, roles: ReadonlySet<BackgroundRole>): readonly BackgroundTask[] {
  return [
    ...(roles.has('projections') ? projectionTasks(parts) : []),
    ...(roles.has('timers') ? timerTasks(parts) : []),
    ...(roles.has('forwarder') ? [...forwarderTasks(parts), ...outboxTasks(parts)] : []),
    ...(roles.has('inbox') ? inboxTasks(parts) : []),
  ];
}

function projectionTasks({
  projectionEnvironment,
  projections,
  freshness,
  dispatcher,
  lineProgress,
}: Parts): BackgroundTask[] {
  return [
    {
      name: 'projections',
      task: (signal) =>
        runProjections(
          {
            environment: projectionEnvironment,
            projections,
            advanced: (projection, position) => {
              freshness.advanced(projection, position);
              if (projection !== READY_JOBS) return;
              lineProgress.moved(position);
              dispatcher.placed();
            },
          },
          signal,
        ),
    },
    { name: 'freshness', task: (signal) => freshness.report(signal) },
  ];
}

function timerTasks({
  dispatch,
  dispatcher,
  pool,
  stagedJobsRelay,
  projectionEnvironment,
  operations,
  tenancy,
  heartbeatPath,
}: Parts): BackgroundTask[] {
  const deps = { ...dispatch, wake: () => dispatcher.wake() };
  const quotas = {
    ...dispatch,
    accounts: createQuotaAccounts(projectionEnvironment.pool),
    handler: createQuotaHandler(dispatch.log),
    jobs: dispatch.handler,
  };
  const led = (name: string, task: BackgroundTask['task']): BackgroundTask => ({
    name,
    task: (signal) => projectionEnvironment.lead({ name, signal, task }),
  });
  return [
    led('timers', fireTimers(deps)),
    led('leases', expireLeases({ ...deps, heartbeatPath })),
    led('lease_audit', reconcileLeases({ ...deps, audit: postgresLeaseAudit(pool) })),
    led('quota_settler', settleQuotas(quotas)),
    led('reservation_fence', fenceReservations(quotas)),
    led('quota_reset', resetQuotas(quotas)),
    led('plans', tenancy.applyPlans),
    led('tenant_figures', tenancy.tenantFigures),
    { name: 'plans_file', task: tenancy.keepFile },
    { name: 'staged_jobs', task: (signal) => stagedJobsRelay.run(signal) },
    { name: 'operations', task: (signal) => operations.run(signal) },
    { name: 'idempotency_keys', task: createIdempotencySweeper(pool) },
  ];
}

function forwarderTasks({
  forwarder,
  forwarderStatus,
  projectionEnvironment,
  republisher,
}: Parts): BackgroundTask[] {
  if (!forwarder) return [];
  return [
    {
      name: 'forwarder',
      task: (signal) =>
        projectionEnvironment.lead({
          name: 'forwarder',
          signal,
          task: (leading, fence) => forwarder.run(leading, fence),
        }),
    },
    { name: 'forwarder_status', task: (signal) => forwarderStatus.report(signal) },
    { name: 'republications', task: (signal) => republisher.run(signal) },
  ];
}

function outboxTasks({ outbox, outboxStatus, projectionEnvironment }: Parts): BackgroundTask[] {
  if (!outbox) return [];
  return [
    {
      name: OUTBOX,
      task: (signal) =>
        projectionEnvironment.lead({
          name: OUTBOX,
          signal,
          task: (leading, fence) => outbox.write(leading, fence),
        }),
    },
    { name: 'outbox_sweeper', task: (signal) => outbox.sweep(signal) },
    { name: 'outbox_status', task: (signal) => outboxStatus.report(signal) },
  ];
}

/** Any number of processes may listen: a consumer group shares the partitions among them. */
const inboxTasks = ({ inbound }: Parts): BackgroundTask[] =>
  Object.entries(inbound.tasks).map(([name, task]) => ({ name, task }));
