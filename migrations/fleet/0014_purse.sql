-- What a task lets all that works for it spend together: its attempts and the sub-tasks that these made.
CREATE TABLE purse (
  id TEXT PRIMARY KEY,
  task TEXT NOT NULL,
  limits TEXT NOT NULL,
  cost_micros INTEGER NOT NULL,
  tokens INTEGER NOT NULL,
  turns INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX purse_task ON purse (task);
-- The purses of those above a sub-task, which it spends of as well.
CREATE TABLE purse_share (
  task TEXT NOT NULL,
  purse TEXT NOT NULL,
  PRIMARY KEY (task, purse)
) WITHOUT ROWID;
CREATE INDEX purse_share_purse ON purse_share (purse);
ALTER TABLE slice ADD COLUMN purses TEXT NOT NULL DEFAULT '[]';
