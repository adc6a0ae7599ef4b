ALTER TABLE attempt ADD COLUMN started_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempt ADD COLUMN state TEXT NOT NULL DEFAULT 'failed';
ALTER TABLE attempt ADD COLUMN exit_code INTEGER;
ALTER TABLE attempt ADD COLUMN code TEXT;
ALTER TABLE attempt ADD COLUMN detail TEXT;
UPDATE attempt SET started_ms = ended_ms, state = CASE outcome WHEN 'lease_lost' THEN 'interrupted' ELSE outcome END;
CREATE INDEX attempt_started ON attempt (started_ms, task, epoch);
CREATE TABLE agent (
  id TEXT PRIMARY KEY,
  task TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  UNIQUE (task, epoch)
) WITHOUT ROWID;
