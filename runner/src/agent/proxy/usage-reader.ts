import * as z from 'zod';
import {parseJson} from '@switchyard/shared/domain/parse-json.ts';
import type {TokenCounts} from '@switchyard/shared/policy/model-price.ts';

export type Usage = TokenCounts;

export const noUsage: Usage = {input: 0, output: 0, cacheRead: 0, cacheWrite: 0, cacheWriteLong: 0};

export const addUsage = (a: Usage, b: Usage): Usage => ({
  input: a.input + b.input,
  output: a.output + b.output,
  cacheRead: a.cacheRead + b.cacheRead,
  cacheWrite: a.cacheWrite + b.cacheWrite,
  cacheWriteLong: a.cacheWriteLong + b.cacheWriteLong,
});

export const totalTokens = ({input, output, cacheRead, cacheWrite}: Usage): number =>
  input + output + cacheRead + cacheWrite;

const count = z.number().nonnegative().nullish();

/** Messages: https://docs.anthropic.com/en/api/messages-streaming; Responses: `input_tokens` holds the cached ones. */
const tokensNamed = z.looseObject({
  input_tokens: count,
  output_tokens: count,
  cache_read_input_tokens: count,
  cache_creation_input_tokens: count,
  cache_creation: z.looseObject({ephemeral_1h_input_tokens: count}).nullish(),
  input_tokens_details: z.looseObject({cached_tokens: count}).nullish(),
});
const chatTokens = z.looseObject({
  prompt_tokens: z.number(),
  completion_tokens: count,
  prompt_tokens_details: z.looseObject({cached_tokens: count}).nullish(),
});
const geminiTokens = z.looseObject({
  promptTokenCount: count,
  candidatesTokenCount: count,
  thoughtsTokenCount: count,
  cachedContentTokenCount: count,
});
const documentSchema = z.looseObject({
  usage: z.union([chatTokens, tokensNamed]).nullish(),
  message: z.looseObject({usage: tokensNamed.nullish()}).nullish(),
  response: z.looseObject({usage: tokensNamed.nullish()}).nullish(),
  usageMetadata: geminiTokens.nullish(),
});

/** Longest event or document that is looked into; the answer itself passes through whatever its length. */
const TEXT_MAX = 4 * 1_024 * 1_024;

/** What one event, or one whole document, says of the tokens so far. */
function usageIn(text: string): Usage | undefined {
  const read = documentSchema.safeParse(parseJson(text));
  if (!read.success) return undefined;
  const {usage, message, response, usageMetadata} = read.data;
  const named = usage ?? message?.usage ?? response?.usage;
  if (named !== null && named !== undefined) {
    const chat = chatTokens.safeParse(named);
    return chat.success ? chatUsage(chat.data) : namedUsage(named);
  }
  return usageMetadata === null || usageMetadata === undefined ? undefined : geminiUsage(usageMetadata);
}

function chatUsage(usage: z.output<typeof chatTokens>): Usage {
  const {prompt_tokens: prompt, completion_tokens: output, prompt_tokens_details: details} = usage;
  const cacheRead = details?.cached_tokens ?? 0;
  return {input: Math.max(0, prompt - cacheRead), output: output ?? 0, cacheRead, cacheWrite: 0, cacheWriteLong: 0};
}

function namedUsage(usage: z.output<typeof tokensNamed>): Usage {
  const cached = usage.input_tokens_details?.cached_tokens ?? 0;
  return {
    input: Math.max(0, (usage.input_tokens ?? 0) - cached),
    output: usage.output_tokens ?? 0,
    cacheRead: usage.cache_read_input_tokens ?? cached,
    cacheWrite: usage.cache_creation_input_tokens ?? 0,
    cacheWriteLong: usage.cache_creation?.ephemeral_1h_input_tokens ?? 0,
  };
}

function geminiUsage(usage: z.output<typeof geminiTokens>): Usage {
  const cacheRead = usage.cachedContentTokenCount ?? 0;
  return {
    input: Math.max(0, (usage.promptTokenCount ?? 0) - cacheRead),
    output: (usage.candidatesTokenCount ?? 0) + (usage.thoughtsTokenCount ?? 0),
    cacheRead,
    cacheWrite: 0,
    cacheWriteLong: 0,
  };
}

const larger = (a: Usage, b: Usage): Usage => ({
  input: Math.max(a.input, b.input),
  output: Math.max(a.output, b.output),
  cacheRead: Math.max(a.cacheRead, b.cacheRead),
  cacheWrite: Math.max(a.cacheWrite, b.cacheWrite),
  cacheWriteLong: Math.max(a.cacheWriteLong, b.cacheWriteLong),
});

/**
 * Reads the tokens from an answer as it passes by, in whatever pieces it comes. What an answer says of itself only
 * grows, so the largest figures count, also of one that was cut off.
 */
export class UsageReader {
  readonly #isStream: boolean;
  readonly #decoder = new TextDecoder();
  #open = '';
  #usage: Usage = noUsage;

  constructor(contentType: string | undefined) {
    this.#isStream = contentType?.startsWith('text/event-stream') === true;
  }

  push(bytes: Uint8Array): void {
    this.#open += this.#decoder.decode(bytes, {stream: true});
    if (this.#isStream) {
      const lines = this.#open.split(/\r?\n/);
      this.#open = lines.pop() ?? '';
      for (const line of lines) this.#line(line);
    }
    if (this.#open.length > TEXT_MAX) this.#open = '';
  }

  end(): Usage {
    if (this.#isStream) this.#line(this.#open);
    else this.#take(this.#open);
    this.#open = '';
    return this.#usage;
  }

  #line(line: string): void {
    if (line.startsWith('data:')) this.#take(line.slice('data:'.length));
  }

  #take(text: string): void {
    const usage = text.includes('sage') ? usageIn(text) : undefined;
    if (usage !== undefined) this.#usage = larger(this.#usage, usage);
  }
}
