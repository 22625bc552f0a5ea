-- Public events sent to Kafka once more, because somebody wants so. The row is the work order: whoever holds its lease
-- goes on from the position, so an accepted one survives the process that accepted it.
create table republications (
  republication_id uuid primary key,
  -- From after this position up to and with that one, between these times, one tenant or all.
  after_position bigint not null check (after_position >= 0),
  to_position bigint not null,
  from_time timestamptz,
  to_time timestamptz,
  tenant_id text,
  -- Behind the names of the topics.
  topic_suffix text not null default '',
  dry_run boolean not null,
  requested_by text not null,
  status text not null default 'running',
  -- Everything up to here is done.
  position bigint not null,
  -- Public events found, and those of them that Kafka would not take.
  found bigint not null default 0,
  refused bigint not null default 0,
  events_per_second real not null default 0,
  error text,
  started_at timestamptz not null default clock_timestamp(),
  finished_at timestamptz,
  -- Who works on it: drawn anew by everyone who takes it up.
  worker uuid,
  leased_until timestamptz not null default '-infinity',
  constraint republication_status_is_known check (status in ('running', 'done', 'aborted', 'failed')),
  constraint republication_finished_or_running check ((status = 'running') = (finished_at is null))
) with (fillfactor = 50);

create index republications_running on republications (leased_until) where status = 'running';

-- The public events as rows, for change data capture. Written only where OUTBOX_TABLE is on, by one process, in the order
-- of the log and along with its checkpoint: each event is inserted once. Rows are never changed.
create table outbox (
  position bigint primary key,
  -- Of the CloudEvent.
  id text not null,
  aggregatetype text not null,
  aggregateid text not null,
  tenantid text not null,
  -- Also the name of its topic.
  type text not null,
  -- The CloudEvent, whole; not jsonb: payloads stay as they came.
  payload text not null,
  contenttype text not null,
  correlationid text not null,
  causationid text not null,
  traceparent text,
  sequence text not null,
  -- In UTC: Debezium takes no time with a zone for that of a message.
  occurredat timestamp(3) not null,
  insertedat timestamptz not null default clock_timestamp()
);

-- Rows come and go at the ends: what is dead is cleared away before there is much of it.
alter table outbox set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);

-- What is still to be forwarded, now with the events of quotas. A log that is elsewhere can't be listed here: a single row
-- says so and holds the position up to which everything is sent.
drop view kafka_outbox;
create view kafka_outbox as
select
  event.position,
  topic.name as topic,
  case
    when event.stream like 'job-%' then split_part(substr(event.stream, 5), '.', 1)
    else substr(event.stream, 7)
  end as tenant_id,
  event.stream,
  event.revision,
  event.type,
  to_timestamp(event.recorded_at / 1000.0) as recorded_at,
  event.data,
  event.content
from events event
join (
  values
    ('JobEnqueued', 'eventzr.jobs.enqueued.v1'),
    ('JobStarted', 'eventzr.jobs.started.v1'),
    ('JobCompleted', 'eventzr.jobs.completed.v1'),
    ('JobFailed', 'eventzr.jobs.failed.v1'),
    ('JobRetried', 'eventzr.jobs.retried.v1'),
    ('JobCancelled', 'eventzr.jobs.cancelled.v1'),
    ('JobDeadLettered', 'eventzr.jobs.deadlettered.v1'),
    ('DeadLetterReplayed', 'eventzr.jobs.dlq.replayed.v1'),
    ('DeadLetterPurged', 'eventzr.jobs.dlq.purged.v1'),
    ('QuotaExceeded', 'eventzr.jobs.quota.exceeded.v1'),
    ('QuotaReset', 'eventzr.jobs.quota.reset.v1')
) topic (type, name)
  on topic.type = event.type
where (event.stream like 'job-%' or event.stream like 'quota-%')
  and event.position > coalesce((select position from forwarder_checkpoints where name = 'kafka'), 0)
union all
select
  coalesce((select position from forwarder_checkpoints where name = 'kafka'), 0),
  null, null, null, null,
  'the log is in ' || home.place || ': jobs forwarder status says what is pending',
  null, null, null
from log_home home
where home.place <> 'postgres';
