import {executorContract} from '../../contract/executor-contract.ts';
import {cgroupBase, clock, hostPlace} from './host-harness.ts';

const open = async (base: string | undefined) => {
  const place = await hostPlace({cgroupBase: base});
  return {...place, bootNowMs: clock.nowMs, close: () => place[Symbol.asyncDispose]()};
};

executorContract('host with process groups and markers', () => open(undefined));
if (cgroupBase !== undefined) executorContract('host with a cgroup', () => open(cgroupBase));
