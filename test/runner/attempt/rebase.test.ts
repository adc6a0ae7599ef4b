import {expect, test} from 'vitest';
import {exitRecordSchema} from '@switchyard/shared/protocol/exit-record.ts';
import {taskSpecSchema, type TaskSpecInput} from '@switchyard/shared/domain/task-spec.ts';
import {prepareTree, removeTree, type Trees} from '../../../runner/src/attempt/attempt-tree.ts';
import type {AgentEnd, AttemptPlan, Completion} from '../../../runner/src/attempt/attempt-work.ts';
import {complete} from '../../../runner/src/attempt/completion.ts';
import type {Worktree} from '../../../runner/src/worktree/places.ts';
import {commitAll, makeGround, put, sh, task} from '../worktree/ground.ts';

const ended: AgentEnd = {exitCode: 0, signal: null, summary: null, result: null};
const never = new AbortController().signal;

/** An attempt whose agent has changed a file, while upstream goes on. */
async function scene(
  spec: Partial<TaskSpecInput> = {},
  repository: {rebase?: boolean; base?: string} = {rebase: true},
  fill: (upstream: string) => void = () => undefined,
) {
  const {context, mirrors, upstream} = makeGround();
  fill(upstream);
  const trees: Trees = {context, mirrors};
  const plan: AttemptPlan = {
    task,
    epoch: 1,
    branch: `switchyard/${task}/e1`,
    logTicket: 'ticket',
    spec: taskSpecSchema.parse({prompt: 'x', repository: {url: upstream, ...repository}, ...spec}),
  };
  const worktree = await prepareTree(trees, plan, never);
  if (worktree === undefined) throw new Error('no worktree');
  put(worktree.path, 'src/a.txt', 'one\ntwo\nours\n');
  const checked: string[] = [];
  const told: string[] = [];
  const finish = async (passes = true): Promise<Completion> =>
    complete({
      plan,
      end: ended,
      worktree,
      trees,
      signal: never,
      tell: async line => void told.push(line),
      checksPass: async head => {
        checked.push(head ?? '');
        return passes;
      },
    });
  return {trees, plan, worktree, upstream, checked, told, finish};
}

const heads = (worktree: Worktree): string => sh(worktree.path, 'rev-parse', 'HEAD', worktree.branch);

test('[RB1] the work lies on the newest base when it is checked, and that is what is pushed (C23)', async () => {
  const {worktree, upstream, checked, told, finish} = await scene({checks: [['true']]});
  put(upstream, 'next.txt', 'n\n');
  const next = commitAll(upstream);
  const {result, git} = await finish();
  expect(result.kind).toBe('succeeded');
  expect(git).toMatchObject({
    base_sha: next,
    commits: 1,
    files_changed: 1,
    pushed: true,
    rebase: {outcome: 'rebased', onto_sha: next, conflicts: []},
  });
  expect(checked).toEqual([git?.head_sha]);
  expect(sh(upstream, 'rev-parse', `${worktree.branch}^`)).toBe(next);
  expect(told).toContain(`rebased onto ${next.slice(0, 12)}: ${git?.head_sha.slice(0, 12)}`);
});

test('[RB2] a base that has not moved is said, and one that was not asked for is left alone', async () => {
  const same = await scene();
  expect((await same.finish()).git).toMatchObject({pushed: true, rebase: {outcome: 'up_to_date'}});
  const unasked = await scene({}, {});
  put(unasked.upstream, 'next.txt', 'n\n');
  commitAll(unasked.upstream);
  const {git} = await unasked.finish();
  expect(git).toMatchObject({pushed: true, base_sha: unasked.worktree.baseSha});
  expect(git?.rebase).toBeUndefined();
});

test('[RB3] a conflict ends the attempt with its own code and a report, and leaves branch and tree as they were (C23)', async () => {
  const {worktree, upstream, plan, trees, checked, finish} = await scene({checks: [['true']], title: 'Say ours'});
  put(upstream, 'src/a.txt', 'one\ntwo\ntheirs\n');
  const theirs = commitAll(upstream, 'Say theirs');
  const {result, git} = await finish();
  expect(result).toMatchObject({kind: 'failed', code: 'rebase_conflict', retryable: false});
  expect(result.kind === 'failed' ? result.detail : '').toContain('src/a.txt');
  expect(git).toMatchObject({
    base_sha: worktree.baseSha,
    commits: 1,
    pushed: false,
    rebase: {
      outcome: 'conflict',
      onto_sha: theirs,
      conflicts: [
        {
          path: 'src/a.txt',
          ours: [{sha: git?.head_sha, subject: 'Say ours'}],
          theirs: [{sha: theirs, subject: 'Say theirs'}],
        },
      ],
    },
  });
  expect(exitRecordSchema.shape.git.parse(git)).toEqual(git);
  expect(checked).toEqual([]);
  expect(heads(worktree).split('\n')).toEqual([git?.head_sha, git?.head_sha]);
  expect(sh(worktree.path, 'status', '--porcelain')).toBe('');
  expect(() => sh(upstream, 'rev-parse', '--verify', worktree.branch)).toThrow('Needed a single revision');
  expect(await removeTree(trees, plan)).toBe(`refs/salvage/${task}/e1`);
});

test('[RB4] a runner that starts over puts the work on the base that it had decided on, and on no newer one', async () => {
  const {worktree, upstream, checked, finish} = await scene({checks: [['true']]});
  put(upstream, 'next.txt', 'n\n');
  const next = commitAll(upstream);
  expect((await finish(false)).result).toMatchObject({code: 'checks_failed'});
  const head = sh(worktree.path, 'rev-parse', 'HEAD');
  put(upstream, 'later.txt', 'l\n');
  commitAll(upstream);
  const {git} = await finish();
  expect(git).toMatchObject({head_sha: head, base_sha: next, pushed: true});
  expect(checked).toEqual([head, head]);
});

test('[RB5] work that is in the newest base already is no change', async () => {
  const {upstream, finish} = await scene();
  put(upstream, 'src/a.txt', 'one\ntwo\nours\n');
  const next = commitAll(upstream);
  expect(await finish()).toMatchObject({
    result: {kind: 'failed', code: 'agent_no_change'},
    git: {commits: 0, base_sha: next, pushed: false},
  });
});

test('[GK6] a branch that somebody else pushed to ends the attempt as push_stale, with its evidence, and the work is salvaged', async () => {
  const {upstream, worktree, plan, trees, finish} = await scene({}, {});
  sh(upstream, 'branch', worktree.branch, 'main');
  put(upstream, 'theirs.txt', 't\n');
  const theirs = commitAll(upstream);
  sh(upstream, 'update-ref', `refs/heads/${worktree.branch}`, theirs);
  const {result, git} = await finish();
  expect(result).toMatchObject({kind: 'failed', code: 'push_stale', retryable: false});
  expect(git).toMatchObject({commits: 1, files_changed: 1, pushed: false});
  expect(sh(upstream, 'rev-parse', worktree.branch)).toBe(theirs);
  expect(await removeTree(trees, plan)).toBe(`refs/salvage/${task}/e1`);
  expect(sh(worktree.mirror.path, 'rev-parse', `refs/salvage/${task}/e1`)).toBe(git?.head_sha);
});

test('[RB7] settings of agents that are hidden from the tree neither hinder the rebase nor get lost', async () => {
  const {upstream, plan, finish} = await scene({agent: {driver: 'gemini'}}, {rebase: true}, upstreamRoot => {
    put(upstreamRoot, '.gemini/settings.json', '{}\n');
    put(upstreamRoot, 'GEMINI.md', 'rules\n');
    commitAll(upstreamRoot, 'rules');
  });
  put(upstream, 'GEMINI.md', 'newer rules\n');
  put(upstream, '.gemini/settings.json', '{"newer": true}\n');
  const next = commitAll(upstream, 'newer rules');
  const {result, git} = await finish();
  expect({result, git}).toMatchObject({
    result: {kind: 'succeeded'},
    git: {base_sha: next, files_changed: 1, pushed: true},
  });
  expect(sh(upstream, 'show', `${plan.branch}:GEMINI.md`)).toBe('newer rules');
  expect(sh(upstream, 'show', `${plan.branch}:.gemini/settings.json`)).toBe('{"newer": true}');
});
