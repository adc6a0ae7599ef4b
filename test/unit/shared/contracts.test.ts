import * as z from 'zod';
import {describe, expect, test} from 'vitest';
import {contracts} from '@switchyard/shared/api/contracts.ts';
import {problemSchema} from '@switchyard/shared/api/problem.ts';
import {getTaskLog} from '@switchyard/shared/api/task-contracts.ts';
import {taskViewSchema} from '@switchyard/shared/api/task-view.ts';
import {attemptBranch} from '@switchyard/shared/domain/id.ts';
import {errorCodes} from '@switchyard/shared/domain/error.ts';
import {taskSpecSchema} from '@switchyard/shared/domain/task-spec.ts';
import {toOpenApi} from '../../../tools/generate/openapi.ts';

const id = 'tsk_01arz3ndektsv4rrffq69g5fav';

test('[AP1] every operation has an id and a method with path of its own', () => {
  expect(contracts.length).toBeGreaterThan(10);
  const ids = contracts.map(contract => contract.id);
  expect(new Set(ids).size).toBe(ids.length);
  const places = contracts.map(({method, path}) => `${method} ${path.replaceAll(/:\w+/g, ':')}`);
  expect(new Set(places).size).toBe(places.length);
});

describe.each(contracts.map(contract => ({id: contract.id, contract})))('$id', ({contract}) => {
  const keysOf = (schema: z.ZodType | undefined): readonly string[] =>
    schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];

  test('[AP2] names in its path what its parameters are', () => {
    const inPath = [...contract.path.matchAll(/:(\w+)/g)].map(match => match[1] ?? '');
    expect(inPath.toSorted()).toEqual(keysOf(contract.params).toSorted());
    expect(contract.path).toMatch(/^\/(?:v1|api)(?:\/:?[a-z]+)+$/);
  });

  test('[AP3] refuses parameters, a query and a body with a field that it does not know', () => {
    for (const schema of [contract.params, contract.query, contract.body]) {
      const options = schema instanceof z.ZodDiscriminatedUnion ? schema.options : [schema];
      for (const option of options) {
        const inner = option instanceof z.ZodPrefault ? option.unwrap() : option;
        expect(!(inner instanceof z.ZodObject) || inner.def.catchall instanceof z.ZodNever).toBe(true);
      }
    }
  });

  test('[AP4] says what it does in a sentence, and answers with a success', () => {
    expect(contract.summary).toMatch(/^[A-Z].*\.$/);
    const statuses = Object.keys(contract.responses).map(Number);
    expect(statuses.some(status => status >= 200 && status < 300)).toBe(true);
    // A read has no body, and changes nothing.
    expect(contract.method !== 'get' || contract.body === undefined).toBe(true);
    expect(contract.method === 'get' || contract.auth !== 'read').toBe(true);
  });
});

test('[AP5] a task that works and one that failed are views as they are', () => {
  const failure = {epoch: 1, at_ms: 5, code: 'agent_failed', detail: 'exit code 2', hint: errorCodes.agent_failed.hint};
  const view = {
    id,
    pool: 'acme',
    state: 'leased',
    phase: 'running',
    title: 'a',
    spec: taskSpecSchema.parse({prompt: 'a', priority: 'high', repository: {url: 'https://example.test/a.git'}}),
    epoch: 2,
    runner: 'rnr_01arz3ndektsv4rrffq69g5fav',
    branch: attemptBranch(id, 2),
    created_ms: 1,
    queued_ms: 1,
    started_ms: 2,
    finished_ms: null,
    position: null,
    waiting_for: null,
    result: null,
    resources: {rss_bytes: 1, processes: 2, cpu_ms: 3, rss_bytes_max: 4, processes_max: 5},
    failures: [failure],
    retried_from: null,
    parent: null,
    metadata: {},
  };
  expect(taskViewSchema.parse(view)).toEqual(view);
  const git = {base_sha: 'a'.repeat(40), head_sha: 'b'.repeat(40), branch: view.branch, commits: 1, files_changed: 1};
  const result = {
    summary: 'done',
    exit_code: 0,
    git: {...git, insertions: 1, deletions: 0, pushed: true},
    log_bytes: 9,
    role: {prompt: 'starter@1.0.0', outcome: {event: 'task.closed', reason: 'done', resolution: 'wont_fix'}},
  };
  const ended = {...view, state: 'succeeded', phase: null, finished_ms: 9, result};
  expect(taskViewSchema.parse(ended)).toEqual(ended);
  for (const bad of [{state: 'running'}, {epoch: -1}, {position: 0}, {failures: [{...failure, code: 'oops'}]}]) {
    expect(taskViewSchema.safeParse({...view, ...bad}).success, JSON.stringify(bad)).toBe(false);
  }
});

test('[AP6] a problem names one of our codes', () => {
  const problem = {
    type: 'about:blank',
    title: 'a',
    status: 404,
    code: 'not_found',
    detail: '',
    hint: 'b',
    retry: false,
  };
  expect(problemSchema.parse(problem)).toEqual(problem);
  expect(problemSchema.safeParse({...problem, code: 'gone_fishing'}).success).toBe(false);
});

test('[AP7] the published document names every media type of an answer, every code and the range of a priority', () => {
  const document = JSON.stringify(
    toOpenApi({title: 'Test', version: '1', description: 'Test.'}, [
      getTaskLog,
      ...contracts.filter(each => each.id === 'getTask'),
    ]),
  );
  expect(document).toContain('"application/octet-stream":{}');
  expect(document).toContain('"text/event-stream":{"schema":{"type":"string"}}');
  expect(document).toContain(`"ErrorCode":{"type":"string","enum":${JSON.stringify(Object.keys(errorCodes))}`);
  expect(document).toContain('"priority":{"type":"integer","minimum":1,"maximum":5}');
});
