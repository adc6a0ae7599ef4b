import {chmodSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {expect, test} from 'vitest';
import {nextSteps} from '../../../runner/src/commands/up-summary.ts';
import {resolveSettings} from '../../../runner/src/commands/settings.ts';
import {terminal, type Stream} from '../../../runner/src/commands/terminal.ts';

const silent: Stream = {write: () => true};

test('[CL19] the commands to try next are those that work when they are typed', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'switchyard-path-'));
  try {
    const steps = async (env: Readonly<Record<string, string>>, state?: string): Promise<string> =>
      nextSteps(
        {terminal: terminal({out: silent, err: silent}, {}), env},
        await resolveSettings({state}, {}, directory),
      ).join('\n');
    expect(await steps({PATH: directory})).toContain('  npx switchyard task list  ');
    writeFileSync(join(directory, 'switchyard'), '#!/bin/sh\n');
    chmodSync(join(directory, 'switchyard'), 0o755);
    expect(await steps({PATH: directory})).toContain('  switchyard task list  ');
    // What npm puts on PATH for its scripts is not there for a person.
    expect(await steps({PATH: join(directory, 'node_modules/.bin')})).toContain('  npx switchyard doctor  ');
    expect(await steps({PATH: directory}, '/elsewhere')).toContain('switchyard doctor --state /elsewhere');
    expect(await steps({PATH: directory}, '/else where')).toContain("switchyard doctor --state '/else where'");
  } finally {
    rmSync(directory, {recursive: true, force: true});
  }
});
