import {join} from 'node:path';

/** Everything Switchyard keeps on this machine, under one directory. */
export type StateLayout = {
  readonly root: string;
  /** Which control plane the commands speak to, and with which token. */
  readonly clientFile: string;
  /** The process of `up`; there while it runs. */
  readonly upFile: string;
  readonly servicesDirectory: string;
  readonly statusFile: string;
  readonly logDirectory: string;
  readonly controlPlaneDirectory: string;
  readonly secretFile: string;
  /** The token that `up` made for its own pool: it stays when somebody logs in elsewhere. */
  readonly localClientFile: string;
  readonly runnerDirectory: string;
  readonly sampleDirectory: string;
  /** There when the first task has been run. */
  readonly firstTaskFile: string;
};

export function stateLayout(root: string): StateLayout {
  return {
    root,
    clientFile: join(root, 'client.json'),
    upFile: join(root, 'up.json'),
    servicesDirectory: join(root, 'services'),
    statusFile: join(root, 'services', 'status.json'),
    logDirectory: join(root, 'log'),
    controlPlaneDirectory: join(root, 'control-plane'),
    secretFile: join(root, 'control-plane', 'secret.json'),
    localClientFile: join(root, 'control-plane', 'client.json'),
    runnerDirectory: join(root, 'runner'),
    sampleDirectory: join(root, 'sample'),
    firstTaskFile: join(root, 'first-task.json'),
  };
}
