import {spawn} from 'node:child_process';
import {mkdirSync} from 'node:fs';
import {createInterface} from 'node:readline';
import {HOOK_PREFIX as PREFIX} from './hook-call.ts';
import {hookFiles, openQuestions, putFile, takeFile} from './hook-files.ts';

/**
 * Stands between the runner and an agent of the Agent Client Protocol whose hooks ask for permission: their questions
 * become requests of the agent, in the same output and with the same answers, so that they outlive the runner as every
 * other question does.
 */
const POLL_MS = 25;
/** An agent that waits for its hooks before it ends a turn is not left waiting for longer. */
const INTERRUPTED_MS_MAX = 10_000;

type Answer = {readonly id: string; readonly text: string; readonly isInterrupted: boolean};

/** Answers to hooks of a turn that is being interrupted. */
const late: Answer[] = [];

const [directory = '', program = '', ...args] = process.argv.slice(2);
mkdirSync(directory, {recursive: true, mode: 0o700});
// Whoever asked an earlier relay is gone.
for (const id of openQuestions(directory)) takeFile(hookFiles.question(directory, id));
putFile(hookFiles.relay(directory), String(process.pid));

const agent = spawn(program, args, {stdio: ['pipe', 'pipe', 'inherit']});
// An agent that has ended takes no more lines.
agent.stdin.on('error', () => undefined);
createInterface({input: agent.stdout, crlfDelay: Infinity}).on('line', line => {
  say(line);
  if (line.includes('"stopReason"')) answerLate();
});

createInterface({input: process.stdin, crlfDelay: Infinity})
  .on('line', line => {
    const answer = answerIn(line);
    if (answer === undefined) agent.stdin.write(`${line}\n`);
    else if (answer.isInterrupted) hold(answer);
    else put(answer);
  })
  .on('close', () => agent.stdin.end());

const asking = setInterval(() => {
  for (const id of openQuestions(directory)) {
    const params = takeFile(hookFiles.question(directory, id));
    if (params !== undefined)
      say(`{"jsonrpc":"2.0","id":"${PREFIX}${id}","method":"session/request_permission","params":${params}}`);
  }
}, POLL_MS);

for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => agent.kill(signal));
agent.on('error', error => {
  process.stderr.write(`${program} could not be started: ${error.message}\n`);
  process.exit(127);
});
agent.on('close', code => {
  clearInterval(asking);
  process.exit(code ?? 1);
});

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function put({id, text}: Answer): void {
  putFile(hookFiles.answer(directory, id), text);
}

/** An agent whose hook says no before it has heard of the interrupt asks its model once more: the turn ends first. */
function hold(answer: Answer): void {
  late.push(answer);
  setTimeout(answerLate, INTERRUPTED_MS_MAX).unref();
}

function answerLate(): void {
  for (const answer of late.splice(0)) put(answer);
}

/** The answer to a question of a hook; undefined for every other line. */
function answerIn(line: string): Answer | undefined {
  if (!line.includes(PREFIX)) return undefined;
  const message: unknown = parsed(line);
  const id = field(message, 'id');
  if (typeof id !== 'string' || !id.startsWith(PREFIX)) return undefined;
  const result = field(message, 'result');
  const reason = field(field(result, '_meta'), 'reason');
  const outcome = field(result, 'outcome');
  const isAllowed = field(outcome, 'optionId') === 'allow';
  return {
    id: id.slice(PREFIX.length),
    isInterrupted: field(outcome, 'outcome') === 'cancelled',
    text: isAllowed ? 'allow' : typeof reason === 'string' && reason !== '' ? reason : 'rejected',
  };
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}
