import type {TaskSpec} from '@switchyard/shared/domain/task-spec.ts';
import {acpAgents} from './acp/acp-agent.ts';
import {acpDriver} from './acp/acp-driver.ts';
import {claudeDriver} from './claude/claude-driver.ts';
import type {Driver} from './driver.ts';
import {execDriver} from './exec-driver.ts';
import type {ProviderName} from './proxy/provider.ts';
import {scriptedDriver} from './scripted-driver.ts';

/** What is done with a driver, whatever its state is. */
export type WithDriver<Result> = <State>(driver: Driver<State>) => Result;

/** Calls back with the driver that a task asks for: who calls never sees what the state of a driver is. */
export function withDriver<Result>({agent}: Pick<TaskSpec, 'agent'>, use: WithDriver<Result>): Result {
  switch (agent.driver) {
    case 'scripted':
      return use(scriptedDriver);
    case 'exec':
      return use(execDriver(agent.output));
    case 'claude':
      return use(claudeDriver);
    case 'codex':
    case 'gemini':
    case 'opencode':
      return use(acpDriver(agent.driver));
  }
}

/** Files and folders of a repository, by their names at its top, from which the program of a driver would run things. */
export function settingsOf(driver: TaskSpec['agent']['driver']): readonly string[] {
  switch (driver) {
    case 'scripted':
    case 'exec':
    case 'claude':
      return [];
    case 'codex':
    case 'gemini':
    case 'opencode':
      return acpAgents[driver].settings;
  }
}

/** The agent CLI of a driver, which talks to people as well; null for what is no agent CLI. */
export function programOf(driver: TaskSpec['agent']['driver']): string | null {
  switch (driver) {
    case 'scripted':
    case 'exec':
      return null;
    case 'claude':
      return 'claude';
    case 'codex':
    case 'gemini':
    case 'opencode':
      return acpAgents[driver].program;
  }
}

/** Whose models the agent of a task asks; nobody's where it needs no model. */
export function providersOf({driver, models = []}: TaskSpec['agent']): readonly ProviderName[] {
  switch (driver) {
    case 'scripted':
      return [];
    case 'exec':
      return models;
    case 'claude':
      return ['anthropic'];
    case 'codex':
    case 'gemini':
    case 'opencode':
      return [acpAgents[driver].provider];
  }
}
