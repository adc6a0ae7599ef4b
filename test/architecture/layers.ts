import {posix} from 'node:path';
import {importsOf, type Source} from './source-tree.ts';

type Layer = {
  readonly at: string;
  /** Packages and platform modules. */
  readonly packages: readonly RegExp[];
  /** Folders of this repository; a workspace import counts as the folder it leads to. */
  readonly folders: readonly string[];
};

const zod = /^zod$/;
const generated = ['migrations/', 'docs/'];

/** Who may see whom, the narrowest folder first. */
const layers: readonly Layer[] = [
  {at: 'shared/src/machine/', packages: [], folders: ['shared/src/machine/']},
  {at: 'shared/src/policy/', packages: [], folders: ['shared/src/policy/', 'shared/src/machine/']},
  {at: 'shared/src/', packages: [zod], folders: ['shared/src/']},
  {
    at: 'worker/src/',
    packages: [
      zod,
      /^hono(?:\/|$)/,
      /^drizzle-orm(?:\/|$)/,
      /^@octokit\//,
      /^cloudflare:/,
      /^node:(?:crypto|buffer|zlib)$/,
    ],
    folders: ['worker/src/', 'shared/src/', ...generated],
  },
  {
    at: 'runner/src/',
    packages: [zod, /^node:/, /^ws$/, /^execa$/, /^commander$/, /^miniflare$/, /^esbuild$/, /^yaml$/],
    folders: ['runner/src/', 'shared/src/'],
  },
  {at: 'dashboard/', packages: [zod], folders: ['dashboard/', 'shared/src/']},
  {
    at: 'tools/',
    packages: [zod, /^node:/, /^execa$/, /^esbuild$/, /^oxlint\/plugins-dev$/],
    folders: ['tools/', 'shared/src/'],
  },
];

/** Where an import leads inside this repository, or undefined for a package. */
export function targetOf(path: string, from: string): string | undefined {
  if (from.startsWith('.')) return posix.join(posix.dirname(path), from);
  const workspace = /^@switchyard\/(?<name>shared|worker|runner)\/(?<rest>.+)$/.exec(from)?.groups;
  return workspace === undefined ? undefined : `${workspace['name']}/src/${workspace['rest']}`;
}

/** The imports of a file that its layer may not see, each as a sentence. */
export function layerFaults({path, text}: Source): readonly string[] {
  const layer = layers.find(({at}) => path.startsWith(at));
  if (layer === undefined) return [`${path} lies in no layer`];
  return importsOf(text)
    .filter(from => {
      const target = targetOf(path, from);
      if (target === undefined) return !layer.packages.some(pattern => pattern.test(from));
      return !layer.folders.some(folder => target.startsWith(folder));
    })
    .map(from => `${path} may not import ${from}`);
}

/** A module is imported by its own file name; nothing passes on what another file exports. */
export function barrelFaults({path, text}: Source): readonly string[] {
  const unnamed = importsOf(text)
    .filter(from => targetOf(path, from) !== undefined)
    .filter(from => !/\.(?:ts|mjs|sql|json)$/.test(from) || /(?:^|\/)(?:index|mod)\.ts$/.test(from));
  // The platform finds the objects among the exports of the Worker; a benchmark names the entry of what it measures.
  const mayPassOn = path === 'worker/src/worker.ts' || path.startsWith('test/bench/');
  const passedOn = mayPassOn ? [] : [...text.matchAll(/^export\b[^'";=]*?\bfrom\s+'(?<from>[^']+)'/gm)];
  return [
    ...unnamed.map(from => `${path} imports ${from}, which is not a file that holds something`),
    ...passedOn.map(({groups}) => `${path} passes on ${groups?.['from']}`),
  ];
}
