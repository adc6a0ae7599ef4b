/** What a service manager must know to run the runner of this machine. */
export type UnitPlan = {
  /** Absolute paths: a service manager has no PATH of a shell. */
  readonly node: string;
  readonly main: string;
  readonly state: string;
  readonly slots: number;
  /** PATH of the runner and so of its agents. */
  readonly path: string;
  readonly home: string;
};

export const systemdUnitName = 'switchyard-runner.service';
export const launchdLabel = 'dev.switchyard.runner';

function argv({node, main, state, slots}: UnitPlan): readonly string[] {
  return [node, main, 'runner', 'start', '--state', state, '--slots', String(slots)];
}

/**
 * A systemd user unit. `KillMode=process` lets agents live through a restart of the runner, which adopts them again
 * (the default would kill them with the group); SIGTERM asks the runner for just that. PrivateTmp would hide the
 * sockets of tmux. What is delegated are the cgroups of attempts, so that the kernel can hold their memory: for that none
 * of its processes may be beside them (systemd 254; an older one ignores the name of the subgroup).
 */
export function systemdUnit(plan: UnitPlan): string {
  return `[Unit]
Description=Switchyard runner
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart=${argv(plan).map(systemdWord).join(' ')}
Environment=${systemdWord(`PATH=${plan.path}`)}
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
`;
}

/** Quotes for ExecStart and Environment (systemd.syntax(7)): `%` begins a specifier and `$` a variable. */
function systemdWord(word: string): string {
  const escaped = word
    .replaceAll('\\', '\\\\')
    .replaceAll('"', String.raw`\"`)
    .replaceAll('%', '%%')
    .replaceAll('$', '$$$$');
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? escaped : `"${escaped}"`;
}

/**
 * A launchd agent, not a daemon: the keychain and the login of agent CLIs belong to the session of a user. launchd kills
 * the process group of a job that ends unless `AbandonProcessGroup` is set; without `Interactive` it is throttled.
 */
export function launchdAgent(plan: UnitPlan): string {
  const log = `${plan.home}/Library/Logs/switchyard-runner.log`;
  return `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
  <key>Label</key>
  <string>${launchdLabel}</string>
  <key>ProgramArguments</key>
  <array>
${argv(plan)
  .map(word => `    <string>${xmlText(word)}</string>`)
  .join('\n')}
  </array>
  <key>EnvironmentVariables</key>
  <dict>
    <key>PATH</key>
    <string>${xmlText(plan.path)}</string>
  </dict>
  <key>RunAtLoad</key>
  <true/>
  <key>KeepAlive</key>
  <dict>
    <key>SuccessfulExit</key>
    <false/>
  </dict>
  <key>ThrottleInterval</key>
  <integer>5</integer>
  <key>AbandonProcessGroup</key>
  <true/>
  <key>ProcessType</key>
  <string>Interactive</string>
  <key>SoftResourceLimits</key>
  <dict>
    <key>NumberOfFiles</key>
    <integer>8192</integer>
  </dict>
  <key>Umask</key>
  <integer>63</integer>
  <key>StandardOutPath</key>
  <string>${xmlText(log)}</string>
  <key>StandardErrorPath</key>
  <string>${xmlText(log)}</string>
</dict>
</plist>
`;
}

function xmlText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
