/** Variables that tell a program how to look or how much to say, and never what to run. */
const harmless =
  /^(?:CI|DEBUG|COLUMNS|LINES|FORCE_COLOR|NO_COLOR|CLICOLOR(?:_FORCE)?|TERM|COLORTERM|TZ|LANG|LANGUAGE|LC_\w+|NODE_ENV|RUST_BACKTRACE|RUST_LOG|PYTHONUNBUFFERED|PYTHONDONTWRITEBYTECODE|GIT_TERMINAL_PROMPT)$/;

/** Variables that decide which program a name means or what a program loads and runs. */
const deciding =
  /^(?:PATH|HOME|IFS|CDPATH|ENV|BASH_ENV|BASHOPTS|SHELLOPTS|SHELL|PROMPT_COMMAND|PS[0-4]|ZDOTDIR|FPATH|LD_\w+|DYLD_\w+|GIT_\w+|\w*EDITOR|VISUAL|\w*PAGER|BROWSER|NODE_OPTIONS|NODE_PATH|NPM_CONFIG_\w+|npm_config_\w+|PYTHON\w+|PERL\w+|RUBY\w+|JAVA_TOOL_OPTIONS|_JAVA_OPTIONS|CLASSPATH|MAKEFLAGS|LESSOPEN|LESSCLOSE|GREP_\w+|SSH_\w+|RUSTC_WRAPPER|CC|CXX)$/;

export type VariableEffect = 'none' | 'decides' | 'unlisted';

/** What it means for a command that this variable is set for it. */
export function effectOfVariable(name: string): VariableEffect {
  if (harmless.test(name)) return 'none';
  return deciding.test(name) ? 'decides' : 'unlisted';
}

/** A variable that by its name holds what opens something. */
export function isSecretVariable(name: string): boolean {
  return /(?:^|_)(?:TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?|(?:API|ACCESS|PRIVATE|SECRET)_?KEY)(?:_|$)/i.test(
    name,
  );
}
