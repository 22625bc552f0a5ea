-- Who pauses or limits a queue is answered when claims honour it, however far dispatch has got in the log. So the settings
-- are also written right after their event, and then in whole (both): an event before it that dispatch has not heard of
-- yet has a lower revision, and changes nothing when it comes. Otherwise as in migration 0010; what changes nothing wakes
-- nobody.
create or replace function set_queue(
  at_ms bigint,
  p_tenant text,
  p_queue text,
  p_revision integer,
  -- pause, limit or both: what changes
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
    paused = case when changes in ('pause', 'both') then excluded.paused else s.paused end,
    paused_until = case when changes in ('pause', 'both') then excluded.paused_until else s.paused_until end,
    concurrency_limit = case when changes in ('limit', 'both') then excluded.concurrency_limit else s.concurrency_limit end
  where s.revision < excluded.revision;
  if not found then
    return;
  end if;
  if changes in ('limit', 'both') then
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
