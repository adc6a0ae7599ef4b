import {existsSync, mkdirSync, renameSync, rmSync, symlinkSync} from 'node:fs';
import {homedir} from 'node:os';
import {join} from 'node:path';
import {execa} from 'execa';

/** The agent CLIs that the drivers were measured with. Never dependencies: their owners' packages, from the registry. */
const packages = {
  '@anthropic-ai/claude-code': '2.1.329',
  '@openai/codex': '0.169.0',
  '@google/gemini-cli': '0.61.0',
  'opencode-ai': '1.18.33',
  '@agentclientprotocol/codex-acp': '2.6.0',
} as const;

const programs = ['claude', 'codex', 'gemini', 'opencode', 'codex-acp'];
const INSTALL_MS_MAX = 600_000;

/**
 * A folder with the programs of the real agents, installed once for all runs into the cache of whoever runs the tests.
 * It holds links, so that its name says nothing of npm: the runner leaves folders of npm scripts out of an agent's PATH.
 */
export async function agentClis(): Promise<string> {
  const wanted = Object.entries(packages).map(([name, version]) => `${name}@${version}`);
  const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'switchyard-test-agents');
  const place = join(cache, wanted.join('+').replaceAll(/[^a-z0-9.+-]+/g, '-'));
  const bin = join(place, 'programs');
  if (existsSync(bin)) return bin;
  const temporary = `${place}.${process.pid}`;
  mkdirSync(temporary, {recursive: true});
  try {
    await execa('npm', ['install', '--prefix', temporary, '--no-audit', '--no-fund', '--no-save', ...wanted], {
      timeout: INSTALL_MS_MAX,
      env: {npm_config_loglevel: 'error'},
    });
    mkdirSync(join(temporary, 'programs'));
    for (const program of programs)
      symlinkSync(join('..', 'node_modules', '.bin', program), join(temporary, 'programs', program));
    publish(temporary, place);
  } finally {
    rmSync(temporary, {recursive: true, force: true});
  }
  return bin;
}

/** Two runs at once both install; the first to finish counts. */
function publish(temporary: string, place: string): void {
  try {
    renameSync(temporary, place);
  } catch (error) {
    if (!existsSync(place)) throw error;
  }
}
