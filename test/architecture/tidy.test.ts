import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {describe, expect, onTestFinished, test} from 'vitest';
import {ambientFaults, disableFaults, lengthFaults, linesMax, nameFaults, wordFaults} from './house-rules.ts';
import {barrelFaults, layerFaults} from './layers.ts';
import {codeOf, sources, type Source} from './source-tree.ts';

const product = sources(['shared/src/**/*.ts', 'worker/src/**/*.ts', 'runner/src/**/*.ts']);
const tools = sources(['tools/**/*.{ts,mjs}']);
const tests = sources(['test/**/*.ts']);

/** A file that does not exist: each check is seen to bite before it is believed. */
const at = (path: string, ...lines: string[]): Source => ({path, text: lines.join('\n')});

describe('the walk', () => {
  test('[AR1] a walk that finds no file is an error', () => {
    const empty = mkdtempSync(join(tmpdir(), 'walk-'));
    onTestFinished(() => rmSync(empty, {recursive: true}));
    expect(() => sources(['shared/src/**/*.ts'], empty)).toThrow('shared/src/**/*.ts');
  });

  test('[AR1] what runs is scanned without comments and types', () => {
    const code = codeOf(at('a.ts', '// Date.now() here', "const at: ReturnType<typeof Date.now> = 1; f('//', at);"));
    expect(code).not.toContain('Date.now');
    expect(code).toContain('f("//", at)');
  });
});

describe('layers', () => {
  test('[AR2] a module sees only the layers below it', () => {
    expect([...product, ...tools].flatMap(layerFaults)).toEqual([]);
  });

  test.for([
    at('shared/src/machine/task.ts', "import {limits} from '../policy/limits.ts';"),
    at('shared/src/policy/limits.ts', "import * as z from 'zod';"),
    at('shared/src/domain/id.ts', "import {randomUUID} from 'node:crypto';"),
    at('shared/src/protocol/up.ts', "import type {Fleet} from '../../../worker/src/fleet/fleet.ts';"),
    at('worker/src/app.ts', "import {readFile} from 'node:fs/promises';"),
    at('worker/src/app.ts', 'import {', '  run,', "} from '@switchyard/runner/runner.ts';"),
    at('worker/src/app.ts', "const late = await import('../../runner/src/runner.ts');"),
    at('runner/src/runner.ts', "import {app} from '../../worker/src/app.ts';"),
    at('runner/src/runner.ts', "import 'lodash';"),
    at('elsewhere/a.ts'),
  ])('[AR2] in $path is refused: $text', source => expect(layerFaults(source)).toHaveLength(1));

  test('[AR2] what a layer may see passes', () => {
    const allowed = [
      at('shared/src/policy/limits.ts', "import type {TaskState} from '../machine/task-machine.ts';"),
      at('worker/src/app.ts', "import {Hono} from 'hono';", "import {up} from '@switchyard/shared/protocol/up.ts';"),
      at('runner/src/link/link.ts', "import WebSocket from 'ws';", "import {join} from 'node:path';"),
    ];
    expect(allowed.flatMap(layerFaults)).toEqual([]);
  });

  test('[AR3] a module is imported by the file that holds it', () => {
    expect([...product, ...tools, ...tests].flatMap(barrelFaults)).toEqual([]);
    const refused = [
      at('shared/src/a.ts', "export {b} from './b.ts';"),
      at('shared/src/a.ts', "export * from './b.ts';"),
      at('worker/src/a.ts', "import {b} from './fleet/index.ts';"),
      at('worker/src/a.ts', "import {b} from './fleet';"),
    ];
    expect(refused.map(source => barrelFaults(source).length > 0)).toEqual([true, true, true, true]);
  });
});

describe('house rules', () => {
  test('[AR4] clock, chance and environment are read in composition roots alone', () => {
    expect(product.flatMap(ambientFaults)).toEqual([]);
  });

  test.for(['Date.now()', 'new Date()', 'Math.random()', 'process.env["HOME"]', '(() => {const {env} = process;})()'])(
    '[AR4] %s is refused outside a composition root and taken inside one',
    expression => {
      expect(ambientFaults(at('worker/src/fleet/claim.ts', `export const a = ${expression};`))).toHaveLength(1);
      expect(ambientFaults(at('worker/src/worker.ts', `export const a = ${expression};`))).toEqual([]);
    },
  );

  test('[AR4] a word in a comment and a date of a given time are no reading', () => {
    const source = at('runner/src/a.ts', '/** Never Date.now() */', 'export const a = (ms: number) => new Date(ms);');
    expect(ambientFaults(source)).toEqual([]);
  });

  test('[AR5] a file is named in kebab-case after what it holds', () => {
    expect([...product, ...tools, ...tests].flatMap(nameFaults)).toEqual([]);
    const refused = ['shared/src/utils.ts', 'worker/src/index.ts', 'runner/src/utils/wait.ts', 'runner/src/taskId.ts'];
    expect(refused.flatMap(path => nameFaults(at(path)))).toHaveLength(refused.length);
  });

  test('[AR6] no file of the product or its tools is longer than 350 lines', () => {
    expect([...product, ...tools].flatMap(lengthFaults)).toEqual([]);
    expect(lengthFaults(at('a.ts', ...Array.from({length: linesMax}, () => ';')))).toEqual([]);
    expect(lengthFaults(at('a.ts', ...Array.from({length: linesMax + 1}, () => ';')))).toHaveLength(1);
  });

  test('[AR7] unfinished work names its owner, and only commands and tools talk to the console', () => {
    const self = 'test/architecture/tidy.test.ts';
    const rules = 'test/architecture/house-rules.ts';
    const others = [...product, ...tools, ...tests].filter(({path}) => path !== self && path !== rules);
    expect(others.flatMap(wordFaults)).toEqual([]);
    expect(wordFaults(at('worker/src/a.ts', '// TODO later', "console.log('a');"))).toHaveLength(2);
    expect(wordFaults(at('runner/src/commands/a.ts', '// TODO(ada): name it', "console.log('a');"))).toEqual([]);
  });

  test('[AR8] a check is switched off by name and with a reason', () => {
    const self = 'test/architecture/tidy.test.ts';
    const others = [...product, ...tools, ...tests].filter(({path}) => path !== self && !path.endsWith('lint.test.ts'));
    expect(others.flatMap(disableFaults)).toEqual([]);
    const refused = [
      at('a.ts', '/* oxlint-disable */'),
      at('a.ts', 'run(); // oxlint-disable-line'),
      at('a.ts', '// eslint-disable-next-line no-console'),
      at('a.ts', '// oxlint-disable-next-line -- no rule is named here'),
    ];
    expect(refused.flatMap(disableFaults)).toHaveLength(refused.length);
    const reason = '// oxlint-disable-next-line no-console -- the one line a person sees';
    expect(disableFaults(at('a.ts', reason))).toEqual([]);
  });
});
