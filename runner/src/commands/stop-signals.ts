/** The process, or something that sends signals as it does. */
export type SignalSource = {readonly on: (signal: 'SIGINT' | 'SIGTERM' | 'SIGHUP', listener: () => void) => unknown};

export type StopHandlers = {
  readonly isStopping: () => boolean;
  readonly stop: () => void;
  /** A person pressed Ctrl-C although it is stopping. */
  readonly hurry: () => void;
};

/**
 * Any signal asks to stop, once. Only Ctrl-C hurries a stop: who ends a service, a process group or a chain of
 * programs that hand signals on sends SIGTERM more than once and means the same.
 */
export function onStopSignals(source: SignalSource, {isStopping, stop, hurry}: StopHandlers): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    source.on(signal, () => {
      if (!isStopping()) stop();
      else if (signal === 'SIGINT') hurry();
    });
}
