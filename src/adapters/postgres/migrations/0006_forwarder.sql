-- How far the feed has been forwarded to a broker. Moved from the old position and by the holder of the fence only, and
-- not before the broker has acknowledged everything up to the new one.
create table forwarder_checkpoints (
  name text primary key,
  position bigint not null check (position >= 0),
  fence bigint not null,
  events_per_second real not null default 0,
  updated_at timestamptz not null default clock_timestamp(),
  -- What keeps it from getting on: {message, attempts, at}.
  last_error jsonb
) with (fillfactor = 50);

-- Events that the broker will never take, or that can't be read. The rest of the feed goes on without them.
create table forwarder_dead_letters (
  name text not null,
  position bigint not null,
  stream text not null,
  revision int not null,
  type text not null,
  error text not null,
  recorded_at timestamptz not null default clock_timestamp(),
  primary key (name, position)
);

-- What is still to be forwarded, for people: the log itself is the outbox, and nothing is ever written for this.
create view kafka_outbox as
select
  event.position,
  topic.name as topic,
  split_part(substr(event.stream, 5), '.', 1) as tenant_id,
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
    ('DeadLetterPurged', 'eventzr.jobs.dlq.purged.v1')
) topic (type, name)
  on topic.type = event.type
where event.stream like 'job-%'
  and event.position > coalesce((select position from forwarder_checkpoints where name = 'kafka'), 0);
