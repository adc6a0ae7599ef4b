CREATE TABLE approval (
  id TEXT PRIMARY KEY,
  task TEXT NOT NULL,
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
CREATE INDEX approval_state ON approval (state, id);
CREATE INDEX approval_open ON approval (expires_ms) WHERE state = 'open';
