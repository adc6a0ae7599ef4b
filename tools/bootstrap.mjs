// Runs on any Node from 20 on: installs the pinned dependencies when they are missing or stale, then hands over to
// the pinned Node inside node_modules. Plain JavaScript, because Node 20 does not strip types.
import {spawn, spawnSync} from 'node:child_process';
import {createHash} from 'node:crypto';
import {existsSync, mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {dirname, join, resolve} from 'node:path';
import {fileURLToPath} from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const PNPM = 'pnpm@12.21.0';
const modules = join(root, 'node_modules');
const stampPath = join(modules, '.switchyard-install');
const bin = name => join(modules, '.bin', name);

/** The install is current exactly while the lockfile is the one it was made from. */
function lockfileHash() {
  return createHash('sha256')
    .update(readFileSync(join(root, 'pnpm-lock.yaml')))
    .digest('hex');
}

function installIsCurrent(hash) {
  return existsSync(bin('node')) && existsSync(stampPath) && readFileSync(stampPath, 'utf8') === hash;
}

function install() {
  const hash = lockfileHash();
  if (installIsCurrent(hash)) return;
  process.stderr.write('Installing dependencies (once, about 20 seconds)...\n');
  const args = ['-y', PNPM, 'install', '--frozen-lockfile', '--reporter=append-only'];
  const result = spawnSync('npx', args, {cwd: root, stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8'});
  if (result.status !== 0) {
    process.stderr.write(`${result.stdout ?? ''}${result.stderr ?? ''}\n`);
    process.stderr.write(
      `The install failed. Check that the npm registry is reachable (npm ping), then run the command again.\n`,
    );
    process.exit(result.status ?? 1);
  }
  mkdirSync(modules, {recursive: true});
  writeFileSync(stampPath, hash);
}

/** `switchyard …` and `name.ts …` run under the pinned Node; anything else is a tool from node_modules/.bin. */
function commandLine([program, ...rest]) {
  if (program === 'switchyard') return [bin('node'), [join(root, 'runner/bin/switchyard.mjs'), ...rest]];
  if (program.endsWith('.ts')) return [bin('node'), [join(root, program), ...rest]];
  return [bin(program), rest];
}

function run(argv) {
  const [file, args] = commandLine(argv);
  const env = {
    ...process.env,
    PATH: `${join(modules, '.bin')}:${process.env.PATH ?? ''}`,
    npm_config_update_notifier: 'false',
  };
  const child = spawn(file, args, {
    cwd: argv[0] === 'switchyard' ? (process.env.INIT_CWD ?? root) : root,
    stdio: 'inherit',
    env,
  });
  // A terminal sends Ctrl-C to the whole group: the child decides when it is done, this process only waits for it.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
    process.on(signal, () => signal !== 'SIGINT' && child.kill(signal));
  child.on('error', error => {
    process.stderr.write(`${String(file)} could not be started: ${error.message}\n`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 143)));
}

const argv = process.argv.slice(2);
install();
run(argv.length === 0 ? ['switchyard', '--help'] : argv);
