-- The sub-tasks that live, by the task that made them: they end with it where it does not succeed.
CREATE INDEX task_child ON task (parent) WHERE parent IS NOT NULL AND finished_ms IS NULL;
