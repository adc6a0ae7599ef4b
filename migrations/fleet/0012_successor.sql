-- The tasks that go on from one that has ended, while they have not: what is said to that one is for them.
CREATE INDEX task_successor ON task (retried_from, id) WHERE retried_from IS NOT NULL AND finished_ms IS NULL;
