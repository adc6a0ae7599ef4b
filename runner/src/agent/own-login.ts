import {join} from 'node:path';
import {loginLabel} from '@switchyard/shared/domain/labels.ts';
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

/** Tells the control plane which agents work under that login: what they spend is paid for by a plan. */
export function loginLabels({agents}: LoginPolicy): readonly string[] {
  return agents.claude.login === 'own' ? [loginLabel('claude')] : [];
}
