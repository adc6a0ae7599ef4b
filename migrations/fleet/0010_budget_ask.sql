CREATE TABLE approval_of_all (
  id TEXT PRIMARY KEY,
  task TEXT,
  ask TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  carried INTEGER NOT NULL,
  kind TEXT NOT NULL,
  state TEXT NOT NULL,
  tool TEXT NOT NULL,
  input TEXT NOT NULL,
  reason TEXT NOT NULL,
  rule TEXT,
  created_ms INTEGER NOT NULL,
  expires_ms INTEGER NOT NULL,
  decided_ms INTEGER,
  decided_by TEXT,
  text TEXT,
  UNIQUE (task, ask)
) WITHOUT ROWID;
INSERT INTO approval_of_all (id, task, ask, epoch, carried, kind, state, tool, input, reason, rule, created_ms,
  expires_ms, decided_ms, decided_by, text)
SELECT id, task, ask, epoch, carried, kind, state, tool, input, reason, rule, created_ms, expires_ms, decided_ms,
  decided_by, text FROM approval;
DROP TABLE approval;
ALTER TABLE approval_of_all RENAME TO approval;
CREATE INDEX approval_state ON approval (state, id);
CREATE INDEX approval_open ON approval (expires_ms) WHERE state = 'open';
CREATE INDEX approval_budget ON approval (ask, id) WHERE kind = 'budget';
