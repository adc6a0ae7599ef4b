import {mkdtempSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {expect, onTestFinished, test} from 'vitest';
import {machineCharter} from '../../../runner/src/agent/ruling.ts';

const quiet = (): void => undefined;

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'charter-'));
  onTestFinished(() => rmSync(path, {recursive: true}));
  return path;
}

test('[PV21] a machine without a charter starts, one whose charter is broken or gone does not', async () => {
  const state = folder();
  expect(await machineCharter(state, quiet)).toBe(null);
  writeFileSync(join(state, 'charter.yaml'), 'name: t\nsafetyHeuristics: {alwaysReject: [rm -rf]}\n');
  expect((await machineCharter(state, quiet))?.reject).toHaveLength(1);
  writeFileSync(join(state, 'charter.yaml'), 'name: t\nsafteyHeuristics: {}\n');
  await expect(machineCharter(state, quiet)).rejects.toThrow('safteyHeuristics');
  const dangling = folder();
  symlinkSync(join(dangling, 'nowhere'), join(dangling, 'charter.yaml'));
  await expect(machineCharter(dangling, quiet)).rejects.toThrow('charter_invalid');
});
