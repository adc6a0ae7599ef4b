import {createHash} from 'node:crypto';
import {limits} from '@switchyard/shared/policy/limits.ts';
import type {PersonQuestion, PersonReply} from '../agent/tool-gate.ts';
import type {OpenAsk, PersonAsk} from './ask-desk.ts';

export type PersonPorts = {
  readonly open: (ask: PersonAsk) => OpenAsk;
  /** Text without the secrets that the log would not show either. */
  readonly mask: (text: string) => string;
  /** How long an agent that can be put off is kept waiting. */
  readonly holdMs: number;
  /** When nobody has decided, it is rejected. */
  readonly ttlMs: number;
  /** This process lets go of the agent: nothing is decided any more, and the next process asks again. */
  readonly over: AbortSignal;
};

const nobody: PersonReply = {decision: 'reject', text: 'the agent does not wait any more', by: null};

/**
 * Asks a person and waits: for ever, or until it is better to let the agent end. Stays pending when this process lets go
 * of an agent that lives on.
 */
export async function askPerson(
  {open, mask, holdMs, ttlMs, over}: PersonPorts,
  {input, reason, rule, tool, ...question}: PersonQuestion,
  {canDefer, withdrawn}: {readonly canDefer: boolean; readonly withdrawn: AbortSignal},
): Promise<PersonReply | 'later'> {
  const whole = mask(JSON.stringify(input));
  const asked = open({
    ...question,
    tool: tool.slice(0, 200),
    input: shownInput(whole),
    reason: `${cutNote(whole.length)}${mask(reason)}`.slice(0, 2_000),
    rule: rule?.slice(0, limits.charterEntryCharactersMax) ?? null,
    expires_in_ms: ttlMs,
  });
  const {promise, resolve} = Promise.withResolvers<PersonReply | 'later'>();
  const timer = canDefer ? setTimeout(() => resolve('later'), holdMs) : undefined;
  const onWithdrawn = (): void => {
    asked.withdraw();
    resolve(nobody);
  };
  const letGo = (): void => {
    clearTimeout(timer);
    asked.close();
  };
  over.addEventListener('abort', letGo, {once: true});
  withdrawn.addEventListener('abort', onWithdrawn, {once: true});
  if (over.aborted) letGo();
  if (withdrawn.aborted) onWithdrawn();
  asked.answer.then(resolve, () => undefined);
  const reply = await promise;
  letGo();
  over.removeEventListener('abort', letGo);
  withdrawn.removeEventListener('abort', onWithdrawn);
  return reply;
}

/** A call that is too long to be shown keeps its own name: an approval is for all of it, and for no other with this beginning. */
function shownInput(whole: string): string {
  if (whole.length <= limits.askInputCharactersMax) return whole;
  const name = `... (sha256 ${createHash('sha256').update(whole).digest('hex')})`;
  return `${whole.slice(0, limits.askInputCharactersMax - name.length)}${name}`;
}

/** First in the reason: whoever decides must know that there is more than the input shows. */
function cutNote(characters: number): string {
  const shown = limits.askInputCharactersMax;
  return characters <= shown ? '' : `only the first ${shown} of the ${characters} characters of the input are shown; `;
}
