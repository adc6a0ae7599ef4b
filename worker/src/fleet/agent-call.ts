import * as z from 'zod';
import {agentCalls, type AgentCallName} from '@switchyard/shared/domain/agent-call.ts';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {parseJson} from '@switchyard/shared/domain/parse-json.ts';
import {subtaskSpec} from '@switchyard/shared/domain/subtask.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {readReport} from '@switchyard/shared/prompts/report.ts';
import type {AskMessage} from '@switchyard/shared/protocol/ask-message.ts';
import {answerStale, heldRow} from './attempt-claim.ts';
import type {Batch, Json} from './batch.ts';
import {sharePurses} from './purses.ts';
import {one} from './sql.ts';
import {submit} from './submit.ts';
import type {TaskRow} from './task-row.ts';
import type {From} from './up-work.ts';
import {specOf} from './spec-row.ts';

type Answer = {readonly decision: 'answer' | 'reject'; readonly text: string};

/**
 * A tool of the Fleet, called by an agent. A call that was granted is remembered under its id and its attempt, and answered
 * the same way each time; one that was refused may be granted when it comes again.
 */
export function takeCall(batch: Batch, from: From, ask: AskMessage): void {
  const row = heldRow(batch, from, ask);
  if (row === undefined || row.state === 'offered') {
    answerStale(batch, from, ask, 'ask');
    return;
  }
  const {task, epoch, id} = ask;
  const {decision, text} = answerTo(batch, row, ask);
  batch.send(from.runner, {t: 'answer', task, epoch, id, decision, text, by: null});
}

function answerTo(batch: Batch, row: TaskRow, {epoch, id, tool, input}: AskMessage): Answer {
  const {sql} = batch.context;
  const [known] = sql.all<{answer: string}>(
    'SELECT answer FROM agent_call WHERE task = ? AND epoch = ? AND call = ?',
    row.id,
    epoch,
    id,
  );
  if (known !== undefined) return {decision: 'answer', text: known.answer};
  try {
    if (!isCall(tool)) throw refused(`the control plane has no tool ${tool}`);
    const {callsMax, make} = calls[tool];
    requireRoom(batch, row, {tool, callsMax});
    const text = make(batch, row, parseJson(input, limits.eventLevelsMax));
    sql.run(
      'INSERT INTO agent_call (task, epoch, call, tool, answer) VALUES (?, ?, ?, ?, ?)',
      row.id,
      epoch,
      id,
      tool,
      text,
    );
    return {decision: 'answer', text};
  } catch (error) {
    if (!(error instanceof SwitchyardError)) throw error;
    return {decision: 'reject', text: error.detail.slice(0, limits.messageCharactersMax)};
  }
}

const isCall = (tool: string): tool is AgentCallName => Object.hasOwn(calls, tool);

const refused = (detail: string): SwitchyardError => new SwitchyardError('invalid_request', detail);

function requireRoom(
  {context: {sql}}: Batch,
  {id, epoch}: TaskRow,
  {tool, callsMax}: {readonly tool: string; readonly callsMax: number},
): void {
  const {n} = one(
    sql.all<{n: number}>(
      'SELECT count(*) AS n FROM agent_call WHERE task = ? AND epoch = ? AND tool = ?',
      id,
      epoch,
      tool,
    ),
  );
  if (n >= callsMax) throw refused(`${tool} was called ${callsMax} times by this attempt, which is all it may`);
}

function checked<Input>(tool: AgentCallName, schema: z.ZodType<Input>, input: unknown): Input {
  const read = schema.safeParse(input);
  if (read.success) return read.data;
  throw refused(`${tool}: ${z.prettifyError(read.error).slice(0, 1_000)}`);
}

/** What is made by a call, and the words that its agent hears. Each throws before it has changed anything. */
const calls: Readonly<
  Record<
    AgentCallName,
    {readonly callsMax: number; readonly make: (batch: Batch, row: TaskRow, input: unknown) => string}
  >
> = {
  emit_event: {callsMax: limits.reportedEventsMax, make: report},
  create_subtask: {callsMax: limits.subtasksMax, make: makeSubtask},
};

function report(batch: Batch, row: TaskRow, input: unknown): string {
  const {event, data} = checked('emit_event', agentCalls.emit_event.input, input);
  const read = readReport(row.agent_type, {event, data});
  if (!read.ok) throw refused(read.reason);
  if (row.events >= limits.taskEventsMax) throw refused('the history of this task is full');
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it was read from JSON
  batch.change(row, {}, {kind: `event.${event}`, data: read.data as Json});
  return `${event} is noted.`;
}

function makeSubtask(batch: Batch, row: TaskRow, input: unknown): string {
  const wish = checked('create_subtask', agentCalls.create_subtask.input, input);
  if (depthOf(batch, row) >= limits.subtaskDepthMax)
    throw refused(`a sub-task this deep makes no further ones: ${limits.subtaskDepthMax} levels are the most`);
  const spec = subtaskSpec(specOf(batch.context.sql, row.id), wish);
  const {ids} = submit(batch, {
    // The runner has proved that it holds the attempt; the task was somebody's who may submit.
    caller: {kind: 'root'},
    submission: {specs: [spec], queue: true, parent: row.id},
    randomBytes: length => Uint8Array.from({length}, () => batch.context.random() * 256),
  });
  const [id = ''] = ids;
  sharePurses(batch, row, id);
  batch.change(row, {}, {kind: 'subtask.created', data: {task: id, title: wish.title}});
  return id;
}

function depthOf(batch: Batch, {parent}: TaskRow): number {
  let depth = 0;
  for (let above = parent; above !== null && depth < limits.subtaskDepthMax; depth += 1)
    above = batch.task(above)?.parent ?? null;
  return depth;
}
