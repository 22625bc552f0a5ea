-- Where jobs wait to be claimed. Every row here follows from the log and only proposes: a claim is decided by appending
-- JobStarted at an exact revision. So the tables are UNLOGGED, and after a crash of Postgres they fill again.
--
-- Whoever places rows takes locks in this order: the placing lock, timers, ready_jobs, leases. Claims lock ready_jobs
-- with skip locked, then leases, so they never wait in a circle with a placer.

-- A block of 65,536 places in the line, one for each transaction that makes jobs ready. Drawn under the placing lock, so
-- blocks become visible in their order: what was read up to a block is complete.
create sequence ready_blocks as bigint;

create unlogged table ready_jobs (
  tenant_id text collate "C" not null,
  queue text collate "C" not null,
  type text collate "C" not null,
  priority smallint not null check (priority between 1 and 9),
  seq bigint not null,
  job_id text collate "C" not null,
  -- Of the stream when it became ready: the claim appends JobStarted right after it.
  revision integer not null check (revision >= 0),
  -- JSON of the job's state at that revision; null: the claim reads the stream.
  snapshot text,
  ready_since bigint not null,
  primary key (job_id, tenant_id)
) with (
  autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000,
  autovacuum_vacuum_insert_threshold = -1, autovacuum_vacuum_cost_delay = 0
);

create unique index ready_jobs_lane on ready_jobs (tenant_id, queue, type, priority, seq);

-- Which lanes got jobs in which block, for processes that wait for work: reading on from the last block seen costs one
-- look at the index, however much was claimed before.
create unlogged table ready_arrivals (
  block bigint not null,
  tenant_id text collate "C" not null,
  -- queue, type and priority are null when queue settings of the tenant changed.
  queue text collate "C",
  type text collate "C",
  priority smallint,
  at_ms bigint not null
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);

create index ready_arrivals_block on ready_arrivals (block);

-- A new value says that the tables were emptied: what a process remembers of them no longer holds.
create unlogged table dispatch_epoch (
  one boolean primary key default true check (one),
  epoch text not null default gen_random_uuid()::text
);

-- One row for each attempt that runs or is about to be appended.
create unlogged table leases (
  tenant_id text collate "C" not null,
  job_id text collate "C" not null,
  -- Of JobStarted, or of a later event of the same attempt.
  revision integer not null check (revision >= 1),
  queue text collate "C" not null,
  worker_id text not null,
  lease_id text not null,
  -- Of a claim in progress: soon; of a running attempt: pushed on by heartbeats.
  expires_at bigint not null,
  -- False while parts of the job are unknown (its timeout): the next heartbeat or sweep looks at the stream.
  settled boolean not null,
  cancel_requested boolean not null default false,
  -- The sweeper is about to end the attempt: no heartbeat can save it.
  expiring boolean not null default false,
  -- Counts against its queue's concurrency limit.
  limited boolean not null default false,
  primary key (job_id, tenant_id)
) with (
  fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000,
  autovacuum_vacuum_insert_threshold = -1, autovacuum_vacuum_cost_delay = 0
);

create index leases_expiry on leases (expires_at);
create index leases_limited on leases (tenant_id, queue) where limited;

create unlogged table timers (
  tenant_id text collate "C" not null,
  job_id text collate "C" not null,
  -- ready: becomes ready by time; the next three run a command on the job; reconcile: place it anew from its stream.
  kind text not null check (kind in ('ready', 'attempt_timeout', 'deadline', 'cancel_grace', 'reconcile')),
  due_at bigint not null,
  revision integer not null,
  queue text collate "C",
  type text collate "C",
  priority smallint,
  snapshot text,
  -- The attempt that times out.
  lease_id text,
  primary key (job_id, tenant_id, kind),
  check (kind <> 'ready' or (queue is not null and type is not null and priority is not null)),
  check (kind <> 'attempt_timeout' or lease_id is not null)
) with (
  autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000,
  autovacuum_vacuum_insert_threshold = -1, autovacuum_vacuum_cost_delay = 0
);

create index timers_ready_due on timers (due_at) where kind = 'ready';
create index timers_other_due on timers (due_at) where kind <> 'ready';

-- What claims honour. Logged: a paused queue stays paused while the other tables fill again after a crash.
create table queue_settings (
  tenant_id text collate "C" not null,
  queue text collate "C" not null,
  revision integer not null,
  paused boolean not null default false,
  paused_until bigint,
  concurrency_limit integer check (concurrency_limit >= 0),
  primary key (tenant_id, queue),
  check (paused or paused_until is null)
);

-- When each worker was last heard of, and what it is told to do. tenant_id '*': a worker for all tenants.
create table workers (
  tenant_id text collate "C" not null,
  worker_id text collate "C" not null,
  last_seen_at bigint not null,
  directive text not null default 'run' check (directive in ('run', 'quiet', 'terminate')),
  primary key (tenant_id, worker_id)
) with (fillfactor = 70);

create index workers_directive on workers (worker_id) where directive <> 'run';

-- The functions below fix their plans: right after a crash or a migration there are no statistics, and a plan made for
-- an empty table would scan a full one. Rows come as columns joined by line breaks, columns joined by GS (0x1d); that
-- is the cheapest encoding for the client, and no value holds either character.
--
-- On a table that was empty when it was vacuumed last all indexes look equally good. So conditions that must not choose
-- an index are written as expressions (tenant_id || '', expires_at + 0), and lookups of rows by job as scalar subqueries
-- or lateral ones with offset 0, which can't become joins in another order.

create function place_jobs(
  at_ms bigint,
  -- leases that came to nothing: tenant, job, lease, latest expiry at which it is still true
  withdrawn text,
  -- tenant, job, revision, what stays: n nothing, d the deadline (not known here), l the lease, b both
  moved text,
  -- tenant, job, revision, queue, type, priority, snapshot
  ready text,
  -- distinct lanes of ready: tenant, queue, type, priority
  lanes text,
  -- tenant, job, kind, due, revision, queue, type, priority, snapshot, lease
  timed text,
  -- tenant, job, revision, queue, worker, lease, expiry, settled, cancel requested
  running text,
  -- tenant, job, revision
  cancelling text
) returns void
language plpgsql
set search_path from current
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set enable_sort = off
set jit = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  c text[];
  next_block bigint;
begin
  perform set_config('synchronous_commit', 'off', true);
  perform pg_advisory_xact_lock(7310586, 1);
  insert into dispatch_epoch default values on conflict do nothing;

  if withdrawn <> '' then
    c := string_to_array(withdrawn, E'\x1d');
    delete from leases
    where ctid = any (array(
      select l.ctid
      from unnest(
        string_to_array(c[1], E'\n'), string_to_array(c[2], E'\n'), string_to_array(c[3], E'\n'),
        string_to_array(c[4], E'\n')::bigint[]
      ) as w (tenant_id, job_id, lease_id, expires_at)
      cross join lateral (
        select ctid from leases
        where tenant_id = w.tenant_id and job_id = w.job_id and lease_id = w.lease_id and expires_at + 0 <= w.expires_at
        offset 0
      ) as l
    ));
  end if;

  if moved <> '' then
    c := string_to_array(moved, E'\x1d');
    delete from timers
    where ctid = any (array(
      select t.ctid
      from unnest(
        string_to_array(c[1], E'\n'), string_to_array(c[2], E'\n'),
        string_to_array(c[3], E'\n')::integer[], string_to_array(c[4], E'\n')
      ) as m (tenant_id, job_id, revision, stays)
      cross join lateral (
        select ctid from timers
        where tenant_id = m.tenant_id and job_id = m.job_id and revision <= m.revision
          and (m.stays in ('n', 'l') or kind not in ('deadline', 'reconcile'))
        offset 0
      ) as t
    ));
  end if;

  if timed <> '' then
    c := string_to_array(timed, E'\x1d');
    insert into timers (tenant_id, job_id, kind, due_at, revision, queue, type, priority, snapshot, lease_id)
    select
      tenant_id, job_id, kind, due_at, revision,
      nullif(queue, ''), nullif(type, ''), nullif(priority, '')::smallint, nullif(snapshot, ''), nullif(lease_id, '')
    from unnest(
      string_to_array(c[1], E'\n'), string_to_array(c[2], E'\n'), string_to_array(c[3], E'\n'),
      string_to_array(c[4], E'\n')::bigint[], string_to_array(c[5], E'\n')::integer[],
      string_to_array(c[6], E'\n'), string_to_array(c[7], E'\n'), string_to_array(c[8], E'\n'),
      string_to_array(c[9], E'\n'), string_to_array(c[10], E'\n')
    ) as t (tenant_id, job_id, kind, due_at, revision, queue, type, priority, snapshot, lease_id)
    on conflict (tenant_id, job_id, kind) do update set
      due_at = excluded.due_at,
      revision = excluded.revision,
      queue = excluded.queue,
      type = excluded.type,
      priority = excluded.priority,
      snapshot = excluded.snapshot,
      lease_id = excluded.lease_id
    where timers.revision <= excluded.revision;
  end if;

  if moved <> '' then
    c := string_to_array(moved, E'\x1d');
    delete from ready_jobs
    where ctid = any (array(
      select r.ctid
      from unnest(string_to_array(c[1], E'\n'), string_to_array(c[2], E'\n'), string_to_array(c[3], E'\n')::integer[])
        as m (tenant_id, job_id, revision)
      cross join lateral (
        select ctid from ready_jobs
        where tenant_id || '' = m.tenant_id and job_id = m.job_id and revision <= m.revision
        offset 0
      ) as r
    ));
  end if;

  if ready <> '' then
    next_block := nextval('ready_blocks');
    c := string_to_array(ready, E'\x1d');
    insert into ready_jobs (tenant_id, job_id, revision, queue, type, priority, snapshot, seq, ready_since)
    select
      r.tenant_id, r.job_id, r.revision, r.queue, r.type, r.priority, nullif(r.snapshot, ''),
      next_block * 65536 + r.place, at_ms
    from unnest(
      string_to_array(c[1], E'\n'), string_to_array(c[2], E'\n'), string_to_array(c[3], E'\n')::integer[],
      string_to_array(c[4], E'\n'), string_to_array(c[5], E'\n'), string_to_array(c[6], E'\n')::smallint[],
      string_to_array(c[7], E'\n')
    ) with ordinality as r (tenant_id, job_id, revision, queue, type, priority, snapshot, place)
    -- Placers take turns, so nothing comes between; any row of a job will do, a claim finds out the rest. No
    -- `on conflict`: it would nearly double the cost.
    where (
      select true from ready_jobs as o
      where o.tenant_id || '' = r.tenant_id and o.job_id = r.job_id
    ) is null
    -- Told of a job that has been claimed since.
    and (
      select true from leases as l
      where l.tenant_id = r.tenant_id and l.job_id = r.job_id and l.revision > r.revision
    ) is null;

    c := string_to_array(lanes, E'\x1d');
    insert into ready_arrivals (block, tenant_id, queue, type, priority, at_ms)
    select next_block, tenant_id, queue, type, priority, at_ms
    from unnest(
      string_to_array(c[1], E'\n'), string_to_array(c[2], E'\n'), string_to_array(c[3], E'\n'),
      string_to_array(c[4], E'\n')::smallint[]
    ) as l (tenant_id, queue, type, priority);
  end if;

  if moved <> '' then
    c := string_to_array(moved, E'\x1d');
    delete from leases
    where ctid = any (array(
      select l.ctid
      from unnest(
        string_to_array(c[1], E'\n'), string_to_array(c[2], E'\n'),
        string_to_array(c[3], E'\n')::integer[], string_to_array(c[4], E'\n')
      ) as m (tenant_id, job_id, revision, stays)
      cross join lateral (
        select ctid from leases
        where tenant_id = m.tenant_id and job_id = m.job_id and revision <= m.revision and m.stays in ('n', 'd')
        offset 0
      ) as l
    ));
  end if;

  if running <> '' then
    c := string_to_array(running, E'\x1d');
    insert into leases (
      tenant_id, job_id, revision, queue, worker_id, lease_id, expires_at, settled, cancel_requested, limited
    )
    select
      r.tenant_id, r.job_id, r.revision, r.queue, r.worker_id, r.lease_id, r.expires_at, r.settled, r.cancel_requested,
      exists (
        select from queue_settings as s
        where s.tenant_id = r.tenant_id and s.queue = r.queue and s.concurrency_limit is not null
      )
    from unnest(
      string_to_array(c[1], E'\n'), string_to_array(c[2], E'\n'), string_to_array(c[3], E'\n')::integer[],
      string_to_array(c[4], E'\n'), string_to_array(c[5], E'\n'), string_to_array(c[6], E'\n'),
      string_to_array(c[7], E'\n')::bigint[], string_to_array(c[8], E'\n')::boolean[],
      string_to_array(c[9], E'\n')::boolean[]
    ) as r (tenant_id, job_id, revision, queue, worker_id, lease_id, expires_at, settled, cancel_requested)
    on conflict (tenant_id, job_id) do update set
      revision = excluded.revision,
      queue = excluded.queue,
      worker_id = excluded.worker_id,
      lease_id = excluded.lease_id,
      expires_at = case
        when leases.lease_id = excluded.lease_id then greatest(leases.expires_at, excluded.expires_at)
        else excluded.expires_at
      end,
      settled = excluded.settled or (leases.settled and leases.lease_id = excluded.lease_id),
      cancel_requested =
        excluded.cancel_requested or (leases.cancel_requested and leases.lease_id = excluded.lease_id),
      expiring = leases.expiring and leases.lease_id = excluded.lease_id,
      limited = excluded.limited
    -- The log says whose attempt a revision began; a reservation of the same revision has lost.
    where leases.revision < excluded.revision
      or (leases.revision = excluded.revision and leases.lease_id <> excluded.lease_id)
      or (leases.lease_id = excluded.lease_id and not leases.settled and excluded.settled);
  end if;

  if cancelling <> '' then
    c := string_to_array(cancelling, E'\x1d');
    update leases set cancel_requested = true
    where ctid = any (array(
      select l.ctid
      from unnest(string_to_array(c[1], E'\n'), string_to_array(c[2], E'\n'), string_to_array(c[3], E'\n')::integer[])
        as m (tenant_id, job_id, revision)
      cross join lateral (
        select ctid from leases
        where tenant_id = m.tenant_id and job_id = m.job_id and revision <= m.revision
        offset 0
      ) as l
    ));
  end if;
end
$$;

-- Takes ready jobs and leases them, in one round trip. Lanes are those of one tenant and priority next to each other,
-- priorities ascending; a tenant takes at most its quota. A row with `blocked` says that its lane may well have jobs but
-- is paused, or busy: at its limit or being claimed by another process.
create function claim_ready(
  at_ms bigint,
  -- tenant, queue, type, priority, floor (places up to it are known to be empty), number of the tenant's quota
  lanes text,
  quotas integer[],
  -- worker, lease
  slots text,
  lease_expires_at bigint
) returns table (
  slot integer, tenant_id text, queue text, type text, priority smallint, seq bigint,
  job_id text, revision integer, snapshot text, blocked text
)
language plpgsql
set search_path from current
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set enable_sort = off
set jit = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  c text[] := string_to_array(lanes, E'\x1d');
  s text[] := string_to_array(slots, E'\x1d');
  tenants text[] := string_to_array(c[1], E'\n');
  queues text[] := string_to_array(c[2], E'\n');
  types text[] := string_to_array(c[3], E'\n');
  priorities smallint[] := string_to_array(c[4], E'\n')::smallint[];
  floors bigint[] := string_to_array(c[5], E'\n')::bigint[];
  takes integer[] := string_to_array(c[6], E'\n')::integer[];
  workers text[] := string_to_array(s[1], E'\n');
  lease_ids text[] := string_to_array(s[2], E'\n');
  last_lane integer := cardinality(tenants);
  any_settings boolean;
  -- The lane under work; the lanes of its tenant and priority.
  lane integer := 1;
  last integer;
  -- Lanes without a limit: of this tenant and priority; of tenants that have no other lane.
  open_lanes integer[];
  single_lanes integer[] := '{}';
  take integer := 0;
  remaining integer := 0;
  wanted integer;
  lane_paused boolean;
  lane_limit integer;
  -- Picked last; of several lanes of this tenant and priority together; in all.
  picked tid[];
  group_picks tid[];
  open_picks tid[] := '{}';
  limited_picks tid[] := '{}';
begin
  perform set_config('synchronous_commit', 'off', true);
  -- Held against changes of queue settings, so that a limit counts every lease taken before it.
  perform pg_advisory_xact_lock_shared(7310586, 2);
  any_settings := exists (select from queue_settings where paused or concurrency_limit is not null);

  while lane <= last_lane loop
    if takes[lane] <> take then
      take := takes[lane];
      remaining := quotas[take];
      if not any_settings and takes[lane + 1] is distinct from take then
        single_lanes := single_lanes || lane;
        lane := lane + 1;
        continue;
      end if;
    end if;
    last := lane;
    while takes[last + 1] = take and priorities[last + 1] = priorities[lane] loop
      last := last + 1;
    end loop;
    open_lanes := '{}';
    group_picks := '{}';
    -- Lanes with a limit first, one by one.
    while lane <= last and remaining > 0 loop
      lane_paused := null;
      lane_limit := null;
      if any_settings then
        select q.paused and (q.paused_until is null or q.paused_until > at_ms), q.concurrency_limit
        into lane_paused, lane_limit
        from queue_settings as q
        where q.tenant_id = tenants[lane] and q.queue = queues[lane];
      end if;
      if lane_paused then
        wanted := 0;
      elsif lane_limit is null then
        open_lanes := open_lanes || lane;
        lane := lane + 1;
        continue;
      elsif pg_try_advisory_xact_lock(7310587, hashtext(tenants[lane] || '.' || queues[lane])) then
        -- The jobs picked above have no leases yet.
        select least(remaining, greatest(0, lane_limit - count(*) - (
          select count(*)
          from ready_jobs as r
          where r.ctid = any (limited_picks) and r.tenant_id || '' = tenants[lane] and r.queue = queues[lane]
        )))
        into wanted
        from leases as l
        where l.limited and l.tenant_id = tenants[lane] and l.queue = queues[lane];
      else
        wanted := 0;
      end if;
      if wanted < remaining then
        return query
        select
          null::integer, tenants[lane], queues[lane], types[lane], priorities[lane],
          null::bigint, null::text, null::integer, null::text,
          case when lane_paused then 'paused' else 'busy' end;
      end if;
      if wanted > 0 then
        picked := array(
          select r.ctid
          from ready_jobs as r
          where r.tenant_id = tenants[lane] and r.queue = queues[lane] and r.type = types[lane]
            and r.priority = priorities[lane] and r.seq > floors[lane]
          order by r.seq
          limit wanted
          for update skip locked
        );
        limited_picks := limited_picks || picked;
        remaining := remaining - cardinality(picked);
      end if;
      lane := lane + 1;
    end loop;
    -- Then the others together, oldest first.
    if remaining > 0 and cardinality(open_lanes) > 1 then
      picked := array(
        select r.ctid
        from ready_jobs as r
        where r.ctid = any (array(
          select candidate.ctid
          from unnest(open_lanes) as o (lane)
          cross join lateral (
            select r.ctid, r.seq
            from ready_jobs as r
            where r.tenant_id = tenants[o.lane] and r.queue = queues[o.lane] and r.type = types[o.lane]
              and r.priority = priorities[o.lane] and r.seq > floors[o.lane]
            order by r.seq
            limit remaining
          ) as candidate
          order by candidate.seq
          limit remaining
        ))
        for update skip locked
      );
      group_picks := picked;
      open_picks := open_picks || picked;
      remaining := remaining - cardinality(picked);
    end if;
    -- Then each by itself: it is the only one, or another process holds what was oldest.
    if remaining > 0 and cardinality(open_lanes) > 0 then
      foreach lane in array open_lanes loop
        picked := array(
          select r.ctid
          from ready_jobs as r
          where r.tenant_id = tenants[lane] and r.queue = queues[lane] and r.type = types[lane]
            and r.priority = priorities[lane] and r.seq > floors[lane] and r.ctid <> all (group_picks)
          order by r.seq
          limit remaining
          for update skip locked
        );
        open_picks := open_picks || picked;
        remaining := remaining - cardinality(picked);
        exit when remaining = 0;
      end loop;
    end if;
    lane := last + 1;
  end loop;

  if cardinality(single_lanes) > 0 then
    open_picks := open_picks || array(
      select picks.ctid
      from unnest(single_lanes) as o (lane)
      cross join lateral (
        select r.ctid
        from ready_jobs as r
        where r.tenant_id = tenants[o.lane] and r.queue = queues[o.lane] and r.type = types[o.lane]
          and r.priority = priorities[o.lane] and r.seq > floors[o.lane]
        order by r.seq
        limit quotas[takes[o.lane]]
        for update skip locked
      ) as picks
    );
  end if;

  if cardinality(open_picks) = 0 and cardinality(limited_picks) = 0 then
    return;
  end if;
  return query
  with taken as (
    delete from ready_jobs as r where r.ctid = any (open_picks || limited_picks) returning r.*, r.ctid as tid
  ), numbered as (
    select t.*, (row_number() over (order by t.priority, t.seq))::integer as slot
    from taken as t
  ), leased as (
    insert into leases (tenant_id, job_id, revision, queue, worker_id, lease_id, expires_at, settled, limited)
    select
      n.tenant_id, n.job_id, n.revision + 1, n.queue, workers[n.slot], lease_ids[n.slot], lease_expires_at,
      true, n.tid = any (limited_picks)
    from numbered as n
    on conflict (tenant_id, job_id) do update set
      revision = excluded.revision,
      queue = excluded.queue,
      worker_id = excluded.worker_id,
      lease_id = excluded.lease_id,
      expires_at = excluded.expires_at,
      settled = true,
      cancel_requested = false,
      expiring = false,
      limited = excluded.limited
    where leases.revision < excluded.revision
  )
  select n.slot, n.tenant_id, n.queue, n.type, n.priority, n.seq, n.job_id, n.revision, n.snapshot, null::text
  from numbered as n;
end
$$;

-- What came after a block: {epoch, block, lane}; one row without a block when nothing did.
create function ready_since(after_block bigint, at_most integer)
returns table (epoch text, block bigint, tenant_id text, queue text, type text, priority smallint)
language plpgsql stable
set search_path from current
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
set jit = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
begin
  return query
  select e.epoch, a.block, a.tenant_id, a.queue, a.type, a.priority
  from (select (select d.epoch from dispatch_epoch as d) as epoch) as e
  left join lateral (
    select * from ready_arrivals as r where r.block > after_block order by r.block limit at_most
  ) as a on true;
end
$$;

-- Every lane that has ready jobs.
create function ready_lanes() returns table (tenant_id text, queue text, type text, priority smallint)
language plpgsql stable
set search_path from current
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
set jit = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
begin
  return query
  with recursive found as (
    (
      select r.tenant_id, r.queue, r.type, r.priority
      from ready_jobs as r
      order by r.tenant_id, r.queue, r.type, r.priority
      limit 1
    )
    union all
    select n.tenant_id, n.queue, n.type, n.priority
    from found as f
    cross join lateral (
      select r.tenant_id, r.queue, r.type, r.priority
      from ready_jobs as r
      where (r.tenant_id, r.queue, r.type, r.priority) > (f.tenant_id, f.queue, f.type, f.priority)
      order by r.tenant_id, r.queue, r.type, r.priority
      limit 1
    ) as n
  )
  select f.tenant_id, f.queue, f.type, f.priority from found as f;
end
$$;

-- Moves jobs whose time has come from the timers to the line; answers how many.
create function fire_ready_timers(at_ms bigint, after_ms bigint, at_most integer) returns integer
language plpgsql
set search_path from current
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set enable_sort = off
set jit = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  tids tid[];
  next_block bigint;
begin
  perform set_config('synchronous_commit', 'off', true);
  perform from timers where kind = 'ready' and due_at > after_ms and due_at <= at_ms order by due_at limit 1;
  if not found then
    return 0;
  end if;
  perform pg_advisory_xact_lock(7310586, 1);
  tids := array(
    select t.ctid
    from timers as t
    where t.kind = 'ready' and t.due_at > after_ms and t.due_at <= at_ms
    order by t.due_at
    limit at_most
    for update skip locked
  );
  next_block := nextval('ready_blocks');
  with fired as (
    delete from timers as t where t.ctid = any (tids) returning t.*
  ), placed as (
    insert into ready_jobs (tenant_id, job_id, revision, queue, type, priority, snapshot, seq, ready_since)
    select
      f.tenant_id, f.job_id, f.revision, f.queue, f.type, f.priority, f.snapshot,
      next_block * 65536 + row_number() over (order by f.due_at), f.due_at
    from fired as f
    where (
      select true from ready_jobs as o
      where o.tenant_id || '' = f.tenant_id and o.job_id = f.job_id
    ) is null
    and (
      select true from leases as l
      where l.tenant_id = f.tenant_id and l.job_id = f.job_id and l.revision > f.revision
    ) is null
  )
  insert into ready_arrivals (block, tenant_id, queue, type, priority, at_ms)
  select distinct next_block, f.tenant_id, f.queue, f.type, f.priority, at_ms
  from fired as f;
  return cardinality(tids);
end
$$;

-- Timers that ask for a command. Each comes again after a while until its job's events remove it, so that one that was
-- taken and not carried out is not lost.
create function take_due_timers(at_ms bigint, after_ms bigint, again_ms bigint, at_most integer)
returns table (tenant_id text, job_id text, kind text, lease_id text)
language plpgsql
set search_path from current
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
set jit = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
begin
  perform set_config('synchronous_commit', 'off', true);
  return query
  update timers as t set due_at = again_ms
  where t.ctid = any (array(
    select d.ctid
    from timers as d
    where d.kind <> 'ready' and d.due_at > after_ms and d.due_at <= at_ms
    order by d.due_at
    limit at_most
    for update skip locked
  ))
  returning t.tenant_id, t.job_id, t.kind, t.lease_id;
end
$$;

-- Pushes leases on. No row for a lease that is not there, not settled or being changed by somebody else just now.
create function extend_leases(tenants text, jobs text, lease_ids text, until_ms bigint)
returns table (place bigint, expiring boolean, cancel_requested boolean)
language plpgsql
set search_path from current
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set enable_sort = off
set jit = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
begin
  perform set_config('synchronous_commit', 'off', true);
  return query
  with held as materialized (
    select a.place, l.tid, l.expiring, l.cancel_requested
    from unnest(string_to_array(tenants, E'\n'), string_to_array(jobs, E'\n'), string_to_array(lease_ids, E'\n'))
      with ordinality as a (tenant_id, job_id, lease_id, place)
    cross join lateral (
      select l.ctid as tid, l.expiring, l.cancel_requested
      from leases as l
      where l.tenant_id = a.tenant_id and l.job_id = a.job_id and l.lease_id = a.lease_id and l.settled
      for update skip locked
    ) as l
  ), extended as (
    update leases set expires_at = until_ms
    where ctid = any (array(select tid from held where not expiring)) and expires_at + 0 < until_ms
  )
  select h.place, h.expiring, h.cancel_requested from held as h;
end
$$;

create function expired_leases(at_ms bigint, after_ms bigint, at_most integer)
returns table (tenant_id text, job_id text, lease_id text, expires_at bigint, settled boolean)
language plpgsql stable
set search_path from current
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
set jit = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
begin
  return query
  select l.tenant_id, l.job_id, l.lease_id, l.expires_at, l.settled
  from leases as l
  where l.expires_at > after_ms and l.expires_at <= at_ms
  order by l.expires_at
  limit at_most;
end
$$;

-- From here on no heartbeat can save these attempts; leaves out leases that were extended in the meantime.
create function end_leases(tenants text, jobs text, lease_ids text, at_ms bigint) returns table (place bigint)
language plpgsql
set search_path from current
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set enable_sort = off
set jit = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
begin
  perform set_config('synchronous_commit', 'off', true);
  return query
  with held as materialized (
    select a.place, l.tid
    from unnest(string_to_array(tenants, E'\n'), string_to_array(jobs, E'\n'), string_to_array(lease_ids, E'\n'))
      with ordinality as a (tenant_id, job_id, lease_id, place)
    cross join lateral (
      select l.ctid as tid
      from leases as l
      where l.tenant_id = a.tenant_id and l.job_id = a.job_id and l.lease_id = a.lease_id and l.expires_at + 0 <= at_ms
      for update skip locked
    ) as l
  ), ended as (
    update leases set expiring = true
    where ctid = any (array(select tid from held))
  )
  select h.place from held as h;
end
$$;

-- One change of a queue's settings. Taken before any job is placed in the same transaction: it waits for claims.
create function set_queue(
  at_ms bigint,
  p_tenant text,
  p_queue text,
  p_revision integer,
  -- pause or limit: which of the two changes
  changes text,
  p_paused boolean,
  p_paused_until bigint,
  p_limit integer
) returns void
language plpgsql
set search_path from current
as $$
begin
  perform pg_advisory_xact_lock(7310586, 1);
  perform pg_advisory_xact_lock(7310586, 2);
  insert into queue_settings as s (tenant_id, queue, revision, paused, paused_until, concurrency_limit)
  values (p_tenant, p_queue, p_revision, p_paused, p_paused_until, p_limit)
  on conflict (tenant_id, queue) do update set
    revision = excluded.revision,
    paused = case when changes = 'pause' then excluded.paused else s.paused end,
    paused_until = case when changes = 'pause' then excluded.paused_until else s.paused_until end,
    concurrency_limit = case when changes = 'limit' then excluded.concurrency_limit else s.concurrency_limit end
  where s.revision < excluded.revision;
  if changes = 'limit' then
    -- Attempts that run already count, too.
    update leases
    set limited = p_limit is not null
    where tenant_id = p_tenant and queue = p_queue and limited <> (p_limit is not null);
  end if;
  insert into ready_arrivals (block, tenant_id, at_ms)
  values (nextval('ready_blocks'), p_tenant, at_ms);
end
$$;
