import {mkdirSync, writeFileSync} from 'node:fs';
import {generators, urlOf, written} from './generate/generators.ts';

/** `npm run generate` writes the generated documents; with `--check` it only says which are stale, and then exits 1. */
const isCheck = process.argv.includes('--check');
const stale: string[] = [];

for (const generator of generators) {
  const text = await generator.build();
  if (written(generator) === text) continue;
  stale.push(generator.path);
  if (isCheck) continue;
  mkdirSync(new URL('.', urlOf(generator)), {recursive: true});
  writeFileSync(urlOf(generator), text);
}

if (stale.length === 0) console.log(`${generators.length} generated documents are current`);
else if (!isCheck) console.log(`wrote ${stale.join(', ')}`);
else {
  console.error(`stale: ${stale.join(', ')}; run npm run generate`);
  process.exitCode = 1;
}
