import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {expect, test} from 'vitest';
import {root} from './source-tree.ts';

/** Addresses in a lockfile: a tarball's place, or a registry that only its author can reach. */
const addresses = (lockfile: string): readonly string[] =>
  lockfile.match(/^.*(?:\btarball:|\bregistry:|https?:\/\/|git\+ssh:).*$/gm) ?? [];

test('[AR15] the lockfile names packages and hashes, never a place to fetch them from', () => {
  const lockfile = readFileSync(join(root, 'pnpm-lock.yaml'), 'utf8');
  expect(lockfile).toContain('integrity: sha512-');
  expect(addresses(lockfile).filter(line => !/^\s*deprecated: /.test(line))).toEqual([]);
  expect(addresses('    resolution: {tarball: https://example.test/a.tgz}')).toHaveLength(1);
});

test('[AR15] every dependency is pinned to one version', () => {
  const manifests = ['', 'shared/', 'worker/', 'runner/'].map(folder => join(root, folder, 'package.json'));
  const loose = manifests.flatMap(path => {
    const manifest: Record<string, Record<string, string> | undefined> = JSON.parse(readFileSync(path, 'utf8'));
    return Object.entries({...manifest['dependencies'], ...manifest['devDependencies']}).filter(
      ([, version]) => !/^(?:\d+\.\d+\.\d+[\w.-]*|catalog:|workspace:\*)$/.test(version),
    );
  });
  expect(loose).toEqual([]);
});
