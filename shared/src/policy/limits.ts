type Limit = {readonly value: number; readonly unit: 'ms' | 'bytes' | 'count' | 'characters'; readonly why: string};

const ms = (value: number, why: string): Limit => ({value, unit: 'ms', why});
const bytes = (value: number, why: string): Limit => ({value, unit: 'bytes', why});
const count = (value: number, why: string): Limit => ({value, unit: 'count', why});
const characters = (value: number, why: string): Limit => ({value, unit: 'characters', why});

/** Every limit, once, with its unit and its reason; docs/limits.md is generated from it. */
export const limitTable = {
  leaseTtlMs: ms(60_000, 'A lease lasts this long after the renewal that the runner stamped.'),
  patientLeaseTtlMs: ms(600_000, 'A lease of a machine that sleeps, such as a laptop.'),
  renewMs: ms(15_000, 'A runner renews four times within a lease, so that three lost renewals are survived.'),
  graceMs: ms(10_000, 'The server waits this long after the deadline of the runner: it covers the kill.'),
  offerMs: ms(10_000, 'An offer that nobody accepts goes back to the queue.'),
  softStopMs: ms(15_000, 'The agent is asked to stop this long before its deadline.'),
  hardKillMs: ms(2_000, 'The agent is killed this long before its deadline.'),
  killMs: ms(2_000, 'A kill is over in this time: the dead man looks every second, a tree ends within another.'),
  envelopeTtlMs: ms(30_000, 'A signed dispatch is worthless after this time.'),
  agingStepMs: ms(600_000, 'A waiting task gains one priority step in this time, so that none starves.'),
  retryBaseMs: ms(5_000, 'First step of the exponential backoff between attempts.'),
  retryMaxMs: ms(300_000, 'Longest backoff between attempts.'),
  taskTimeoutDefaultMs: ms(7_200_000, 'An attempt that says nothing of its own time may run this long.'),
  taskTimeoutMaxMs: ms(43_200_000, 'Longest time an attempt may ask for.'),
  cancelGraceMs: ms(10_000, 'A cancelled agent may save its work for this long before it is killed.'),
  signatureWindowMs: ms(300_000, 'A signed request is accepted this long before and after its timestamp.'),
  nonceKeptMs: ms(660_000, 'Nonces are remembered for both sides of the window, and a minute more.'),
  idempotencyKeptMs: ms(604_800_000, 'An idempotency key answers with its first task for seven days.'),
  enrolmentTtlMs: ms(600_000, 'An enrolment token is good for one runner and this long.'),
  runnerJwtTtlMs: ms(60_000, 'The token with which a runner opens a connection.'),
  keyOverlapMs: ms(86_400_000, 'The key that a runner replaced opens sessions and signs exits for this long.'),
  challengeMs: ms(10_000, 'A socket that has not said hello in this time is closed.'),
  sessionSilentBeats: count(
    3,
    'A runner session is closed when this many of its renewals or pings are missing; its leases live on.',
  ),
  bodyMs: ms(30_000, 'A request whose body is not whole by then is refused.'),
  pollHoldMs: ms(20_000, 'A poll without news is answered after this time.'),
  reconnectMaxMs: ms(30_000, 'Longest wait of a runner between two tries to connect.'),
  heartbeatMs: ms(15_000, 'Live streams carry a comment this often, so that dead connections are noticed.'),
  httpTimeoutMs: ms(10_000, 'A client waits this long for an answer that is not a stream.'),
  approvalHoldMs: ms(
    30_000,
    'An agent that can be put off waits so long for a person, then it ends and waits on disk.',
  ),
  approvalTtlMs: ms(259_200_000, 'What nobody decided within three days counts as rejected.'),
  approvalTtlMaxMs: ms(
    518_400_000,
    'Longest time that an approval may wait: a worktree that nobody uses is kept a day longer.',
  ),
  sessionAffinityMs: ms(
    900_000,
    'A task that a person let go on waits so long for the machine that holds its session, then any other may begin anew.',
  ),
  finishedKeptMs: ms(2_592_000_000, 'A finished task stays in the queue object for thirty days.'),
  bodyBytesMax: bytes(262_144, 'Largest body of one request about one task.'),
  batchBodyBytesMax: bytes(8_388_608, 'Largest body of a request about many tasks.'),
  specBytesMax: bytes(384_000, 'Largest task spec inside a signed dispatch, where its quotes are escaped twice.'),
  envelopeCharactersMax: characters(524_288, 'Longest signed dispatch; every spec of the size above fits into it.'),
  promptCharactersMax: characters(200_000, 'Longest prompt of a task.'),
  briefTextCharactersMax: characters(20_000, 'Longest text in the brief of a task, such as a review.'),
  briefEntriesMax: count(50, 'Most entries in one list of the brief of a task.'),
  outcomeBytesMax: bytes(65_536, 'Longest outcome of an agent, as JSON.'),
  lastMessageCharactersMax: characters(100_000, 'The end of the last message of an agent, where its outcome stands.'),
  messageCharactersMax: characters(20_000, 'Longest message to a task.'),
  askInputCharactersMax: characters(16_000, 'Longest input of a tool call that is shown to a person; the rest is cut.'),
  asksOpenMax: count(32, 'Most questions of one task that wait for a person.'),
  reportedEventsMax: count(500, 'Most events that the agent of one attempt may report.'),
  subtasksMax: count(20, 'Most sub-tasks that the agent of one attempt may make.'),
  subtaskDepthMax: count(3, 'Deepest chain of sub-tasks below a task that somebody submitted.'),
  enrolmentsOpenMax: count(1_000, 'Most enrolment tokens of a pool that are good at the same time.'),
  idempotencyKeysMax: count(
    2_000_000,
    'Most idempotency keys that one pool remembers: three a second, for all of their seven days.',
  ),
  batchTasksMax: count(1_000, 'Most tasks in one request.'),
  queuedTasksMax: count(200_000, 'Most tasks that wait in one pool.'),
  attemptsMax: count(5, 'A task that failed this often becomes a dead letter.'),
  failuresKept: count(3, 'The last failures of a task are kept with it.'),
  listLimitDefault: count(50, 'Rows of a list when the caller names none.'),
  listLimitMax: count(200, 'Most rows of one page of a list.'),
  labelsMax: count(64, 'Most labels of a runner, and most requirements of a task.'),
  dependenciesMax: count(64, 'Most tasks that one task may wait for.'),
  taskEventsMax: count(5_000, 'Longest history of one task; what comes after is counted, and the log holds it.'),
  jsonLevelsMax: count(64, 'Deepest nesting of JSON from outside: whoever walks through it does so by recursion.'),
  eventLevelsMax: count(32, 'Deepest nesting of what an agent reports, so that every reader of its history takes it.'),
  slotsMax: count(256, 'Most attempts that one runner may hold.'),
  controlFrameBytesMax: bytes(1_048_576, 'Largest frame of the runner link.'),
  controlBatchMax: count(512, 'Most messages in one frame of the runner link.'),
  logFrameBytesMax: bytes(131_072, 'Largest log frame.'),
  logChunkBytesMax: bytes(65_536, 'A log chunk holds at most this many bytes of the log.'),
  logWindowBytesMax: bytes(262_144, 'Unacknowledged log bytes of one attempt.'),
  logBytesMax: bytes(268_435_456, 'Longest log; the rest is counted and said, never silently dropped.'),
  logFlushIdleMs: ms(2_000, 'A log that nobody watches is sent this often.'),
  logFlushWatchedMs: ms(50, 'A log that somebody watches is sent this often.'),
  logViewersMax: count(256, 'Most live viewers of one log.'),
  charterBytesMax: bytes(262_144, 'Largest charter file.'),
  charterEntriesMax: count(500, 'Most entries in one list of a charter.'),
  charterEntryCharactersMax: characters(500, 'Longest sentence, name or pattern in a charter.'),
  shellCommandCharactersMax: characters(32_768, 'A longer command of an agent is not understood.'),
  shellNestingMax: count(16, 'A command of an agent that is nested more deeply is not understood.'),
  shellPartsMax: count(2_000, 'A command of an agent with more parts is not understood.'),
  modelRequestBytesMax: bytes(10_485_760, 'A request of an agent to a model; a conversation with pictures fits.'),
  toolCallHoldMs: ms(
    45_000,
    'A call of our tools over HTTP that has no answer by then is to be made again: clients give up after a minute.',
  ),
  modelRequestHeadersMs: ms(30_000, 'An agent sends the headers of a request to the model proxy in this time.'),
  usageLimitMinMs: ms(60_000, 'A provider that is silent for longer is waited for by the queue, not by the agent.'),
  keyStoreMs: ms(10_000, 'The key store of the operating system answers in this time, or it is locked.'),
  keyRememberedMs: ms(60_000, 'A runner asks the key store of the operating system again for a key after this time.'),
  modelProxyAnswerMs: ms(
    10_000,
    'The model proxy of a runner says in this time that it is well, or no agent is started.',
  ),
  modelProxyCheckMs: ms(5_000, 'A runner asks its model proxy again whether it is well after this time.'),
  budgetAnswerMs: ms(10_000, 'A request to a model waits this long for a larger slice of the budget.'),
  toolCallsPerMinuteMax: count(120, 'An agent that calls more tools in a minute runs in circles.'),
  messagesPerMinuteMax: count(6_000, 'An agent that says more in a minute, piece by piece, runs in circles.'),
  agentStallMs: ms(1_800_000, 'An agent that is silent for so long, without a tool at work, has stalled.'),
  agentDeadAirMs: ms(
    3_600_000,
    'A tool of an agent that says nothing and needs no processor for so long waits for what never comes.',
  ),
  completionRemindersMax: count(
    3,
    'An agent that wants to end with something missing is sent back so often in an attempt.',
  ),
  budgetsMax: count(200, 'Most budgets of one pool.'),
  overrideMaxMs: ms(2_678_400_000, 'Longest time for which a budget may be overridden: a month.'),
  costDaysMax: count(400, 'Most days of one look at the costs.'),
} as const satisfies Record<string, Limit>;

export type LimitName = keyof typeof limitTable;

/** The values alone, for code: `limits.leaseTtlMs`. */
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- fromEntries forgets the names it was given
export const limits = Object.fromEntries(Object.entries(limitTable).map(([name, {value}]) => [name, value])) as {
  readonly [Name in LimitName]: number;
};
