export interface MetricDefinition {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels: readonly string[];
}

const counter = (help: string, ...labels: readonly string[]): MetricDefinition => ({
  type: 'counter',
  help,
  labels,
});
const gauge = (help: string, ...labels: readonly string[]): MetricDefinition => ({
  type: 'gauge',
  help,
  labels,
});
const histogram = (help: string, ...labels: readonly string[]): MetricDefinition => ({
  type: 'histogram',
  help,
  labels,
});

/**
 * Every figure the service reports. Exposed as `eventzr_<name>`, counters with `_total`, histograms (of durations) with
 * `_seconds` at the end. A figure that is not declared here is not exposed.
 */
export const METRICS: Readonly<Record<string, MetricDefinition>> = {
  http_request_duration: histogram('HTTP requests by route.', 'method', 'route', 'status'),
  http_long_polls: gauge('Requests that wait for work, open.'),
  http_event_streams: gauge('Open event streams.'),
  http_bodies_waiting: gauge('Large bodies in line behind others of their caller.'),
  http_body_wait: histogram('Time in line, of large bodies that had to wait for others of their caller.'),
  auth_failures: counter("Keys and tokens that were nobody's, refused or slowed.", 'outcome'),

  enqueues: counter('Jobs asked to be enqueued.', 'result'),
  quota_refused: counter("Jobs refused for a limit of their tenant's.", 'limit'),
  quota_delayed: counter("Jobs put off for a limit of their tenant's.", 'limit'),
  quota_reservations: counter('Reservations written; each is for the jobs of many calls.'),
  quota_reserved_jobs: counter('Jobs that slots were reserved for.'),
  quota_conflicts: counter("Reservations that lost a race for their tenant's quota."),
  quota_reads: counter("Reads of a tenant's quota before its jobs were let in."),
  claimed_jobs: counter('Attempts handed out.'),
  claims_lost: counter('Claims that lost the race for their job.'),
  claim_errors: counter('Rounds of handing out that failed.'),
  claims_waiting: gauge('Claims that wait for work.'),
  bulk_jobs_waiting: gauge('Jobs of bulks that wait because their tenant has four under way.'),
  job_wait: histogram('Time from a job being ready until an attempt starts, by plan of its tenant.', 'plan'),
  tenant_usage: gauge(
    'What a tenant uses of a limit: those who use most, and all others together.',
    'tenant',
    'limit',
  ),
  tenant_limit: gauge('Limits of those tenants, where they have one.', 'tenant', 'limit'),
  plans_to_apply: gauge('1 while a changed plan has not reached every tenant on it.'),
  plan_terms_given: counter('Tenants that were given the terms of a changed plan.'),
  acknowledgements: counter('Ends of attempts, as workers told them.', 'outcome'),
  jobs_overtaken: counter('Jobs placed ahead of a projection that was behind.'),
  leases_expired: counter('Attempts whose worker fell silent.'),
  leases_reconciled: counter(
    'Leases, attempts and counts of slots that did not agree and were put right.',
    'kind',
  ),
  ready_timers_fired: counter('Waiting jobs whose time came.'),
  timer_commands: counter('Timeouts, deadlines and forced cancels carried out.', 'kind', 'outcome'),
  staged_jobs_relayed: counter("Jobs moved into the log from callers' own transactions."),

  event_log_append: histogram('Time of one append call to the database.'),
  event_log_append_rests: counter(
    'Rests of tenants that enqueue many jobs while others enqueue a few; each after 20 to 100 events.',
  ),
  event_log_append_calls: counter('Append calls to the database; each carries the events of many callers.'),
  event_log_append_events: counter('Events appended.'),
  event_log_append_refused: counter('Events refused because too many were waiting.'),
  event_log_append_races: counter('Append calls that lost a race for a stream.'),
  event_log_append_retries: counter('Append calls repeated after a failure.'),
  event_log_connections_replaced: counter(
    'Connections to EventStoreDB given up because an append went unanswered.',
  ),
  event_log_read_retries: counter('Reads from EventStoreDB repeated after a failure.'),
  event_log_resubscriptions: counter('Times that the subscription to EventStoreDB was opened again.'),
  event_log_conflicts: counter('Appends refused for their expected revision.'),
  event_log_pending_events: gauge('Events waiting to be appended.'),
  event_log_hwm_age: gauge('Seconds since readers last learned how far they may read.'),
  event_log_hwm_timeouts: counter('Times that learning how far to read took too long.'),

  projection_position: gauge('Position a read model has reached.', 'projection'),
  projection_lag_events: gauge('Events a read model is behind.', 'projection'),
  projection_lag_seconds: gauge('Seconds a read model is behind.', 'projection'),
  projection_up: gauge('1 while a read model follows the log.', 'projection'),
  projection_faulted: gauge('1 while a read model stands still at an event it cannot apply.', 'projection'),
  projection_events: counter('Events applied to a read model.', 'projection'),
  projection_batch: histogram('Time to apply a batch.', 'projection'),
  projection_visible: histogram('Time from an event being recorded until it shows.', 'projection'),
  projection_failures: counter('Batches that could not be applied.', 'projection'),
  projection_unknown_events: counter('Events of unknown type that were skipped.', 'type'),

  quota_settlements: counter("Times that a tenant's quota was told what its jobs have freed."),
  quota_slots_released: counter('Slots freed by jobs that ended, or that were reserved in vain.'),
  quota_settle_lag_seconds: gauge("Longest that a tenant's quota has not known of what its jobs did."),
  quota_fenced: counter('Reservations that no job came for.', 'outcome'),
  quota_reservations_overdue: gauge('Reservations of over a minute ago that no job has come for, up to 500.'),
  quota_resets: counter('Days begun for tenants that nobody enqueued for.'),
  quota_task_ran_at: gauge('When a task of the quotas ran last, seconds since 1970.', 'task'),

  forwarder_position: gauge('Position up to which public events are on Kafka.'),
  forwarder_lag_events: gauge('Events not on Kafka yet, counted up to 1,000.'),
  forwarder_lag_seconds: gauge('Age of the oldest event that is not on Kafka yet.'),
  forwarder_up: gauge('1 while a process forwards without trouble.'),
  forwarder_undelivered: gauge('Events that were left out because Kafka will not take them.'),
  forwarder_events: counter('Events that Kafka has acknowledged.'),
  forwarder_dead_letters: counter('Events left out by this process.'),
  forwarder_republished: counter('Events sent once more because somebody wanted so.'),
  forwarder_failures: counter('Sends that failed and were repeated.', 'problem'),
  forwarder_batch: histogram('Time until Kafka has acknowledged a page of the log.'),
  forwarder_delivered: histogram('Time from an event being recorded until Kafka has acknowledged it.'),

  outbox_position: gauge('Position up to which public events are rows of the outbox.'),
  outbox_lag_events: gauge('Events that are no rows of the outbox yet, counted up to 1,000.'),
  outbox_lag_seconds: gauge('Age of the oldest event that is no row of the outbox yet.'),
  outbox_up: gauge('1 while a process writes the outbox.'),
  outbox_undelivered: gauge('Events that were left out of the outbox because they can not be read.'),
  outbox_events: counter('Rows written into the outbox.'),

  inbox_events: counter('What became of events of other services.', 'result'),
  inbox_lag: gauge('Messages that a consumer group has not read yet.', 'group', 'topic', 'partition'),
  inbox_batch: histogram('Time to carry out a batch of messages.'),
  inbox_retries: counter('Messages tried again.', 'topic'),
  inbox_dead_letters: counter('Messages put aside.', 'topic', 'reason'),
  inbox_discarded: counter('Invalid messages thrown away, as their subscriptions ask.', 'topic'),

  background_running: gauge('1 while a background task runs.', 'task'),
  background_restarts: counter('Background tasks started again after they ended.', 'task'),
  leader: gauge('1 while this process leads.', 'name'),
  leader_lost: counter('Leaderships lost before the task ended.', 'name'),
};
