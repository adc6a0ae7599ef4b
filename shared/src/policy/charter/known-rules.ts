import type {Condition} from './condition.ts';
import * as programs from './known-programs.ts';

/** A sentence that a charter may hold, and what it means. */
export type KnownRule = {
  /** How it is best written. */
  readonly says: string;
  /** In which lists it makes sense: to refuse and to ask, to approve, or in all of them. */
  readonly side: 'refusal' | 'approval' | 'both';
  /** Of each group one word must be there; `|` stands between the words of a group. */
  readonly needs: readonly string[];
  /** Words that may be there as well. Any other word makes it another sentence. */
  readonly may?: string;
  /** Names of branches follow behind `to`. */
  readonly takesNames?: boolean;
  readonly means: (names: readonly string[]) => readonly Condition[];
};

const path = (
  access: readonly ('read' | 'write' | 'delete')[],
  paths: readonly string[],
  isRecursive = false,
): Condition => ({kind: 'path', access, paths, isRecursive});

const change = 'modify|change|edit|update|write|touch|alter';
const remove = 'delete|remove|deletion|removal|drop|wipe|destroy';
const small = 'the any all to of or and in into on with new a an its';

/** In order: the first that fits is meant. */
export const knownRules: readonly KnownRule[] = [
  {
    says: 'Force push to main',
    side: 'refusal',
    needs: ['force', 'push'],
    may: 'git',
    takesNames: true,
    means: to => [{kind: 'push', isForced: true, to}, ...programs.remoteBranches],
  },
  {
    says: 'Force push',
    side: 'refusal',
    needs: ['force', 'push'],
    may: 'git branch remote',
    means: () => [{kind: 'push', isForced: true}, ...programs.remoteBranches],
  },
  {
    says: 'Push to main',
    side: 'both',
    needs: ['push|commit'],
    may: 'git direct directly',
    takesNames: true,
    means: to => [{kind: 'push', isForced: false, to}],
  },
  {
    says: 'Git push',
    side: 'refusal',
    needs: ['push'],
    may: 'git code commit branch change remote origin',
    means: () => [{kind: 'push', isForced: false}, ...programs.remoteBranches],
  },
  {
    says: 'Rewrite git history',
    side: 'refusal',
    needs: ['rewrite|change|rewriting', 'history'],
    may: 'git commit',
    means: () => [
      {kind: 'git', actions: ['rewrite']},
      {kind: 'push', isForced: true},
    ],
  },
  {
    says: 'Delete branches',
    side: 'refusal',
    needs: [remove, 'branch'],
    may: 'git remote local',
    means: () => [
      {kind: 'git', actions: ['delete-branch']},
      {kind: 'push', isForced: true},
    ],
  },
  {
    says: 'Discard uncommitted changes',
    side: 'refusal',
    needs: ['discard|lose|reset', 'change|work|hard'],
    may: 'uncommitted unsaved local git',
    means: () => [{kind: 'git', actions: ['discard']}],
  },
  {
    says: 'Delete the root, system or home folder',
    side: 'refusal',
    needs: [remove, 'root|system|home'],
    may: 'folder directory file',
    means: () => [path(['delete'], ['@vital'], true), ...programs.disks],
  },
  {
    says: 'Write or delete files outside the workspace',
    side: 'refusal',
    needs: [`${change}|${remove}`, 'outside', 'workspace|project|repo|repository|worktree|tree|folder|directory'],
    may: 'file anything path working',
    means: () => [path(['write', 'delete'], ['@outside'])],
  },
  {
    says: 'Recursive deletion',
    side: 'refusal',
    needs: [remove, 'recursive|recursively|folder|directory'],
    may: 'file',
    means: () => [path(['delete'], ['/**'], true)],
  },
  {
    says: 'Delete files',
    side: 'refusal',
    needs: [remove, 'file'],
    means: () => [path(['delete'], ['/**'])],
  },
  {
    says: 'Format or wipe disks',
    side: 'refusal',
    needs: ['format|wipe|erase', 'disk|drive|partition|volume'],
    may: 'format wipe erase',
    means: () => programs.disks,
  },
  {
    says: 'Production deployments',
    side: 'refusal',
    needs: ['deploy|deployment|rollout|release'],
    may: 'production prod code environment staging',
    means: () => programs.deployments,
  },
  {
    says: 'Publish packages',
    side: 'refusal',
    needs: ['publish|publication|release', 'package|image|npm|pypi|registry|library'],
    may: 'crate docker',
    means: () => programs.publications,
  },
  {
    says: 'Database migrations',
    side: 'refusal',
    needs: ['database|db|schema|table|migration|data'],
    may: `run apply migrate access operation command query production prod customer user ${change} ${remove} truncate`,
    means: () => programs.databases,
  },
  {
    says: 'Modify CI/CD configuration',
    side: 'refusal',
    needs: ['ci|cd|ci/cd|workflow|pipeline|actions'],
    may: `github gitlab build config configuration file setting ${change} modification`,
    means: () => [path(['write', 'delete'], programs.pipelines)],
  },
  {
    says: 'Modify secrets or credentials',
    side: 'refusal',
    needs: [`${change}|${remove}|rotate`, 'secret|credential|key|password|token|env|.env'],
    may: 'api file environment private',
    means: () => [path(['write', 'delete'], programs.secrets), ...programs.secretChanges],
  },
  {
    says: 'Access secrets or credentials',
    side: 'refusal',
    needs: ['secret|credential|key|password|token|env|.env'],
    may: 'access read expose print leak use exposure api file environment private',
    means: () => [path(['read', 'write', 'delete'], programs.secrets), ...programs.secretCommands],
  },
  {
    says: 'Install packages',
    side: 'refusal',
    needs: ['install|add|installation', 'package|dependency|software|library'],
    may: 'external third-party',
    means: () => programs.installations,
  },
  {
    says: 'Install locked dependencies',
    side: 'approval',
    needs: ['install', 'package|dependency'],
    may: 'locked existing project',
    means: () => programs.lockedInstallations,
  },
  {
    says: 'Use sudo',
    side: 'refusal',
    needs: ['sudo|root|privileged|privilege|elevated'],
    may: 'use run as command access escalation',
    means: () => [
      {kind: 'through', programs: ['sudo', 'sudoedit', 'doas', 'su', 'su-exec', 'pkexec', 'run0', 'runuser', 'gosu']},
    ],
  },
  {
    says: 'Change permissions',
    side: 'refusal',
    needs: [change, 'permission|ownership|owner'],
    may: 'file',
    means: () => programs.permissions,
  },
  {
    says: 'Stop or restart services',
    side: 'refusal',
    needs: ['stop|restart|kill|shutdown|shut|reboot', 'service|process|server|machine|system|host|container'],
    may: 'stop restart start kill down production',
    means: () => programs.power,
  },
  {
    says: 'Modify infrastructure',
    side: 'refusal',
    needs: ['infrastructure|cloud'],
    may: `resource production create ${change} ${remove}`,
    means: () => programs.infrastructure,
  },
  {
    says: 'Run code that is downloaded or hidden',
    side: 'refusal',
    needs: ['run|execute', 'downloaded|hidden|obfuscated|unseen|internet|network|web'],
    may: 'code script command that is from download',
    means: () => [{kind: 'unseen'}, ...programs.fetched],
  },
  {
    says: 'Network access',
    side: 'refusal',
    needs: ['network|internet|http|api|web|external|outbound', 'access|request|call|connection|traffic'],
    may: 'make network internet http api web external outbound service',
    means: () => [
      {kind: 'network', hosts: ['*']},
      {kind: 'tool', names: ['WebFetch', 'WebSearch']},
      ...programs.installations,
      ...programs.fetched,
      ...programs.publications,
    ],
  },
  {
    says: 'Merge pull requests',
    side: 'refusal',
    needs: ['merge|close|approve', 'pr|request'],
    may: 'pull',
    means: () => programs.merges,
  },
  {
    says: 'Read file operations',
    side: 'approval',
    needs: ['read|reading|view|list|search|browse|read-only', 'file|code|folder|directory|codebase|operation|command'],
    may: 'read view list search project source through operation access content',
    means: () => [
      path(['read'], ['@workspace']),
      {kind: 'git', actions: ['read']},
      {kind: 'tool', names: ['TodoWrite', 'TodoRead']},
    ],
  },
  {
    says: 'Git status and history',
    side: 'approval',
    needs: ['git', 'status|log|diff|history|show'],
    may: 'status log diff history show read read-only',
    means: () => [{kind: 'git', actions: ['read']}],
  },
  {
    says: 'Git commits',
    side: 'both',
    needs: ['commit'],
    may: 'git create make local code change work',
    means: () => [{kind: 'git', actions: ['commit']}],
  },
  {
    says: 'Run test suites',
    side: 'approval',
    needs: ['test|testing'],
    may: 'run execute suite unit integration automated existing',
    means: () => programs.tests,
  },
  {
    says: 'Run builds',
    side: 'approval',
    needs: ['build|building|compile|compilation'],
    may: 'run execute local project code command',
    means: () => programs.builds,
  },
  {
    says: 'Run linters',
    side: 'approval',
    needs: ['lint|linter|linting|format|formatter|formatting|typecheck|type-check|type'],
    may: 'run execute code static check checker checking lint linter linting format formatter formatting',
    means: () => programs.lints,
  },
  {
    says: 'Edit documentation',
    side: 'both',
    needs: ['documentation|doc'],
    may: `${change} improve file improvement`,
    means: () => [path(['read', 'write'], programs.docs)],
  },
  {
    says: 'Edit files in the workspace',
    side: 'approval',
    needs: [`${change}|create`, 'file|code'],
    may: `workspace project repo repository source inside within ${change} create`,
    means: () => [path(['read', 'write'], ['@workspace'])],
  },
];

/** Small words that say nothing on their own. */
export const smallWords = small;
