import {expect, test} from 'vitest';
import {createRunDirectory, runFiles, writeRunFile} from '../../../runner/src/executor/run-directory.ts';
import {readAll} from '../../contract/executor-contract.ts';
import {agent, cgroupBase, hostPlace} from './host-harness.ts';

test('[EX29] an input that has ended before the agent opens it is read to its end', async () => {
  await using place = await hostPlace({cgroupBase});
  const launches = Array.from({length: 20}, async () => {
    const {plan, runDir} = place.attempt(agent('echoes-input'), {input: 'stream'});
    await createRunDirectory(runDir);
    await writeRunFile(runDir, runFiles.inEof, '');
    await place.executor.launch(plan, runDir);
    return readAll(place.executor, runDir);
  });
  expect(new Set(await Promise.all(launches))).toEqual(new Set(['ready\nend of input\n']));
});
