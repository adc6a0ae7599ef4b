import {EventEmitter} from 'node:events';
import {expect, test} from 'vitest';
import {onStopSignals} from '../../../runner/src/commands/stop-signals.ts';

function stopped(...signals: readonly ('SIGINT' | 'SIGTERM' | 'SIGHUP')[]): readonly string[] {
  const source = new EventEmitter();
  const done: string[] = [];
  onStopSignals(source, {
    isStopping: () => done.length > 0,
    stop: () => done.push('stop'),
    hurry: () => done.push('hurry'),
  });
  for (const signal of signals) source.emit(signal);
  return done;
}

test.for([
  [['SIGTERM', 'SIGTERM', 'SIGHUP'], ['stop']],
  [['SIGINT', 'SIGTERM'], ['stop']],
  [
    ['SIGINT', 'SIGINT'],
    ['stop', 'hurry'],
  ],
  [
    ['SIGTERM', 'SIGINT'],
    ['stop', 'hurry'],
  ],
] as const)('[IP1] %j is %j', ([signals, done]) => {
  expect(stopped(...signals)).toEqual(done);
});
