import {spawn, spawnSync} from 'node:child_process';
import {once} from 'node:events';

const filesPerFolder = 40;
const commits = 20;
const author = 'Bench <bench@example.test> 1700000000 +0000';

/** A generator of numbers that is the same on every machine (Numerical Recipes, linear congruential). */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Text of 0.4 to 16 KB, 3.8 KB on average, as sources are: many small files and a few large ones. */
function sourceText(next: () => number): string {
  const lines = Math.round(8 + 312 * next() ** 3.3);
  return Array.from({length: lines}, () => `  const value${Math.floor(next() * 1e6)} = compute(${next()});`).join('\n');
}

/** A bare repository with so many files on `main` and a short history; the same commit ids every time. */
export async function makeRepository(path: string, files: number): Promise<void> {
  spawnSync('git', ['init', '--bare', '--quiet', '--initial-branch=main', path]);
  const child = spawn('git', ['fast-import', '--quiet'], {cwd: path, stdio: ['pipe', 'ignore', 'inherit']});
  const exited = once(child, 'exit');
  const write = async (text: string): Promise<void> => {
    if (!child.stdin.write(text)) await once(child.stdin, 'drain');
  };
  const next = numbers(files);
  const file = (index: number): string => {
    const text = sourceText(next);
    const folder = Math.floor(index / filesPerFolder);
    const name = `src/area-${folder % 17}/part-${folder}/file-${index}.ts`;
    return `M 100644 inline ${name}\ndata ${Buffer.byteLength(text)}\n${text}\n`;
  };
  for (let commit = 0; commit < commits; commit += 1) {
    const message = `commit ${commit}`;
    await write(
      `commit refs/heads/main\nmark :${commit + 1}\ncommitter ${author}\ndata ${message.length}\n${message}\n`,
    );
    if (commit > 0) await write(`from :${commit}\n`);
    const indexes =
      commit === 0
        ? Array.from({length: files}, (_, index) => index)
        : Array.from({length: Math.ceil(files / 200)}, () => Math.floor(next() * files));
    for (const index of indexes) await write(file(index));
    await write('\n');
  }
  child.stdin.end('done\n');
  const [code] = (await exited) as [number | null];
  if (code !== 0) throw new Error(`git fast-import ended with ${code ?? 'a signal'}`);
}
