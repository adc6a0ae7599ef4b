CREATE TABLE task (
  id TEXT PRIMARY KEY,
  state TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  runner TEXT,
  phase TEXT,
  phase_seq INTEGER NOT NULL,
  event_seq INTEGER NOT NULL,
  expires_ms INTEGER,
  due_ms INTEGER,
  failure_count INTEGER NOT NULL,
  failures TEXT NOT NULL,
  unmet INTEGER NOT NULL,
  queued_ms INTEGER,
  started_ms INTEGER,
  finished_ms INTEGER,
  cancel TEXT,
  result TEXT,
  log_bytes INTEGER NOT NULL,
  log_live INTEGER NOT NULL,
  events INTEGER NOT NULL,
  messages INTEGER NOT NULL,
  messages_open INTEGER NOT NULL,
  lane TEXT NOT NULL,
  order_key INTEGER NOT NULL,
  prefers TEXT NOT NULL,
  conc_key TEXT,
  attempts_max INTEGER NOT NULL,
  not_before_ms INTEGER,
  deadline_ms INTEGER,
  title TEXT NOT NULL,
  repository TEXT,
  agent_type TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  retried_from TEXT
) WITHOUT ROWID;
CREATE INDEX task_queue ON task (lane, order_key, id) WHERE state = 'queued';
CREATE INDEX task_live ON task (runner) WHERE state IN ('offered', 'leased', 'cancelling');
CREATE INDEX task_due ON task (due_ms) WHERE due_ms IS NOT NULL;
CREATE INDEX task_pending ON task (id) WHERE state = 'pending';
CREATE INDEX task_concurrency ON task (conc_key, id) WHERE conc_key IS NOT NULL AND finished_ms IS NULL;
CREATE TABLE task_spec (
  task TEXT PRIMARY KEY,
  spec TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE attempt (
  task TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  runner TEXT NOT NULL,
  outcome TEXT NOT NULL,
  ended_ms INTEGER NOT NULL,
  PRIMARY KEY (task, epoch)
) WITHOUT ROWID;
CREATE TABLE task_event (
  task TEXT NOT NULL,
  seq INTEGER NOT NULL,
  at_ms INTEGER NOT NULL,
  kind TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  data TEXT NOT NULL,
  PRIMARY KEY (task, seq)
) WITHOUT ROWID;
CREATE TABLE dependency (
  needs TEXT NOT NULL,
  task TEXT NOT NULL,
  PRIMARY KEY (needs, task)
) WITHOUT ROWID;
CREATE TABLE runner (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  x TEXT NOT NULL,
  enrolled_labels TEXT NOT NULL,
  labels TEXT NOT NULL,
  slots TEXT NOT NULL,
  lease_class TEXT NOT NULL,
  version TEXT,
  boot_id TEXT,
  connection TEXT,
  transport TEXT,
  draining INTEGER NOT NULL,
  revoked_ms INTEGER,
  enrolled_ms INTEGER NOT NULL,
  seen_ms INTEGER
) WITHOUT ROWID;
CREATE TABLE credential (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  kind TEXT NOT NULL,
  scope TEXT NOT NULL,
  hash TEXT,
  created_ms INTEGER NOT NULL,
  revoked_ms INTEGER
) WITHOUT ROWID;
CREATE TABLE enrolment (
  id TEXT PRIMARY KEY,
  hash TEXT NOT NULL,
  labels TEXT NOT NULL,
  expires_ms INTEGER NOT NULL,
  used_by TEXT
) WITHOUT ROWID;
CREATE TABLE nonce (
  value TEXT PRIMARY KEY,
  expires_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE idempotency (
  key TEXT PRIMARY KEY,
  hash TEXT NOT NULL,
  tasks TEXT NOT NULL,
  expires_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE alias (
  alias TEXT PRIMARY KEY,
  task TEXT NOT NULL,
  hash TEXT
) WITHOUT ROWID;
CREATE INDEX alias_task ON alias (task);
CREATE TABLE message (
  task TEXT NOT NULL,
  seq INTEGER NOT NULL,
  text TEXT NOT NULL,
  PRIMARY KEY (task, seq)
) WITHOUT ROWID;
CREATE TABLE mailbox (
  runner TEXT NOT NULL,
  seq INTEGER NOT NULL,
  draft TEXT NOT NULL,
  PRIMARY KEY (runner, seq)
) WITHOUT ROWID;
CREATE TABLE outbox (
  due_ms INTEGER NOT NULL,
  id INTEGER NOT NULL,
  failures INTEGER NOT NULL,
  row TEXT NOT NULL,
  PRIMARY KEY (due_ms, id)
) WITHOUT ROWID;
CREATE TABLE setting (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
) WITHOUT ROWID;
