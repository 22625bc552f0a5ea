-- One row per thing that only one process may do at a time. The clock is the database's, so processes need not agree
-- on the time; the fence grows with every change of hands and marks the writes of a leader that was replaced.
create table leader_leases (
  name text primary key,
  holder text not null,
  fence bigint not null check (fence > 0),
  expires_at timestamptz not null
) with (fillfactor = 50);

-- The physical tables of each projection: {table}_v{version}_{generation}. The view {table} shows the live generation.
create table projection_generations (
  projection text not null,
  generation integer not null check (generation > 0),
  version integer not null check (version > 0),
  -- building: not shown yet; retired: shown before, kept for rollback; scratch: dropped when its comparison is done;
  -- frozen: the state as of an earlier position, kept to look at.
  status text not null check (status in ('building', 'live', 'retired', 'scratch', 'frozen')),
  table_names text[] not null,
  created_at timestamptz not null default clock_timestamp(),
  changed_at timestamptz not null default clock_timestamp(),
  -- The event or fault that holds the projection up: {message, faulted, attempts, at, position, stream, revision, type}.
  last_error jsonb,
  primary key (projection, generation)
);

create unique index projection_generations_live
  on projection_generations (projection)
  where status = 'live';

-- How far each generation has come. Moved in the transaction that changes the rows, from the old position and by the
-- holder of the fence only; a checkpoint without a fence is sealed.
create table projection_checkpoints (
  projection text not null,
  generation integer not null,
  position bigint not null check (position >= 0),
  fence bigint,
  events_per_second real not null default 0,
  updated_at timestamptz not null default clock_timestamp(),
  primary key (projection, generation)
) with (fillfactor = 50);

-- The same for projections whose tables a crash may empty: the crash empties both, so they never disagree.
create unlogged table projection_checkpoints_unlogged (
  like projection_checkpoints including all
) with (fillfactor = 50);
