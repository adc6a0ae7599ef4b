import {describe, expect, test} from 'vitest';
import {streamKinds, streamsOf, type StreamKind} from '../../chaos/byte-stream.ts';
import type {AgentPlan} from '../../chaos/load-plan.ts';
import {judgeKeys, judgeTask, type Promised, type TaskEnd, type TaskEvidence} from '../../chaos/verdict.ts';
import {parseWitness, type WitnessLine} from '../../chaos/witness.ts';

const planOf = (kind: StreamKind): AgentPlan => ({
  key: 'key',
  stream: {seed: 'seed', kind, bytes: 3_000},
  ms: 0,
  exitCode: 0,
  ignoresStop: false,
  forks: false,
  changes: false,
});

const line = (event: WitnessLine['event'], more: Partial<WitnessLine> = {}): WitnessLine => ({
  at: 1,
  key: 'key',
  epoch: 1,
  pid: '10/1',
  event,
  ...more,
});

const end: TaskEnd = {
  state: 'succeeded',
  epoch: 1,
  acceptedEpochs: [1],
  ends: ['task.succeeded'],
  history: [],
  failureCodes: [],
};

/** A task as it should be; a test breaks one thing. */
function sound(kind: StreamKind = 'text'): TaskEvidence {
  const plan = planOf(kind);
  const {out, err} = streamsOf(plan.stream);
  const written = {out: out.length, err: err.length};
  return {
    task: 'tsk_1',
    plan,
    end,
    sightings: ['queued', 'leased', 'succeeded'],
    testimony: {
      lines: [line('start'), line('beat', written), line('child'), line('end', {...written, code: 0})],
      unreadable: [],
    },
    logs: new Map([[1, {bytes: logOf(out, err), isSealed: true}]]),
    cancelAnswers: [],
  };
}

function logOf(out: Buffer, err: Buffer): Buffer {
  const lineEnd = out.at(-1) === 0x0a || out.length === 0 ? '' : '\n';
  const notes = ['[switchyard] starting the agent\n', `${lineEnd}[switchyard] the agent ended: exit code 0\n`] as const;
  return Buffer.concat([Buffer.from(notes[0]), out, err, Buffer.from(notes[1])]);
}

function broken(evidence: TaskEvidence): Promised[] {
  return [...new Set(judgeTask(evidence).map(({promise}) => promise))];
}

const saying = (evidence: TaskEvidence, ...lines: WitnessLine[]): TaskEvidence => ({
  ...evidence,
  testimony: {lines, unreadable: []},
});

test.for([...streamKinds])('[CH1] a task for which every promise was kept is found sound (%s)', kind => {
  expect(judgeTask(sound(kind))).toEqual([]);
});

describe('ends', () => {
  test('[CH2] a task that is unknown, or that has not ended, is reported', () => {
    expect(broken({...sound(), end: undefined, logs: new Map()})).toEqual(['lost']);
    expect(broken({...sound(), end: {...end, state: 'leased', ends: []}, sightings: ['leased']})).toEqual(['lost']);
  });

  test('[CH3] an end that changed, or of which the history tells twice, is reported', () => {
    expect(broken({...sound(), sightings: ['queued', 'failed', 'succeeded']})).toEqual(['changed']);
    expect(broken({...sound(), end: {...end, ends: ['task.succeeded', 'task.succeeded']}})).toEqual(['changed']);
    expect(broken({...sound(), end: {...end, ends: []}})).toEqual(['changed']);
  });

  test('[CH4] a success is reported when no agent came to its end with the code and all the bytes of its plan', () => {
    const {lines} = sound().testimony;
    expect(broken(saying(sound(), ...lines.slice(0, -1)))).toEqual(['proof']);
    expect(broken(saying(sound(), ...lines.slice(0, -1), line('end', {...lines[1], event: 'end', code: 3})))).toEqual([
      'proof',
    ]);
    expect(broken(saying(sound(), line('start'), line('end', {out: 1, err: 0, code: 0})))).toEqual(['proof']);
  });

  test('[CH5] a cancel that was answered and not kept is reported, and one that came too late is not', () => {
    expect(broken({...sound(), cancelAnswers: ['cancelling']})).toEqual(['cancel']);
    expect(broken({...sound(), cancelAnswers: ['succeeded']})).toEqual([]);
  });

  test('[CH6] a key that made two tasks is reported', () => {
    const acknowledgements = [
      {key: 'a', task: 'tsk_1'},
      {key: 'b', task: 'tsk_2'},
      {key: 'a', task: 'tsk_1'},
    ];
    expect(judgeKeys(acknowledgements)).toEqual([]);
    expect(judgeKeys([...acknowledgements, {key: 'a', task: 'tsk_3'}])).toMatchObject([
      {promise: 'created', task: 'tsk_3', detail: 'a made tsk_1 before'},
    ]);
  });
});

describe('agents', () => {
  const first = line('start', {epoch: 1, pid: '10/1'});
  const second = line('start', {epoch: 2, pid: '20/2'});
  const lost: TaskEvidence = {
    ...sound(),
    end: {...end, state: 'dead', epoch: 2, acceptedEpochs: [], ends: ['task.dead']},
    sightings: ['dead'],
    logs: new Map(),
  };

  test('[CH7] an agent that wrote after another of its task had begun is reported, and one that ended before is not', () => {
    expect(broken(saying(lost, first, line('beat'), second, line('beat', {epoch: 2, pid: '20/2'})))).toEqual([]);
    for (const event of ['beat', 'child', 'end'] as const)
      expect(broken(saying(lost, first, second, line(event)))).toEqual(['overlap']);
  });

  test('[CH8] an agent that another one saw alive at its start is reported', () => {
    expect(broken(saying(lost, first, second, line('saw', {epoch: 2, pid: '20/2', saw: '10/1'})))).toEqual(['overlap']);
  });

  test('[CH9] an attempt that started twice, and one that began after a later one, are reported', () => {
    expect(broken(saying(lost, first, line('start', {epoch: 1, pid: '11/1'})))).toEqual(['started']);
    expect(broken(saying(lost, second, first))).toEqual(['started']);
  });

  test('[CH10] a testimony that cannot be read is reported', () => {
    const testimony = parseWitness(`${JSON.stringify(first)}\n{"at":1,"key`);
    expect(testimony.lines).toEqual([first]);
    expect(broken({...lost, testimony})).toEqual(['witness']);
  });
});

describe('logs', () => {
  type Change = (log: Buffer) => Buffer;
  const without =
    (at: number): Change =>
    log =>
      Buffer.concat([log.subarray(0, at), log.subarray(at + 1)]);
  const changes: Readonly<Record<string, Change>> = {
    'a missing byte': without(200),
    'a byte that is another': log => Buffer.concat([log.subarray(0, 200), Buffer.of(0x7f), log.subarray(201)]),
    'a byte too many': log => Buffer.concat([log.subarray(0, 200), Buffer.of(0x7f), log.subarray(200)]),
    'a piece that came twice': log => Buffer.concat([log.subarray(0, 300), log.subarray(200)]),
    'a missing end': log => {
      const notes = log.lastIndexOf('[switchyard]');
      return Buffer.concat([log.subarray(0, notes - 100), Buffer.from('\n'), log.subarray(notes)]);
    },
    'the bytes of nobody behind it': log => Buffer.concat([log, Buffer.from('more\n')]),
  };
  const cases = streamKinds.flatMap(kind => Object.keys(changes).map(change => ({kind, change})));

  test.for(cases)('[CH11] $change in the log of an accepted exit is reported ($kind)', ({kind, change}) => {
    const evidence = sound(kind);
    const {bytes = Buffer.alloc(0)} = evidence.logs.get(1) ?? {};
    const forged = changes[change]?.(bytes) ?? bytes;
    expect(broken({...evidence, logs: new Map([[1, {bytes: forged, isSealed: true}]])})).toEqual(['log']);
  });

  test('[CH11] a log that was not sealed is reported where its exit was accepted', () => {
    const {bytes = Buffer.alloc(0)} = sound().logs.get(1) ?? {};
    expect(broken({...sound(), logs: new Map([[1, {bytes, isSealed: false}]])})).toEqual(['log']);
  });

  test.for([...streamKinds])(
    '[CH12] the log of an attempt that lost its lease may end anywhere, and holds nothing else (%s)',
    kind => {
      const {bytes = Buffer.alloc(0)} = sound(kind).logs.get(1) ?? {};
      const cut = (length: number, change: Change = log => log): TaskEvidence => ({
        ...sound(kind),
        end: {...end, state: 'dead', acceptedEpochs: [], ends: ['task.dead']},
        sightings: ['dead'],
        logs: new Map([[1, {bytes: change(bytes.subarray(0, length)), isSealed: false}]]),
      });
      const open = kind === 'both' ? bytes.indexOf('\n', 1_000) + 1 : 1_000;
      for (const length of [0, 5, 40, open, bytes.length - 10]) expect(broken(cut(length)), String(length)).toEqual([]);
      expect(broken(cut(open, without(200)))).toEqual(['log']);
    },
  );
});
