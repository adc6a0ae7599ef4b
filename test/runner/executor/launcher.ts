import {readFileSync} from 'node:fs';
import type {LaunchPlan} from '../../../runner/src/executor/executor.ts';
import {hostExecutor} from '../../../runner/src/executor/host-executor.ts';
import {cgroupBase, clock, wallNowMs} from './host-harness.ts';

/** A program that is killed by tests while it launches the attempts of the file $1; it then waits to be killed. */
const [, , file = '', held = ''] = process.argv;
const attempts = JSON.parse(readFileSync(file, 'utf8')) as {plan: LaunchPlan; runDir: string}[];
const executor = hostExecutor({clock, wallNowMs, cgroupBase: held === 'cgroup' ? cgroupBase : undefined});
process.stdout.write('begin\n');
for (const {plan, runDir} of attempts) await executor.launch(plan, runDir);
process.stdout.write('launched\n');
setInterval(() => undefined, 60_000);
