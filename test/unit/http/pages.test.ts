import {readFileSync, readdirSync} from 'node:fs';
import {describe, expect, test} from 'vitest';
import {productVersion} from '../../../worker/src/version.ts';

const read = (path: string): string => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');
const pages = readdirSync(new URL('../../../dashboard/public', import.meta.url)).filter(name =>
  /\.(html|js|css|svg)$/.test(name),
);

describe('what the Worker serves', () => {
  test('[HT24] the version that health tells is that of the package', () => {
    const manifest: {version?: unknown} = JSON.parse(read('package.json'));
    expect(productVersion).toBe(manifest.version);
  });

  test.for(pages.map(name => ({name})))(
    '[HT25] $name loads nothing from elsewhere and has no inline script',
    ({name}) => {
      const text = read(`dashboard/public/${name}`).replaceAll('http://www.w3.org/2000/svg', '');
      expect(text).not.toMatch(/https?:\/\/|\bon[a-z]+=|style="|innerHTML/);
      expect(text).not.toMatch(/<script(?![^>]*\bsrc="\/)/);
    },
  );
});
