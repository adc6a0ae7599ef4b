/** The change that the work is about, as git has it: this commit and no later one. */
export type Change = {
  /** Full commit ids: what is looked at, and where it parted from the other side. */
  readonly head: string;
  readonly from: string;
  /** The branch that it is to be merged into. */
  readonly into: string;
  /** What differs, for an agent that cannot ask git itself. */
  readonly shown?: ShownChange | undefined;
};

export type ShownChange = {
  /** `3 files changed, 10 insertions(+)`; empty where nothing differs. */
  readonly total: string;
  /** A line a file: lines added, lines taken away, path. */
  readonly files: string;
  readonly filesMore: number;
  /** The unified difference, or its beginning. */
  readonly patch: string;
  /** Where a file with more of it is, where `patch` is only its beginning. */
  readonly rest?: RestOfChange | undefined;
};

export type RestOfChange = {
  readonly path: string;
  /** The first line of the file that `patch` does not show, from 1. */
  readonly line: number;
  /** False where the file is cut too. */
  readonly isWhole: boolean;
};

/** What a prompt is made from. Whatever people, repositories or other agents wrote is a field of its own, never a sentence. */
export type Brief = {
  readonly agent: string;
  readonly task: string;
  readonly timeoutMs: number;
  readonly title: string;
  readonly description: string;
  readonly repository?: string | undefined;
  readonly branch?: string | undefined;
  readonly base?: string | undefined;
  readonly pullRequest?: {readonly number: number; readonly url: string} | undefined;
  /** Where the deployed thing answers. */
  readonly url?: string | undefined;
  /** Titles of the tasks above this one, the nearest last. */
  readonly ancestors?: readonly string[] | undefined;
  readonly siblings?: readonly string[] | undefined;
  readonly comments?: readonly {readonly author: string; readonly text: string}[] | undefined;
  /** Other repositories that the work may be about. */
  readonly repositories?: readonly {readonly name: string; readonly about: string}[] | undefined;
  /** As JSON, from the starter. */
  readonly plan?: string | undefined;
  readonly change?: Change | undefined;
  /** From the reviewer: then a change is mended instead of made. */
  readonly reviewFeedback?: string | undefined;
  readonly focusAreas?: readonly string[] | undefined;
  /** The tool with which an event is reported at once, for an agent that has it. */
  readonly reportTool?: string | undefined;
};
