import type {TaskSpec} from '@switchyard/shared/domain/task-spec.ts';
import type {Driver} from './driver.ts';
import {execDriver} from './exec-driver.ts';
import type {LinesState} from './json-lines.ts';
import {scriptedDriver} from './scripted-driver.ts';

/** The driver that a task asks for. */
export function driverFor({agent}: TaskSpec): Driver<LinesState> {
  switch (agent.driver) {
    case 'scripted':
      return scriptedDriver;
    case 'exec':
      return execDriver(agent.output);
  }
}
