-- Which event log the rest of this database was derived from. Positions of one log mean nothing in another.
create table log_home (
  one boolean primary key default true check (one),
  place text not null
);
