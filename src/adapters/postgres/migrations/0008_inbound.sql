-- What events of other services mean here.
create table subscriptions (
  name text primary key,
  -- null: of the whole platform.
  tenant_id text,
  -- Not jsonb: members of a payload stay in their order.
  rule json not null,
  -- Kept in a file, which is read at every start: not to be changed otherwise.
  from_file boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  updated_by text not null
);

-- Effects that have happened. Written in the transaction that has the effect.
create table processed_events (
  subscription text not null,
  tenant_id text not null,
  dedupe_id text not null,
  processed_at timestamptz not null default now(),
  primary key (subscription, tenant_id, dedupe_id)
);

-- Rows come in the order of time: a small index finds the old ones.
create index processed_events_age on processed_events using brin (processed_at) with (pages_per_range = 32);

-- Messages that nothing could be made of. They are on their dead-letter topic, too; here they wait for a person.
create table inbox_dead_letters (
  id uuid primary key,
  topic text not null,
  partition int not null,
  "offset" bigint not null,
  group_id text not null,
  -- Of the envelope, if it could be read so far.
  tenant_id text,
  key text,
  value bytea not null,
  headers jsonb not null,
  sent_at timestamptz not null,
  reason text not null,
  error text not null,
  stack text,
  -- Of an invalid message: what is wrong where.
  faults jsonb,
  attempts int not null,
  failed_at timestamptz not null default clock_timestamp(),
  published boolean not null default false,
  edited_at timestamptz,
  edited_by text,
  status text not null default 'waiting',
  replayed_at timestamptz,
  replayed_by text,
  constraint reason_is_known check (reason in ('invalid', 'failed')),
  constraint status_is_known check (status in ('waiting', 'replayed')),
  constraint replayed_or_waiting check ((status = 'replayed') = (replayed_at is not null)),
  -- A message that is read again must not be there twice. Offsets start over when a topic is made anew: hence the time.
  constraint one_place_one_row unique (group_id, topic, partition, "offset", sent_at)
);

create index inbox_dead_letters_newest on inbox_dead_letters (failed_at desc, id desc);
