import {readRunFile, writeRunFile} from '../executor/run-directory.ts';

const PROMPT_VERSION_FILE = 'prompt-version';

/** Remembers with the attempt which prompt its agent is told, also for a runner that knows a later one. */
export async function notePromptVersion(runDir: string, version: string | null): Promise<void> {
  if (version !== null) await writeRunFile(runDir, PROMPT_VERSION_FILE, version);
}

/** Null where the agent was told the prompt of its task as it is. What the agent wrote there itself counts for nothing. */
export async function notedPromptVersion(runDir: string): Promise<string | null> {
  const noted = await readRunFile(runDir, PROMPT_VERSION_FILE);
  return noted !== undefined && /^[a-z]{1,20}@\d{1,4}\.\d{1,4}\.\d{1,4}$/.test(noted) ? noted : null;
}
