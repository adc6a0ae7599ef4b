CREATE TABLE budget (
  id TEXT PRIMARY KEY,
  scope TEXT NOT NULL,
  target TEXT,
  period TEXT NOT NULL,
  cost_micros_max INTEGER,
  tokens_max INTEGER,
  turns_max INTEGER,
  override TEXT,
  window_ms INTEGER NOT NULL,
  cost_micros INTEGER NOT NULL,
  tokens INTEGER NOT NULL,
  turns INTEGER NOT NULL,
  warned INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE slice (
  task TEXT PRIMARY KEY,
  epoch INTEGER NOT NULL,
  agent_type TEXT NOT NULL,
  repository TEXT,
  cost_micros INTEGER NOT NULL,
  input_tokens INTEGER NOT NULL,
  output_tokens INTEGER NOT NULL,
  cache_read_tokens INTEGER NOT NULL,
  cache_write_tokens INTEGER NOT NULL,
  turns INTEGER NOT NULL,
  granted TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE cost (
  day TEXT NOT NULL,
  task TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  agent_type TEXT NOT NULL,
  repository TEXT,
  cost_micros INTEGER NOT NULL,
  input_tokens INTEGER NOT NULL,
  output_tokens INTEGER NOT NULL,
  cache_read_tokens INTEGER NOT NULL,
  cache_write_tokens INTEGER NOT NULL,
  turns INTEGER NOT NULL,
  PRIMARY KEY (day, task, epoch)
) WITHOUT ROWID;
CREATE INDEX cost_task ON cost (task);
UPDATE task SET lane = json_insert(lane, '$[#]', agent_type, '$[#]', repository) WHERE finished_ms IS NULL;
