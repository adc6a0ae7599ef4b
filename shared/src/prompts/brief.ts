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
  /** From the reviewer: then a change is mended instead of made. */
  readonly reviewFeedback?: string | undefined;
  readonly focusAreas?: readonly string[] | undefined;
  /** The tool with which an event is reported at once, for an agent that has it. */
  readonly reportTool?: string | undefined;
};
