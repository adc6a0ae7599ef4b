import {join} from 'node:path';
import type {OwnLogin} from './driver.ts';

/** What the policy of a machine says about agents that have a login of their own. */
type LoginPolicy = {readonly agents: {readonly claude: {readonly login: 'key' | 'own'}}};

/**
 * Where the program of a driver keeps the login of this machine's owner, if the owner lets its agents use that; null where
 * they have keys. The folder is only named to the program, which is the owner's too: nothing here opens, copies or moves
 * what lies in it.
 */
export function ownLoginOf(
  {agents}: LoginPolicy,
  driver: string,
  {env, home}: {readonly env: Readonly<Record<string, string | undefined>>; readonly home: string},
): OwnLogin | null {
  if (driver !== 'claude' || agents.claude.login !== 'own') return null;
  return {configDirectory: env['CLAUDE_CONFIG_DIR'] ?? join(home, '.claude')};
}
