ALTER TABLE task ADD COLUMN parent TEXT;
CREATE TABLE agent_call (
  task TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  call TEXT NOT NULL,
  tool TEXT NOT NULL,
  answer TEXT NOT NULL,
  PRIMARY KEY (task, epoch, call)
) WITHOUT ROWID;
