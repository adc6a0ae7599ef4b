DROP INDEX task_live;
CREATE INDEX task_held ON task (id) WHERE runner IS NOT NULL AND finished_ms IS NULL;
