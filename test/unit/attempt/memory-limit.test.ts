import {expect, test} from 'vitest';
import {charterSchema} from '@switchyard/shared/domain/charter.ts';
import {subtaskSpec} from '@switchyard/shared/domain/subtask.ts';
import {taskSpecSchema} from '@switchyard/shared/domain/task-spec.ts';
import {byteCount} from '@switchyard/shared/policy/byte-size.ts';
import {memoryLimitText, narrowestMemory} from '@switchyard/shared/policy/memory-limit.ts';
import {defaultAgentLimits, firstSigns, judgeRunaway, looked} from '@switchyard/shared/policy/runaway.ts';
import {memoryOf} from '../../../runner/src/agent/machine-limits.ts';
import {lastWord} from '../../../runner/src/attempt/run-end.ts';
import {defaultPolicy} from '../../../runner/src/state/policy-file.ts';

const mebibyte = 1_048_576;

test.for([
  [{}, null],
  [
    {charter: 3, policy: null, task: undefined},
    {bytes: 3, by: 'charter'},
  ],
  [
    {charter: 3, policy: 2, task: 4},
    {bytes: 2, by: 'policy'},
  ],
  [
    {charter: 3, policy: 2, task: 1},
    {bytes: 1, by: 'task'},
  ],
  [
    {charter: 1, policy: 2, task: 1},
    {bytes: 1, by: 'charter'},
  ],
] as const)('[BG39] of %j the narrowest holds', ([said, holds]) => {
  expect(narrowestMemory(said)).toEqual(holds);
});

test('[BG39] a task narrows what the owner of its machine allows, and its sub-tasks have the same limit', () => {
  const charter = charterSchema.parse({name: 'c', resourceLimits: {memory: '1GB'}});
  const policy = {...defaultPolicy, attempts: {...defaultPolicy.attempts, memory_bytes_max: 2_048 * mebibyte}};
  const task = taskSpecSchema.parse({prompt: 'x', memory_bytes_max: 256 * mebibyte});
  expect(memoryOf({policy, charter: null})).toEqual({bytes: 2_048 * mebibyte, by: 'policy'});
  expect(memoryOf({policy, charter})).toEqual({bytes: 1_024 * mebibyte, by: 'charter'});
  expect(memoryOf({policy, charter}, task)).toEqual({bytes: 256 * mebibyte, by: 'task'});
  const wide = taskSpecSchema.parse({prompt: 'x', memory_bytes_max: 8_192 * mebibyte});
  expect(memoryOf({policy, charter}, wide)).toEqual({bytes: 1_024 * mebibyte, by: 'charter'});
  expect(subtaskSpec(task, {title: 't', prompt: 'y'}).memory_bytes_max).toBe(256 * mebibyte);
});

test('[BG39] an agent that the kernel ended at its limit has run away, and the end names the limit', () => {
  const memory = narrowestMemory({task: 64 * mebibyte});
  const status = {state: 'exited', code: 137, signal: 'SIGKILL', atBootMs: 1} as const;
  expect(lastWord({...status, isOutOfMemory: true}, memory)).toEqual({
    kind: 'failed',
    code: 'agent_runaway',
    detail: 'killed by memory: its processes wanted more than they may hold, at most 64 MiB by the task',
    retryable: true,
  });
  expect(lastWord(status, memory)).toBeNull();
  expect(lastWord({state: 'killed', reason: 'gone', code: 137}, memory)).toBeNull();
});

test('[BG40] the sum of what processes hold decides only where the kernel does not hold the same limit or a narrower one', () => {
  const memory = {bytes: 64 * mebibyte, by: 'charter'} as const;
  const verdict = (heldMemoryBytesMax?: number) => {
    const use = {rssBytes: 65 * mebibyte, cpuMs: 0, processes: 2, heldMemoryBytesMax};
    return judgeRunaway(looked(firstSigns(0), use, {nowMs: 1, elapsedMs: 1}), 1, {...defaultAgentLimits, memory});
  };
  expect(verdict()).toEqual({
    killedBy: 'memory',
    detail: `its processes hold 65 MiB of memory, at most ${memoryLimitText(memory)}`,
  });
  expect(verdict(128 * mebibyte)).not.toBeNull();
  expect(verdict(64 * mebibyte)).toBeNull();
});

test.for([
  ['4GB', 4_294_967_296],
  ['1.5 GiB', 1_610_612_736],
  ['512m', 536_870_912],
  ['100k', 102_400],
  ['16777216', 16_777_216],
  ['64 B', 64],
] as const)('[CA35] %s is an amount of memory', ([text, bytes]) => {
  expect(byteCount(text)).toBe(bytes);
});

test.for(['much', '4 parsecs', '-1GB', '1e9', '', '9999999TB', 'GB', 'half', 1_024, '1MB', 0, 1.5])(
  '[CA35] a charter with the memory %j is refused',
  memory => {
    const read = charterSchema.safeParse({name: 'c', resourceLimits: {memory}});
    expect(read.error?.issues[0]?.path).toEqual(['resourceLimits', 'memory']);
  },
);
