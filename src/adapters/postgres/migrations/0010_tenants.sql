-- What dispatch honours of a tenant: its weight, how many of its attempts may run at once, whether it is suspended.
-- Follows from the tenant's quota stream. Logged, like queue_settings: a limit holds while the other tables fill again.
create table tenant_settings (
  tenant_id text collate "C" primary key,
  revision integer not null,
  weight smallint not null check (weight >= 1),
  running_limit integer check (running_limit >= 0),
  suspended boolean not null,
  suspended_until bigint,
  check (suspended or suspended_until is null)
);

create index tenant_settings_weight on tenant_settings (tenant_id) where weight <> 1;

-- Whether there is anything to look up for a claim; the answer must not take a walk over settings that hold nobody.
create index tenant_settings_held on tenant_settings (tenant_id) where suspended or running_limit is not null;
create index queue_settings_held on queue_settings (tenant_id, queue) where paused or concurrency_limit is not null;

-- Counts against its tenant's limit. As `limited`: true for all leases of a tenant that has one, and for no other.
alter table leases add column tenant_limited boolean not null default false;

drop index leases_limited;

-- How many leases a limited tenant (queue '') or a limited queue has: the newest version, and the changes of later
-- blocks. In every snapshot this is the number of its leases, because each transaction that changes leases writes what
-- it changes:
-- * claims make a new version. They hold the lock of the tenant's stripe until their commit, so they see each other's.
-- * whoever places jobs notes a change. It draws the block under the placing lock, so changes become visible in the
--   order of their blocks, and a version that has taken in a block has taken in all before it.
-- A version is a row of its own and not an update: the newest is the first that the index finds, however many dead ones
-- an old transaction keeps from being cleared away.
create unlogged table slot_counts (
  tenant_id text collate "C" not null,
  queue text collate "C" not null,
  version bigint not null,
  running integer not null,
  -- The last block taken in.
  through bigint not null,
  primary key (tenant_id, queue, version)
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);

create unlogged table slot_changes (
  block bigint not null,
  tenant_id text collate "C" not null,
  queue text collate "C" not null,
  change integer not null
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);

create index slot_changes_block on slot_changes (tenant_id, queue, block);

insert into slot_counts (tenant_id, queue, version, running, through)
select tenant_id, queue, 1, count(*), 0
from leases
where limited
group by tenant_id, queue;

-- Set in the rows that say that a tenant's settings changed. Rows without lane and weight: some of its slots are free.
alter table ready_arrivals add column weight smallint;

create function slots_taken(p_tenant text, p_queue text)
returns table (version bigint, running integer, through bigint)
language sql stable
begin atomic
  select
    coalesce(c.version, 0),
    coalesce(c.running, 0) + coalesce(h.change, 0)::integer,
    coalesce(h.block, c.through, 0)
  from (select) as one
  left join lateral (
    select n.version, n.running, n.through
    from slot_counts as n
    where n.tenant_id = p_tenant and n.queue = p_queue
    order by n.version desc
    limit 1
  ) as c on true
  left join lateral (
    select sum(n.change) as change, max(n.block) as block
    from slot_changes as n
    where n.tenant_id = p_tenant and n.queue = p_queue and n.block > coalesce(c.through, 0)
  ) as h on true;
end;

-- As in migration 0003, and leases that begin or end are noted as changes.
create or replace function place_jobs(
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
  next_block := nextval('ready_blocks');

  if withdrawn <> '' then
    c := string_to_array(withdrawn, E'\x1d');
    with gone as (
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
      ))
      returning tenant_id, queue, limited, tenant_limited
    ), freed as (
      insert into slot_changes (block, tenant_id, queue, change)
      select next_block, g.tenant_id, s.queue, -count(*)
      from gone as g
      cross join lateral (values (g.queue, g.limited), ('', g.tenant_limited)) as s (queue, counts)
      where (g.limited or g.tenant_limited) and s.counts
      group by g.tenant_id, s.queue
      returning tenant_id
    )
    insert into ready_arrivals (block, tenant_id, at_ms)
    select distinct next_block, tenant_id, at_ms
    from freed;
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
    with gone as (
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
      ))
      returning tenant_id, queue, limited, tenant_limited
    ), freed as (
      insert into slot_changes (block, tenant_id, queue, change)
      select next_block, g.tenant_id, s.queue, -count(*)
      from gone as g
      cross join lateral (values (g.queue, g.limited), ('', g.tenant_limited)) as s (queue, counts)
      where (g.limited or g.tenant_limited) and s.counts
      group by g.tenant_id, s.queue
      returning tenant_id
    )
    insert into ready_arrivals (block, tenant_id, at_ms)
    select distinct next_block, tenant_id, at_ms
    from freed;
  end if;

  if running <> '' then
    c := string_to_array(running, E'\x1d');
    with placed as (
      insert into leases (
        tenant_id, job_id, revision, queue, worker_id, lease_id, expires_at, settled, cancel_requested, limited,
        tenant_limited
      )
      select
        r.tenant_id, r.job_id, r.revision, r.queue, r.worker_id, r.lease_id, r.expires_at, r.settled, r.cancel_requested,
        exists (
          select from queue_settings as s
          where s.tenant_id = r.tenant_id and s.queue = r.queue and s.concurrency_limit is not null
        ),
        exists (
          select from tenant_settings as s
          where s.tenant_id = r.tenant_id and s.running_limit is not null
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
        limited = excluded.limited,
        tenant_limited = excluded.tenant_limited
      -- The log says whose attempt a revision began; a reservation of the same revision has lost.
      where leases.revision < excluded.revision
        or (leases.revision = excluded.revision and leases.lease_id <> excluded.lease_id)
        or (leases.lease_id = excluded.lease_id and not leases.settled and excluded.settled)
      -- xmax is 0 in rows that were not there before.
      returning tenant_id, queue, limited, tenant_limited, xmax = 0 as fresh
    )
    insert into slot_changes (block, tenant_id, queue, change)
    select next_block, p.tenant_id, s.queue, count(*)
    from placed as p
    cross join lateral (values (p.queue, p.limited), ('', p.tenant_limited)) as s (queue, counts)
    where p.fresh and (p.limited or p.tenant_limited) and s.counts
    group by p.tenant_id, s.queue;
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

drop function claim_ready(bigint, text, integer[], text, bigint);

-- Takes ready jobs and leases them, in one round trip. Lanes are those of one tenant and priority next to each other,
-- priorities ascending; a tenant takes at most its quota. A row with `blocked` says that its lane, or the whole tenant if
-- the lane is null, may give no more than `granted`: it is paused, suspended, or at its limit with that many.
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
  job_id text, revision integer, snapshot text, blocked text, granted integer, until_ms bigint
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
  -- For each lane: what holds it, until when, and its limits.
  suspended boolean[];
  suspended_until bigint[];
  tenant_limits integer[];
  paused boolean[];
  paused_until bigint[];
  queue_limits integer[];
  -- Tenants (queue '') and queues that have a limit, and how many slots they have left; index of the own one for each
  -- take and lane.
  key_tenants text[] := '{}';
  key_queues text[] := '{}';
  key_limits integer[] := '{}';
  key_free integer[];
  take_keys integer[];
  lane_keys integer[];
  first_key integer;
  key integer;
  stripe integer;
  -- The lane under work; the last one of its tenant and priority.
  lane integer := 1;
  last integer;
  -- Lanes without a limit: of this tenant and priority; of tenants that have no other lane.
  open_lanes integer[];
  single_lanes integer[] := '{}';
  single_wanted integer[] := '{}';
  take integer := 0;
  remaining integer := 0;
  wanted integer;
  -- Counts against the limit of its queue (1), its tenant (2).
  flags smallint;
  -- Picked last; of several lanes of this tenant and priority together; in all, with their flags.
  picked tid[];
  group_picks tid[];
  picks tid[] := '{}';
  pick_flags smallint[] := '{}';
begin
  perform set_config('synchronous_commit', 'off', true);
  -- Held against changes of settings, so that a limit counts every lease taken before it.
  perform pg_advisory_xact_lock_shared(7310586, 2);
  any_settings :=
    exists (select from tenant_settings where suspended or running_limit is not null)
    or exists (select from queue_settings where paused or concurrency_limit is not null);

  if any_settings then
    select
      array_agg(h.suspended and (h.suspended_until is null or h.suspended_until > at_ms)),
      array_agg(h.suspended_until),
      array_agg(h.running_limit),
      array_agg(h.paused and (h.paused_until is null or h.paused_until > at_ms)),
      array_agg(h.paused_until),
      array_agg(h.concurrency_limit)
    into suspended, suspended_until, tenant_limits, paused, paused_until, queue_limits
    from (
      select t.suspended, t.suspended_until, t.running_limit, q.paused, q.paused_until, q.concurrency_limit
      from unnest(tenants, queues) with ordinality as o (tenant_id, queue, lane)
      left join lateral (
        select * from tenant_settings as r where r.tenant_id = o.tenant_id offset 0
      ) as t on true
      left join lateral (
        select * from queue_settings as r where r.tenant_id = o.tenant_id and r.queue = o.queue offset 0
      ) as q on true
      order by o.lane
    ) as h;

    for l in 1 .. last_lane loop
      if takes[l] is distinct from takes[l - 1] then
        first_key := cardinality(key_tenants) + 1;
        if tenant_limits[l] is not null then
          key_tenants := key_tenants || tenants[l];
          key_queues := key_queues || ''::text;
          key_limits := key_limits || tenant_limits[l];
          take_keys[takes[l]] := first_key;
        end if;
      end if;
      continue when queue_limits[l] is null;
      key := first_key;
      while key <= cardinality(key_tenants) and key_queues[key] <> queues[l] loop
        key := key + 1;
      end loop;
      if key > cardinality(key_tenants) then
        key_tenants := key_tenants || tenants[l];
        key_queues := key_queues || queues[l];
        key_limits := key_limits || queue_limits[l];
      end if;
      lane_keys[l] := key;
    end loop;

    if cardinality(key_tenants) > 0 then
      for stripe in select distinct hashtext(k) & 15 from unnest(key_tenants) as k order by 1 loop
        perform pg_advisory_xact_lock(7310587, stripe);
      end loop;
      key_free := array(
        select greatest(0, k.most - n.running)
        from unnest(key_tenants, key_queues, key_limits) with ordinality as k (tenant_id, queue, most, place)
        cross join lateral slots_taken(k.tenant_id, k.queue) as n
        order by k.place
      );
    end if;
  end if;

  while lane <= last_lane loop
    if takes[lane] <> take then
      take := takes[lane];
      remaining := quotas[take];
      if suspended[lane] then
        return query
        select
          null::integer, tenants[lane], null::text, null::text, null::smallint, null::bigint, null::text,
          null::integer, null::text, 'suspended', 0, suspended_until[lane];
        remaining := 0;
      elsif key_free[take_keys[take]] < remaining then
        remaining := key_free[take_keys[take]];
        return query
        select
          null::integer, tenants[lane], null::text, null::text, null::smallint, null::bigint, null::text,
          null::integer, null::text, 'full', remaining, null::bigint;
      end if;
      flags := case when take_keys[take] is null then 0 else 2 end;
      if remaining = 0 then
        while takes[lane] = take loop
          lane := lane + 1;
        end loop;
        continue;
      end if;
      if flags = 0 and takes[lane + 1] is distinct from take and lane_keys[lane] is null
        and paused[lane] is not true then
        single_lanes := single_lanes || lane;
        single_wanted := single_wanted || remaining;
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
      if paused[lane] then
        return query
        select
          null::integer, tenants[lane], queues[lane], types[lane], priorities[lane], null::bigint, null::text,
          null::integer, null::text, 'paused', 0, paused_until[lane];
      elsif lane_keys[lane] is null then
        open_lanes := open_lanes || lane;
      else
        key := lane_keys[lane];
        wanted := least(remaining, key_free[key]);
        if wanted < remaining then
          return query
          select
            null::integer, tenants[lane], queues[lane], types[lane], priorities[lane], null::bigint, null::text,
            null::integer, null::text, 'full', wanted, null::bigint;
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
          picks := picks || picked;
          pick_flags := pick_flags || array_fill((flags + 1)::smallint, array[cardinality(picked)]);
          key_free[key] := key_free[key] - cardinality(picked);
          remaining := remaining - cardinality(picked);
        end if;
      end if;
      lane := lane + 1;
    end loop;
    -- Then the others together, oldest first.
    if remaining > 0 and cardinality(open_lanes) > 1 then
      group_picks := array(
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
      picks := picks || group_picks;
      pick_flags := pick_flags || array_fill(flags, array[cardinality(group_picks)]);
      remaining := remaining - cardinality(group_picks);
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
        picks := picks || picked;
        pick_flags := pick_flags || array_fill(flags, array[cardinality(picked)]);
        remaining := remaining - cardinality(picked);
        exit when remaining = 0;
      end loop;
    end if;
    lane := last + 1;
  end loop;

  if cardinality(single_lanes) > 0 then
    picked := array(
      select picks.ctid
      from unnest(single_lanes, single_wanted) as o (lane, wanted)
      cross join lateral (
        select r.ctid
        from ready_jobs as r
        where r.tenant_id = tenants[o.lane] and r.queue = queues[o.lane] and r.type = types[o.lane]
          and r.priority = priorities[o.lane] and r.seq > floors[o.lane]
        order by r.seq
        limit o.wanted
        for update skip locked
      ) as picks
    );
    picks := picks || picked;
    pick_flags := pick_flags || array_fill(0::smallint, array[cardinality(picked)]);
  end if;

  if cardinality(picks) = 0 then
    return;
  end if;
  if cardinality(key_tenants) = 0 then
    -- The same as below without what limits need: most of what they cost would be paid by everybody.
    return query
    with taken as (
      delete from ready_jobs as r where r.ctid = any (picks) returning r.*
    ), numbered as (
      select t.*, (row_number() over (order by t.priority, t.seq))::integer as slot
      from taken as t
    ), leased as (
      insert into leases (tenant_id, job_id, revision, queue, worker_id, lease_id, expires_at, settled)
      select
        n.tenant_id, n.job_id, n.revision + 1, n.queue, workers[n.slot], lease_ids[n.slot], lease_expires_at, true
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
        limited = false,
        tenant_limited = false
      where leases.revision < excluded.revision
    )
    select
      n.slot, n.tenant_id, n.queue, n.type, n.priority, n.seq, n.job_id, n.revision, n.snapshot,
      null::text, null::integer, null::bigint
    from numbered as n;
    return;
  end if;
  return query
  with taken as (
    delete from ready_jobs as r
    using unnest(picks, pick_flags) as p (tid, flags)
    where r.ctid = p.tid
    returning r.*, p.flags
  ), numbered as (
    select t.*, (row_number() over (order by t.priority, t.seq))::integer as slot
    from taken as t
  ), leased as (
    insert into leases (
      tenant_id, job_id, revision, queue, worker_id, lease_id, expires_at, settled, limited, tenant_limited
    )
    select
      n.tenant_id, n.job_id, n.revision + 1, n.queue, workers[n.slot], lease_ids[n.slot], lease_expires_at,
      true, n.flags & 1 <> 0, n.flags & 2 <> 0
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
      limited = excluded.limited,
      tenant_limited = excluded.tenant_limited
    where leases.revision < excluded.revision
    -- xmax is 0 in rows that were not there before.
    returning tenant_id, queue, limited, tenant_limited, xmax = 0 as fresh
  ), counted as (
    insert into slot_counts (tenant_id, queue, version, running, through)
    select f.tenant_id, f.queue, n.version + 1, n.running + f.leases, n.through
    from (
      select l.tenant_id, k.queue, count(*)::integer as leases
      from leased as l
      cross join lateral (values (l.queue, l.limited), ('', l.tenant_limited)) as k (queue, counts)
      where l.fresh and (l.limited or l.tenant_limited) and k.counts
      group by l.tenant_id, k.queue
    ) as f
    cross join lateral slots_taken(f.tenant_id, f.queue) as n
    returning tenant_id, queue, version
  ), replaced as (
    delete from slot_counts as o
    using counted as n
    where o.tenant_id = n.tenant_id and o.queue = n.queue and o.version = n.version - 1
  )
  select
    n.slot, n.tenant_id, n.queue, n.type, n.priority, n.seq, n.job_id, n.revision, n.snapshot,
    null::text, null::integer, null::bigint
  from numbered as n;
end
$$;

drop function ready_since(bigint, integer);

-- What came after a block: {epoch, block, lane or the tenant's new weight}; one row without a block when nothing did.
create function ready_since(after_block bigint, at_most integer)
returns table (
  epoch text, block bigint, tenant_id text, queue text, type text, priority smallint, weight smallint
)
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
  select e.epoch, a.block, a.tenant_id, a.queue, a.type, a.priority, a.weight
  from (select (select d.epoch from dispatch_epoch as d) as epoch) as e
  left join lateral (
    select * from ready_arrivals as r where r.block > after_block order by r.block limit at_most
  ) as a on true;
end
$$;

-- Counts the leases of a tenant (queue '') or a queue anew, with both locks held: nobody claims or places meanwhile.
create function count_slots(p_tenant text, p_queue text) returns void
language plpgsql
set search_path from current
as $$
declare
  last_version bigint;
begin
  delete from slot_changes where tenant_id = p_tenant and queue = p_queue;
  with gone as (
    delete from slot_counts where tenant_id = p_tenant and queue = p_queue returning version
  )
  select coalesce(max(version), 0) into last_version from gone;
  if p_queue = '' then
    insert into slot_counts (tenant_id, queue, version, running, through)
    select p_tenant, '', last_version + 1, count(*), nextval('ready_blocks')
    from leases
    where tenant_id = p_tenant and tenant_limited;
  else
    insert into slot_counts (tenant_id, queue, version, running, through)
    select p_tenant, p_queue, last_version + 1, count(*), nextval('ready_blocks')
    from leases
    where tenant_id = p_tenant and queue = p_queue and limited;
  end if;
end
$$;

-- As in migration 0003, and attempts that run are counted when a limit begins.
create or replace function set_queue(
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
  if found and changes = 'limit' then
    update leases
    set limited = p_limit is not null
    where tenant_id = p_tenant and queue = p_queue and limited <> (p_limit is not null);
    if found or p_limit is not null then
      perform count_slots(p_tenant, p_queue);
    end if;
  end if;
  insert into ready_arrivals (block, tenant_id, at_ms)
  values (nextval('ready_blocks'), p_tenant, at_ms);
end
$$;

-- What a tenant is held to from a revision of its quota stream on. Taken before any job is placed in the same
-- transaction: it waits for claims.
create function set_tenant(
  at_ms bigint,
  p_tenant text,
  p_revision integer,
  p_weight smallint,
  p_limit integer,
  p_suspended boolean,
  p_suspended_until bigint
) returns void
language plpgsql
set search_path from current
as $$
begin
  perform pg_advisory_xact_lock(7310586, 1);
  perform pg_advisory_xact_lock(7310586, 2);
  insert into tenant_settings as s (
    tenant_id, revision, weight, running_limit, suspended, suspended_until
  )
  values (p_tenant, p_revision, p_weight, p_limit, p_suspended, p_suspended_until)
  on conflict (tenant_id) do update set
    revision = excluded.revision,
    weight = excluded.weight,
    running_limit = excluded.running_limit,
    suspended = excluded.suspended,
    suspended_until = excluded.suspended_until
  where s.revision < excluded.revision;
  if not found then
    return;
  end if;
  update leases
  set tenant_limited = p_limit is not null
  where tenant_id = p_tenant and tenant_limited <> (p_limit is not null);
  if found or p_limit is not null then
    perform count_slots(p_tenant, '');
  end if;
  insert into ready_arrivals (block, tenant_id, weight, at_ms)
  values (nextval('ready_blocks'), p_tenant, p_weight, at_ms);
end
$$;

-- Which of these tenants may get nothing now. Takes no lock: whoever asks hears of what is freed later.
create function held_tenants(at_ms bigint, tenants text)
returns table (tenant_id text, blocked text, until_ms bigint)
language plpgsql stable
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
  return query
  select s.tenant_id, h.blocked, case when h.blocked = 'suspended' then s.suspended_until end
  from unnest(string_to_array(tenants, E'\n')) as o (tenant_id)
  cross join lateral (
    select * from tenant_settings as r where r.tenant_id = o.tenant_id offset 0
  ) as s
  cross join lateral (
    select case
      when s.suspended and (s.suspended_until is null or s.suspended_until > at_ms) then 'suspended'
      when s.running_limit <= (select n.running from slots_taken(s.tenant_id, '') as n) then 'full'
    end as blocked
  ) as h
  where h.blocked is not null;
end
$$;

-- Limited tenants (queue '') and limited queues whose count is not the number of their leases. All counts are read in one
-- snapshot, so this needs no lock.
create function wrong_slot_counts(at_most integer) returns table (tenant_id text, queue text)
language sql stable
begin atomic
  select k.tenant_id, k.queue
  from (
    select s.tenant_id, '' as queue, h.leases, h.flagged
    from tenant_settings as s
    left join (
      select l.tenant_id, count(*) as leases, count(*) filter (where l.tenant_limited) as flagged
      from leases as l
      group by l.tenant_id
    ) as h using (tenant_id)
    where s.running_limit is not null
    union all
    select s.tenant_id, s.queue, h.leases, h.flagged
    from queue_settings as s
    left join (
      select l.tenant_id, l.queue, count(*) as leases, count(*) filter (where l.limited) as flagged
      from leases as l
      group by l.tenant_id, l.queue
    ) as h using (tenant_id, queue)
    where s.concurrency_limit is not null
  ) as k
  cross join lateral slots_taken(k.tenant_id, k.queue) as n
  where n.running <> coalesce(k.leases, 0) or coalesce(k.flagged, 0) <> coalesce(k.leases, 0)
  limit at_most;
end;

create function repair_slot_count(at_ms bigint, p_tenant text, p_queue text) returns void
language plpgsql
set search_path from current
as $$
begin
  perform pg_advisory_xact_lock(7310586, 1);
  perform pg_advisory_xact_lock(7310586, 2);
  if p_queue = '' then
    update leases set tenant_limited = true
    where tenant_id = p_tenant and not tenant_limited
      and exists (select from tenant_settings where tenant_id = p_tenant and running_limit is not null);
  else
    update leases set limited = true
    where tenant_id = p_tenant and queue = p_queue and not limited
      and exists (
        select from queue_settings where tenant_id = p_tenant and queue = p_queue and concurrency_limit is not null
      );
  end if;
  perform count_slots(p_tenant, p_queue);
  insert into ready_arrivals (block, tenant_id, at_ms)
  values (nextval('ready_blocks'), p_tenant, at_ms);
end
$$;
