import {randomUUID} from 'node:crypto';
import {readFileSync} from 'node:fs';
import {setTimeout as delay} from 'node:timers/promises';
import {HELD, questionOf} from './hook-call.ts';
import {hookFiles, putFile, takeFile} from './hook-files.ts';

/**
 * The hook that codex runs before each tool: asks the runner by way of the relay and waits. Whatever goes wrong here
 * blocks the tool, because an agent takes a hook that breaks for one that has nothing to say.
 */
const POLL_MS = 25;
/** Shorter than the patience of the agent with its hook, after which it would run the tool. */
const WAIT_MS_MAX = 3_500_000;
const BLOCKED = 2;

const [directory = '', ownPrefix = '', profile] = process.argv.slice(2);

async function decide(): Promise<string | null> {
  const question = questionOf(readFileSync(0, 'utf8'), ownPrefix, profile === HELD);
  if (question === null) return null;
  const id = randomUUID();
  const relay = Number(readFileSync(hookFiles.relay(directory), 'utf8'));
  putFile(hookFiles.question(directory, id), JSON.stringify(question));
  for (const endMs = performance.now() + WAIT_MS_MAX; performance.now() < endMs;) {
    const answer = takeFile(hookFiles.answer(directory, id));
    if (answer !== undefined) return answer === 'allow' ? null : answer;
    process.kill(relay, 0);
    await delay(POLL_MS);
  }
  return 'nobody decided in time';
}

try {
  const refusal = await decide();
  if (refusal !== null) process.stderr.write(`${refusal}\n`);
  process.exitCode = refusal === null ? 0 : BLOCKED;
} catch (error) {
  process.stderr.write(`the runner could not be asked: ${String(error)}\n`);
  process.exitCode = BLOCKED;
}
