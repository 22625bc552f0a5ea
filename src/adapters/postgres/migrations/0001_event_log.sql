-- The event log: every accepted change, once, for ever. All other tables are derived from it.

-- Drawn one at a time (cache 1): numbers that a session kept for later would turn up below what readers have passed.
create sequence events_position as bigint cache 1;

create table events (
  position bigint not null,
  -- Milliseconds since 1970.
  recorded_at bigint not null,
  revision int not null check (revision >= 0),
  schema_version smallint not null check (schema_version > 0),
  stream text collate "C" not null,
  type text collate "C" not null,
  -- JSON as text: jsonb would more than double what an append costs, and rewrite numbers and key order.
  data text not null,
  metadata text not null,
  content text,
  constraint events_pkey primary key (position),
  constraint events_stream_revision_key unique (stream, revision)
);

-- Rows are only ever added, so statistics follow growth and freezing stays cheap.
alter table events set (autovacuum_analyze_scale_factor = 0.02, fillfactor = 100);
alter table events alter column stream set statistics 10;

-- Appends the events of many streams, each stream with all its events or none.
--
-- p_streams and p_expected have one entry a stream; no stream comes twice. The other lists have one entry an event,
-- streams in ascending order so that two calls can't wait for each other, events of a stream in order of revision.
-- Lists of text are joined by line breaks, which JSON never holds raw: cheaper on both sides than array literals.
-- p_event_streams null: one event a stream. p_contents null: no event has content; an empty entry: this one has none.
-- p_types, p_schema_versions and p_metadata may have a single entry: it holds for all events.
--
-- actual: the streams' last revisions before the call, -1 for none; what differs from p_expected was not written.
-- positions: of the written events, in the order they were given. stamped_at: their recorded_at.
-- Raises unique_violation, and writes nothing, when another call wrote one of the streams meanwhile: call again.
create function append_events(
  p_streams text,
  p_expected int[],
  p_event_streams text,
  p_revisions int[],
  p_types text,
  p_schema_versions smallint[],
  p_data text,
  p_metadata text,
  p_contents text,
  p_recorded_at bigint
)
returns table (actual int[], positions bigint[], stamped_at bigint)
language plpgsql
-- Plans are kept for the session: without this one made while the table is small would scan it for ever.
set enable_seqscan = off
set plan_cache_mode = force_generic_plan
as $$
declare
  v_streams text[] := string_to_array(p_streams, E'\n');
  v_conflicting text[] := null;
  -- unnest fills lists that are too short with nulls.
  v_type text := split_part(p_types, E'\n', 1);
  v_metadata text := split_part(p_metadata, E'\n', 1);
begin
  stamped_at := coalesce(p_recorded_at, (extract(epoch from clock_timestamp()) * 1000)::bigint);

  -- Before any position is drawn: whoever gets this lock exclusively knows that all drawn positions are decided.
  perform pg_advisory_xact_lock_shared(7311150180345864193);

  actual := array(
    select
      coalesce(
        (
          select e.revision
          from events e
          where e.stream = s.stream
          order by e.revision desc
          limit 1
        ),
        -1
      )
    from unnest(v_streams) s (stream)
  );

  if actual <> p_expected then
    select array_agg(s.stream)
    into v_conflicting
    from unnest(v_streams, actual, p_expected) s (stream, actual, expected)
    where s.actual <> s.expected;
  end if;

  with written as (
    insert into events (position, recorded_at, revision, schema_version, stream, type, data, metadata, content)
    select
      nextval('events_position'),
      stamped_at,
      e.revision,
      coalesce(e.schema_version, p_schema_versions[1]),
      e.stream,
      coalesce(e.type, v_type),
      e.data,
      coalesce(e.metadata, v_metadata),
      nullif(e.content, '')
    from unnest(
      coalesce(string_to_array(p_event_streams, E'\n'), v_streams),
      p_revisions,
      string_to_array(p_types, E'\n'),
      p_schema_versions,
      string_to_array(p_data, E'\n'),
      string_to_array(p_metadata, E'\n'),
      string_to_array(p_contents, E'\n')
    ) e (stream, revision, type, schema_version, data, metadata, content)
    where v_conflicting is null or e.stream <> all (v_conflicting)
    returning position
  )
  select array_agg(w.position)
  into positions
  from written w;

  return next;
end
$$;

-- The highest position whose fate, and that of all below, is decided: readers that go no further never miss an event.
-- Takes the writers' lock exclusively for an instant, unless nothing was drawn since p_known. Raises
-- lock_not_available after 100 ms: a stuck writer must not hold up the others behind it.
create function settled_position(p_known bigint)
returns bigint
language plpgsql
set lock_timeout = '100ms'
as $$
declare
  v_drawn bigint;
begin
  select case when s.is_called then s.last_value else 0 end into v_drawn from events_position s;
  if v_drawn > p_known then
    perform pg_advisory_xact_lock(7311150180345864193);
    select case when s.is_called then s.last_value else 0 end into v_drawn from events_position s;
  end if;
  return v_drawn;
end
$$;
