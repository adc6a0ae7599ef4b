import {readFileSync} from 'node:fs';
import {describe, expect, test} from 'vitest';
import {tinyRunner} from '../conformance/commands.ts';
import {judgeScenario} from '../conformance/judgement.ts';
import {record} from '../conformance/record.ts';
import {recordings} from '../conformance/recordings.ts';
import type {Scenario} from '../conformance/scenario.ts';
import {allScenarios} from '../conformance/scenarios.ts';
import {textOf, transcriptUrl} from '../conformance/transcript.ts';
import {wrongFaults, type Wrong} from '../conformance/wrong-runners/wrong.ts';

/** The scenarios around the first one that must fail, which the same runner must pass. */
function besides(fails: readonly string[]): readonly Scenario[] {
  const at = allScenarios.findIndex(({id}) => id === fails[0]);
  const others = (list: readonly Scenario[]): Scenario | undefined => list.find(({id}) => !fails.includes(id));
  return [others(allScenarios.slice(0, at).toReversed()), others(allScenarios.slice(at + 1))].filter(
    scenario => scenario !== undefined,
  );
}

const judged = async (scenario: Scenario, wrong: Wrong, patience?: number) => {
  const {id, fault} = await judgeScenario(scenario, tinyRunner(wrong), patience);
  return {id, hasFailed: fault !== undefined, fault};
};

describe.concurrent('a runner of another hand', () => {
  test.for(wrongFaults())('[CF2] that does $wrong fails $fails and passes what is beside', async ({wrong, fails}) => {
    const failing = allScenarios.filter(({id}) => fails.includes(id));
    expect(failing).toHaveLength(fails.length);
    for (const scenario of failing) expect(await judged(scenario, wrong, 1)).toMatchObject({hasFailed: true});
    // One that proves no key opens no session for anything else either.
    if (fails.includes('hello-proves-the-key')) return;
    for (const scenario of besides(fails)) expect(await judged(scenario, wrong)).toMatchObject({hasFailed: false});
  });

  test.for(allScenarios)('[CF3] a tiny one passes $id', async scenario => {
    expect(await judged(scenario, 'nothing')).toMatchObject({fault: undefined});
  });
});

test.for(recordings)('[CF4] the conversation $transcript, recorded again, is the same file', async recording => {
  expect(textOf(await record(recording))).toBe(readFileSync(transcriptUrl(recording.transcript), 'utf8'));
});
