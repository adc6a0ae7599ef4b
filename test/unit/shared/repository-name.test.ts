import fc from 'fast-check';
import {expect, test} from 'vitest';
import {repositoryName} from '@switchyard/shared/domain/repository-name.ts';

test.for([
  'https://git.example/Acme/app',
  'https://git.example/acme/app.git',
  'https://GIT.example:443/acme/app.git/',
  'https://git.example./acme//app',
  'https://git.example/acme/%61pp',
  'ssh://git@git.example:22/acme/app.git',
  'ssh://git.example/acme/app',
  'git@git.example:acme/app.git',
  'git.example:/acme/app',
  'git.example/acme/app',
])('[BG49] %s has the name of its repository', address => {
  expect(repositoryName(address)).toBe('git.example/acme/app');
});

test.for(['https://git.example/acme/app-2', 'https://git.example/acme', 'git@other.example:acme/app'])(
  '[BG49] %s is another one',
  address => {
    expect(repositoryName(address)).not.toBe('git.example/acme/app');
  },
);

test('[BG49] a folder of a machine is known by its whole path', () => {
  expect(repositoryName('file:///srv/App/')).toBe('file:///srv/App');
  expect(repositoryName('https://git.example/%E0%A4%A')).toBe('git.example/%e0%a4%a');
});

test('[BG49] no text breaks it, and a name is its own name', () => {
  const address = fc.oneof(
    fc.string({unit: 'binary'}),
    fc.webUrl(),
    fc.tuple(fc.domain(), fc.string()).map(parts => parts.join(':')),
  );
  fc.assert(
    fc.property(address, text => {
      const name = repositoryName(text);
      expect(repositoryName(name)).toBe(name);
    }),
  );
});
