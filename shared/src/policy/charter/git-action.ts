/** What a push does to one branch of the remote. */
export type PushTarget = {
  /** Undefined when it is not known which; may hold `*`. */
  readonly branch: string | undefined;
  /** Overwrites or deletes it; undefined when an unseen word decides. */
  readonly isForced: boolean | undefined;
};

export type GitAction =
  | {readonly kind: 'push'; readonly targets: readonly PushTarget[]; readonly remote: string | undefined}
  /** Throws away work that is not committed. `undefined` when an unseen word decides. */
  | {readonly kind: 'discard'; readonly isSure: boolean}
  | {readonly kind: 'delete-branch'; readonly isSure: boolean; readonly branches: readonly (string | undefined)[]}
  /** Changes commits that exist. */
  | {readonly kind: 'rewrite'}
  | {readonly kind: 'read'}
  | {readonly kind: 'commit'}
  | {readonly kind: 'fetch'}
  | {readonly kind: 'config'}
  | {readonly kind: 'other'; readonly name: string};
