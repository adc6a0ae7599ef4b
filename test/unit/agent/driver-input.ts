import type {TaskSpec} from '@switchyard/shared/domain/task-spec.ts';
import type {DriverInput} from '../../../runner/src/agent/driver.ts';

export const driverInput = (spec: TaskSpec, more: Partial<DriverInput> = {}): DriverInput => ({
  task: 'tsk_01ARZ3NDEKTSV4RRFFQ69G5FAV',
  spec,
  prompt: spec.prompt,
  promptPath: '/run/prompt',
  nodePath: 'node',
  program: '/bin/claude',
  model: null,
  homePath: '/run/home',
  isResumed: false,
  workingDirectory: '/wt',
  instructions: null,
  ...more,
});
