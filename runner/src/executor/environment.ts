/**
 * Which variables of the runner an agent may see. The start is an empty environment: a variable gets in only when a
 * pattern allows its name, and stays out all the same when its name or its value looks like a secret.
 */
export type EnvironmentPolicy = {
  /** Names, or prefixes that end in `*`. */
  readonly allow: readonly string[];
};

export type SelectedEnvironment = {
  readonly env: Readonly<Record<string, string>>;
  /** Allowed by pattern but kept out as secrets; sorted. Names only: values are never returned or logged. */
  readonly blockedNames: readonly string[];
};

/** What a program needs to work at all, and the settings of the agents. */
export const defaultEnvironmentPolicy: EnvironmentPolicy = {
  allow: ['PATH', 'LANG', 'LC_*', 'TZ', 'TERM', 'ANTHROPIC_*', 'CLAUDE_CODE_*', 'AGENTCHAT_*', 'THESYSTEM_*'],
};

/** Model keys and tokens by name; most fall under the suffix rule too, and stay blocked should that ever be relaxed. */
export const blockedVariableNames: ReadonlySet<string> = new Set([
  'ANTHROPIC_API_KEY',
  'OPENAI_API_KEY',
  'CLAUDE_CODE_OAUTH_TOKEN',
  'GITHUB_TOKEN',
  'GITHUB_TOKEN_BEARER',
  'XAI_API_KEY',
  'GROK_API_KEY',
  'GOOGLE_API_KEY',
  'GEMINI_API_KEY',
  'GOOGLE_GENERATIVEAI_API_KEY',
  'GOOGLE_GENERATIVE_AI_API_KEY',
  'MISTRAL_API_KEY',
  'GROQ_API_KEY',
  'DEEPSEEK_API_KEY',
  'ANTHROPIC_AUTH_TOKEN',
]);

/** `_KEY` only at the end, because settings such as KEY_REPEAT are none; the others anywhere between underscores. */
const SECRET_NAME =
  /(?:^|_)(?:API)?KEYS?$|(?:^|_)(?:TOKEN|SECRETS?|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?|COOKIE)(?:_|$)/i;

/** A session of Claude Code gives these to what it starts; another session would take itself for a part of that one. */
const ofAnotherSession: ReadonlySet<string> = new Set([
  'CLAUDE_CODE_CHILD_SESSION',
  'CLAUDE_CODE_ENTRYPOINT',
  'CLAUDE_CODE_EXECPATH',
  'CLAUDE_CODE_MESSAGING_SOCKET',
  'CLAUDE_CODE_PROVIDER_MANAGED_BY_HOST',
  'CLAUDE_CODE_SESSION_ID',
  'CLAUDE_CODE_SSE_PORT',
]);

const SECRET_VALUES: readonly RegExp[] = [
  /(?<![A-Za-z0-9])sk-[A-Za-z0-9_-]{16,}/, // Anthropic, OpenAI and those who copied them
  /(?<![A-Za-z0-9])(?:gh[pousr]_[A-Za-z0-9]{16,}|github_pat_[A-Za-z0-9_]{16,}|glpat-[A-Za-z0-9_-]{16,})/,
  /(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}/,
  /(?<![A-Za-z0-9])AIza[A-Za-z0-9_-]{30,}/,
  /(?<![A-Za-z0-9])xox[abeprs]-[A-Za-z0-9-]{8,}/,
  /(?<![A-Za-z0-9])eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}/, // JSON Web Token
  /(?:^|[\s:="'])Bearer\s+\S/i,
  /(?:api-key|authorization|cookie)["']?\s*[:=]\s*\S/i, // a header, as in ANTHROPIC_CUSTOM_HEADERS
  /-----BEGIN [A-Z ]*PRIVATE KEY-----/,
  /:\/\/[^/\s:@]*:[^/\s@]+@/, // URL with a password
];

export function selectEnvironment(
  source: Readonly<Record<string, string | undefined>>,
  {allow}: EnvironmentPolicy = defaultEnvironmentPolicy,
): SelectedEnvironment {
  const env: Record<string, string> = {};
  const blockedNames: string[] = [];
  for (const [name, value] of Object.entries(source)) {
    if (value === undefined || ofAnotherSession.has(name) || !allow.some(pattern => isMatch(name, pattern))) continue;
    if (isSecretName(name) || isSecretValue(value)) blockedNames.push(name);
    else env[name] = value;
  }
  return {env, blockedNames: blockedNames.toSorted()};
}

export function isSecretName(name: string): boolean {
  return blockedVariableNames.has(name.toUpperCase()) || SECRET_NAME.test(name);
}

export function isSecretValue(value: string): boolean {
  return SECRET_VALUES.some(pattern => pattern.test(value));
}

function isMatch(name: string, pattern: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}
