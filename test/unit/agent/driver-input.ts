import type {TaskSpec} from '@switchyard/shared/domain/task-spec.ts';
import type {DriverInput, Talk} from '../../../runner/src/agent/driver.ts';

/** Nothing waits, and nothing was sent. */
export const silence: Talk = {waiting: [], hasSent: () => false};

export const driverInput = (spec: TaskSpec, more: Partial<DriverInput> = {}): DriverInput => ({
  task: 'tsk_01ARZ3NDEKTSV4RRFFQ69G5FAV',
  spec,
  prompt: spec.prompt,
  promptPath: '/run/prompt',
  nodePath: 'node',
  program: '/bin/claude',
  model: null,
  tools: {token: 'tools-tok', mcpUrl: 'http://t/mcp', emitUrl: 'http://t/emit'},
  homePath: '/run/home',
  isResumed: false,
  session: null,
  workingDirectory: '/wt',
  instructions: null,
  ...more,
});
