import {afterAll, beforeAll, expect, test} from 'vitest';
import {listTaskEvents, listTasks} from '@switchyard/shared/api/task-contracts.ts';
import {Bed, patientLease} from '../fixtures/installation.ts';

let bed: Bed;

beforeAll(async () => {
  bed = await Bed.start({lease: patientLease});
  await bed.runner('runner');
});
afterAll(async () => bed.stop());

/** A program that calls the tools of its attempt, and prints what it is told. */
const agent = `
const send = async (url, body) => {
  const headers = {authorization: 'Bearer ' + process.env.SWITCHYARD_TOOL_TOKEN};
  const answer = await fetch(url, {method: 'POST', headers, body: JSON.stringify(body)});
  console.log(answer.status + ' ' + (await answer.text()));
};
const {SWITCHYARD_EMIT_URL: emit, SWITCHYARD_MCP_URL: mcp} = process.env;
const wish = {title: 'A part', prompt: 'Do the part.'};
const call = {jsonrpc: '2.0', id: 1, method: 'tools/call', params: {name: 'create_subtask', arguments: wish}};
const prompt = require('node:fs').readFileSync(process.env.SWITCHYARD_PROMPT_FILE, 'utf8');
// The sub-task runs the same command.
if (prompt !== wish.prompt) {
  await send(emit, {event: 'pr.updated', data: {summary: 'It is mended.'}});
  await send(emit, {event: 'pr.updated', data: {summary: 'It is mended.'}});
  await send(emit, {event: 'pr.approved', data: {}});
  await send(mcp, call);
  await send(mcp, {...call, id: 2});
}
`;

test(
  '[AT13] a command reports events and makes sub-tasks from its place on the runner, each once',
  {timeout: 300_000},
  async () => {
    const command = [process.execPath, '-e', `(async () => {${agent}})()`];
    const {id} = await bed.submit({prompt: 'look', agent: {driver: 'exec', command}});
    const task = await bed.finished(id, 120_000);
    const log = await bed.log(id);
    expect(task.state, log).toBe('succeeded');
    expect(log.match(/^200 .*pr\.updated is noted/gm)).toHaveLength(2);
    expect(log).toMatch(/^422 .*a coding agent reports no pr\.approved/m);
    const {events} = await bed.client.call(listTaskEvents, {params: {task: id}, query: {limit: 200}});
    expect(events.filter(({kind}) => kind.startsWith('event.'))).toMatchObject([{kind: 'event.pr.updated'}]);
    const {tasks} = await bed.client.call(listTasks, {query: {parent: id}});
    expect(tasks).toMatchObject([{parent: id, title: 'A part', spec: {agent: {driver: 'exec'}}}]);
    const [part] = tasks;
    if (part === undefined) throw new Error('no sub-task');
    expect(await bed.finished(part.id, 120_000)).toMatchObject({state: 'succeeded'});
  },
);
