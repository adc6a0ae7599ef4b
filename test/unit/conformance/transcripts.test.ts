import {readFileSync} from 'node:fs';
import {describe, expect, test} from 'vitest';
import {Conversation, type Line} from '../../fixtures/conversation.ts';
import {normalise} from '../../conformance/normalise.ts';
import {recordings} from '../../conformance/recordings.ts';
import {differenceOf} from '../../conformance/replay.ts';
import {scenarioTable} from '../../conformance/scenario-table.ts';
import {allScenarios} from '../../conformance/scenarios.ts';
import {readTranscript, textOf, transcriptNames, transcriptUrl} from '../../conformance/transcript.ts';

const task = 'tsk_01jd0000000000000000000001';
const attempt = {task, epoch: 1};
const onLog = `log ${task}/e1` as const;

type Said = readonly [
  from: Line['from'],
  on: Line['on'],
  what: Readonly<Record<string, unknown>> | readonly [number, string],
];

function told(...said: readonly Said[]): readonly Line[] {
  return toldOver('websocket', said);
}

function toldOver(over: Line['over'], said: readonly Said[]): readonly Line[] {
  const conversation = new Conversation();
  for (const [from, on, what] of said) {
    const of = {from, on, over};
    if (Array.isArray(what)) {
      const [offset, text] = what as readonly [number, string];
      conversation.add(of, {kind: 'frame', frame: {offset, bytes: Buffer.from(text), isGzip: false}});
    } else conversation.add(of, {kind: 'message', message: what as Readonly<Record<string, unknown>>});
  }
  return conversation.lines;
}

const linesOf = (...said: readonly Said[]): readonly unknown[] =>
  normalise(told(...said)).lines.map(({message, frame}) => message ?? frame);

describe('a transcript', () => {
  test('[CF5] gives one value one name, wherever it stands', () => {
    const said = linesOf(
      ['runner', 'control', {t: 'accept', ...attempt, ts: 4_711}],
      ['server', 'control', {t: 'go', ...attempt, echo: 4_711, log_ticket: 'abc'}],
      ['runner', 'control', {t: 'accept', ...attempt, epoch: 2, ts: 4_712}],
    );
    expect(said).toEqual([
      {t: 'accept', task: '$task1', epoch: 1, ts: '$ts1'},
      {t: 'go', task: '$task1', epoch: 1, echo: '$ts1', log_ticket: '$ticket1'},
      {t: 'accept', task: '$task1', epoch: 2, ts: '$ts2'},
    ]);
  });

  test('[CF5] does not depend on how a log was cut into frames, or when it was acknowledged', () => {
    const whole = linesOf(
      ['runner', onLog, [0, 'mark 1\nmark 2\n']],
      ['server', onLog, {t: 'ack', len: 14}],
      ['runner', onLog, {t: 'end', len: 14, sha256: 'x'}],
    );
    const pieces = linesOf(
      ['runner', onLog, [0, 'mark 1\nma']],
      ['server', onLog, {t: 'ack', len: 9}],
      ['runner', onLog, [9, 'rk 2\n']],
      ['runner', onLog, {t: 'end', len: 14, sha256: 'x'}],
      ['server', onLog, {t: 'ack', len: 14}],
    );
    expect(pieces).toEqual(whole);
    expect(whole[0]).toEqual({offset: 0, agent: Buffer.from('mark 1\nmark 2\n').toString('base64')});
  });

  test('[CF5] tells the log before the exit that needs it, whichever came first', () => {
    const exit = {t: 'exit', ...attempt, record: `a.${Buffer.from('{"log_len":1}').toString('base64url')}.c`};
    const {lines} = normalise(
      told(
        ['runner', 'control', {t: 'phase', ...attempt, phase: 'exited', seq: 1, detail: ''}],
        ['server', onLog, {t: 'sealed', len: 1, receipt: 'r'}],
        ['runner', 'control', exit],
        ['runner', 'control', exit],
      ),
    );
    expect(lines.map(({n, after, may, message}) => [n, after, may, message?.['t']])).toEqual([
      [1, undefined, true, 'phase'],
      [2, undefined, undefined, 'sealed'],
      [3, [2], undefined, 'exit'],
    ]);
  });

  test('[CF5] does not depend on how often requests said it, or which of them came first', () => {
    const hello = {t: 'hello', session: 'one', ts: 5};
    const accept = {t: 'accept', ...attempt, ts: 7};
    const go = {t: 'go', ...attempt, echo: 7, log_ticket: 'abc'};
    const phase = (name: string, seq: number): Said => [
      'runner',
      'control',
      {t: 'phase', ...attempt, phase: name, seq},
    ];
    const acknowledged: Said = ['server', 'control', {t: 'exit_ack', ...attempt}];
    const linesOver = (over: Line['over'], ...said: readonly Said[]): readonly unknown[] =>
      normalise(toldOver(over, said)).lines.map(({message}) => message);
    const once = linesOver(
      'request',
      ['runner', 'control', hello],
      ['runner', 'control', accept],
      ['server', 'control', go],
      phase('preparing', 1),
      phase('running', 2),
      acknowledged,
    );
    const again = linesOver(
      'request',
      ['runner', 'control', hello],
      ['runner', 'control', {...hello, ts: 6}],
      ['runner', 'control', accept],
      ['runner', 'control', {...accept, ts: 8}],
      ['server', 'control', {...go, echo: 8}],
      phase('running', 2),
      ['server', 'control', go],
      acknowledged,
      phase('preparing', 1),
      acknowledged,
    );
    expect(again).toEqual(once);
    expect(once).toHaveLength(6);
    // A socket says nothing again but what waits for an answer.
    expect(linesOver('websocket', acknowledged, acknowledged)).toHaveLength(2);
  });

  test('[CF6] that differs is told by the first line that does; a missing phase is no difference', () => {
    const phase: Said = ['runner', 'control', {t: 'phase', ...attempt, phase: 'running', seq: 1, detail: ''}];
    const accept: Said = ['runner', 'control', {t: 'accept', ...attempt, ts: 1}];
    const reject: Said = ['runner', 'control', {t: 'reject', ...attempt, code: 'x', detail: '', retryable: true}];
    const of = (...said: readonly Said[]) => normalise(told(...said)).lines;
    expect(differenceOf(of(accept, phase), of(accept))).toBe(undefined);
    expect(differenceOf(of(accept), of(accept, reject))).toBe(undefined);
    expect(differenceOf(of(accept, reject), of(accept))).toMatch(/expected .*reject.* nothing came/);
    expect(differenceOf(of(accept), of(reject, accept))).toMatch(/expected .*accept.* got .*reject/);
  });

  test('[CF8] is what its recording is called, reads as it was written and is numbered in order', () => {
    expect(transcriptNames()).toEqual(recordings.map(({transcript}) => transcript).toSorted());
    for (const name of transcriptNames()) {
      const transcript = readTranscript(name);
      expect(textOf(transcript)).toBe(readFileSync(transcriptUrl(name), 'utf8'));
      expect(transcript.header.transcript).toBe(name);
      expect(transcript.lines.map(({n}) => n)).toEqual(transcript.lines.map((_, index) => index + 1));
      for (const {n, after = []} of transcript.lines) expect(after.every(earlier => earlier < n)).toBe(true);
    }
  });
});

describe('the document', () => {
  test('[CF7] lists every scenario once, with its rule (else: node test/conformance/check.ts --list)', () => {
    const document = readFileSync(new URL('../../../docs/conformance.md', import.meta.url), 'utf8');
    const [, listed = ''] = document.split('<!-- scenarios -->\n');
    expect(listed.trim()).toBe(scenarioTable());
    const ids = allScenarios.map(({id}) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });
});
