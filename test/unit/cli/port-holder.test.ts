import {expect, test} from 'vitest';
import {parseLsof, parseSs} from '../../../runner/src/services/port.ts';

test('[SV2] the holder of a port is read from lsof or ss, and nothing is guessed where they say nothing', () => {
  expect(parseLsof('p4242\ncnode\nf19\n')).toEqual({pid: 4_242, name: 'node'});
  expect(parseLsof('')).toBeUndefined();
  const ss = 'LISTEN 0 511 127.0.0.1:7420 0.0.0.0:* users:(("workerd",pid=12669,fd=14),("node",pid=1,fd=3))\n';
  expect(parseSs(ss)).toEqual({pid: 12_669, name: 'workerd'});
  expect(parseSs('LISTEN 0 511 127.0.0.1:7420 0.0.0.0:*')).toBeUndefined();
});
