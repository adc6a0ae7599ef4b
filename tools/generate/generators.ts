import {readFileSync} from 'node:fs';
import {contracts} from '@switchyard/shared/api/contracts.ts';
import {errorTable} from './error-table.ts';
import {limitPage} from './limit-table.ts';
import {toOpenApi} from './openapi.ts';
import {protocolDocument} from './protocol-schema.ts';
import {referencePage} from './reference-page.ts';
import {rolePage} from './role-page.ts';
import {stateMachines} from './state-machines.ts';

export type Generator = {
  /** Relative to the root of the repository. */
  readonly path: string;
  /** The whole file. The same sources give the same bytes. */
  readonly build: () => string | Promise<string>;
};

const root = new URL('../../', import.meta.url);
const page = (text: string): string => `${text}\n`;
const json = (document: object): string => `${JSON.stringify(document, null, 2)}\n`;

function apiVersion(): string {
  const manifest: {version?: unknown} = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'));
  return String(manifest.version);
}

const api = () =>
  toOpenApi(
    {title: 'Switchyard', version: apiVersion(), description: 'Queue work for coding agents and follow it to its end.'},
    contracts,
  );

/** Every document that has a source in code. */
export const generators: readonly Generator[] = [
  {path: 'docs/errors.md', build: () => page(errorTable())},
  {path: 'docs/limits.md', build: () => page(limitPage())},
  {path: 'docs/roles.md', build: () => page(rolePage())},
  {path: 'docs/state-machines.md', build: () => page(stateMachines())},
  {path: 'docs/protocol.json', build: () => json(protocolDocument())},
  {path: 'docs/openapi.json', build: () => json(api())},
  // What the Worker serves: the same for programs and for people.
  {path: 'dashboard/public/openapi.json', build: () => json(api())},
  {path: 'dashboard/public/reference.html', build: () => referencePage(api())},
];

export function urlOf({path}: Generator): URL {
  return new URL(path, root);
}

/** What the file holds, undefined when there is none. */
export function written(generator: Generator): string | undefined {
  try {
    return readFileSync(urlOf(generator), 'utf8');
  } catch {
    return undefined;
  }
}
