/**
 * What a rule of a charter is about. One condition is met by one act of a call; a rule is met when one of its conditions
 * is. Paths are patterns (path-pattern.ts) or one of the words of `placeWords`.
 */
export type Condition =
  /** A tool by its name, with `*`; where `path` is given, when it touches such a path. */
  | {readonly kind: 'tool'; readonly names: readonly string[]; readonly path?: readonly string[] | undefined}
  /**
   * A program and its words. A refusal is wide: the words in this order, whatever stands between them. An approval is
   * narrow: exactly these words, and any number more only for a final `**`. `*` stands for a part of a word.
   */
  | {readonly kind: 'command'; readonly words: readonly string[]}
  | {
      readonly kind: 'path';
      readonly access: readonly ('read' | 'write' | 'delete')[];
      readonly paths: readonly string[];
      /** Only with everything inside. */
      readonly isRecursive?: boolean | undefined;
    }
  | {
      readonly kind: 'push';
      /** Only when it overwrites or deletes. */
      readonly isForced: boolean;
      /** Names of branches with `*`; any branch when absent. */
      readonly to?: readonly string[] | undefined;
    }
  | {readonly kind: 'git'; readonly actions: readonly GitActionName[]}
  /** Hosts: a name, `*.example.com`, or `*`. */
  | {readonly kind: 'network'; readonly hosts: readonly string[]}
  /** Anything that is started by one of these programs: `sudo`. */
  | {readonly kind: 'through'; readonly programs: readonly string[]}
  /** Whatever nobody can see before it runs. */
  | {readonly kind: 'unseen'};

export const gitActionNames = ['discard', 'delete-branch', 'rewrite', 'read', 'commit', 'fetch', 'config'] as const;
export type GitActionName = (typeof gitActionNames)[number];

/** Places that have no pattern. */
export const placeWords = {
  '@workspace': 'inside the folder that the attempt works in, without what decides what git and agents run',
  '@outside': 'everywhere else',
  '@vital': 'the root, what lies directly in it, the home, and what the workspace or the home lies in',
} as const;

export type Rule = {
  /** How it is told to the agent and to people. */
  readonly name: string;
  readonly conditions: readonly Condition[];
  /** Said to the agent instead of the name. */
  readonly reason?: string | undefined;
};
