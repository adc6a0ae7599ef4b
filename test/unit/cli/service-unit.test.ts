import {expect, test} from 'vitest';
import {launchdAgent, systemdUnit} from '../../../runner/src/services/service-unit.ts';

const plan = {
  node: '/opt/node/bin/node',
  main: '/opt/switchyard/runner/src/main.ts',
  state: '/home/ada/.switchyard',
  slots: 2,
  path: '/usr/local/bin:/usr/bin',
  home: '/home/ada',
};

test('[SV3] the systemd unit restarts the runner always and lets its agents live through it', () => {
  expect(systemdUnit(plan)).toBe(`[Unit]
Description=Switchyard runner
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart=/opt/node/bin/node /opt/switchyard/runner/src/main.ts runner start --state /home/ada/.switchyard --slots 2
Environment=PATH=/usr/local/bin:/usr/bin
Delegate=yes
DelegateSubgroup=runner
Restart=always
RestartSec=2
KillMode=process
KillSignal=SIGTERM
TimeoutStopSec=90
OOMPolicy=continue
NoNewPrivileges=yes
PrivateTmp=no
UMask=0077

[Install]
WantedBy=default.target
`);
});

test('[SV3] paths with spaces, quotes and percent signs stay one word of the unit', () => {
  const unit = systemdUnit({...plan, state: '/home/a b/100% "x" $HOME'});
  expect(unit).toContain(String.raw`--state "/home/a b/100%% \"x\" $$HOME" --slots 2`);
});

test('[SV4] the launchd agent leaves the process group alone and is not throttled', () => {
  const agent = launchdAgent({...plan, home: '/Users/ada', state: '/Users/ada/a & b'});
  const lines = agent.split('\n').map(line => line.trim());
  const after = (key: string): string | undefined => lines[lines.indexOf(`<key>${key}</key>`) + 1];
  expect(after('AbandonProcessGroup')).toBe('<true/>');
  expect(after('RunAtLoad')).toBe('<true/>');
  expect(after('ThrottleInterval')).toBe('<integer>5</integer>');
  expect(after('ProcessType')).toBe('<string>Interactive</string>');
  expect(after('StandardErrorPath')).toBe('<string>/Users/ada/Library/Logs/switchyard-runner.log</string>');
  expect(lines.slice(lines.indexOf('<array>') + 1, lines.indexOf('</array>'))).toEqual([
    '<string>/opt/node/bin/node</string>',
    '<string>/opt/switchyard/runner/src/main.ts</string>',
    '<string>runner</string>',
    '<string>start</string>',
    '<string>--state</string>',
    '<string>/Users/ada/a &amp; b</string>',
    '<string>--slots</string>',
    '<string>2</string>',
  ]);
});
