import {join} from 'node:path';
import type {Change} from '@switchyard/shared/prompts/brief.ts';
import {taskPrompt, type TaskPrompt} from '@switchyard/shared/prompts/task-prompt.ts';
import {writeRunFile} from '../executor/run-directory.ts';
import {readExposedFile} from '../state/exposed-file.ts';
import {PROMPT_FILE} from './attempt-paths.ts';
import type {AttemptPlan} from './attempt-work.ts';

/** More than any task, its brief and its change can make. */
const PROMPT_BYTES_MAX = 8_388_608;

/** Writes down what the agent of an attempt is told, before it starts: later the change could be read differently. */
export async function writePrompt(runDir: string, plan: AttemptPlan, change: Change | undefined): Promise<void> {
  await writeRunFile(runDir, PROMPT_FILE, taskPrompt(plan, change).text);
}

/** What was written down, also by an earlier process of the runner. */
export async function readPrompt(runDir: string, plan: AttemptPlan): Promise<string> {
  const written = await readExposedFile(join(runDir, PROMPT_FILE), PROMPT_BYTES_MAX).catch(() => undefined);
  return written ?? taskPrompt(plan).text;
}

/** For people. */
export const startLine = (driver: string, {version}: Pick<TaskPrompt, 'version'>): string =>
  `starting the agent (${driver === 'scripted' ? 'scripted, bundled, no model' : driver})${version === null ? '' : `, told ${version}`}`;
