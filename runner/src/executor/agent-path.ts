import {delimiter, dirname, isAbsolute} from 'node:path';

const SYSTEM_FOLDERS = ['/usr/local/bin', '/usr/bin', '/bin', '/usr/sbin', '/sbin'];

/** What npm puts in front for the time of a script: programs of the package that it runs, not of this machine. */
const OF_A_SCRIPT = /[/\\](?:node_modules[/\\]\.bin|node-gyp-bin)[/\\]?$/;

/**
 * Where agents, checks and the search for agent CLIs look for programs: the PATH of whoever started the runner, and
 * behind it the folder of the Node that runs this, so that `node` is found on a machine that has none of its own and a
 * machine's own Node goes first. Folders that are not absolute are left out: they would name a place in the worktree,
 * which the agent writes. So are those of a script of npm: Switchyard's own tools are none of the task's.
 */
export function agentPath(path: string | undefined, nodePath: string): string {
  const own = (path ?? '').split(delimiter).filter(folder => isAbsolute(folder) && !OF_A_SCRIPT.test(folder));
  const folders = [...(own.length === 0 ? SYSTEM_FOLDERS : own), dirname(nodePath)];
  return [...new Set(folders)].join(delimiter);
}
