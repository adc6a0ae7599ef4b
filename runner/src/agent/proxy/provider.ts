/** How a provider of models takes its key, what an agent may ask of it, and how it is told to stop. */
export type Provider = {
  readonly upstream: string;
  readonly keyHeader: 'authorization' | 'x-api-key' | 'x-goog-api-key';
  /** Paths behind the name of the provider; everything else, such as billing or files, is refused. */
  readonly paths: readonly RegExp[];
  readonly errorShape: 'anthropic' | 'openai' | 'google';
};

const openaiPaths = [
  /^\/v1\/(?:chat\/completions|responses|embeddings)$/,
  /^\/v1\/responses\/[A-Za-z0-9_-]+(?:\/cancel)?$/,
  /^\/v1\/models(?:\/[A-Za-z0-9._:-]+)?$/,
];

const openai = (upstream: string): Provider => ({
  upstream,
  keyHeader: 'authorization',
  paths: openaiPaths,
  errorShape: 'openai',
});

export const providers = {
  anthropic: {
    upstream: 'https://api.anthropic.com',
    keyHeader: 'x-api-key',
    paths: [/^\/v1\/messages(?:\/count_tokens)?$/, /^\/v1\/models(?:\/[A-Za-z0-9._:@-]+)?$/, /^\/api\/hello$/],
    errorShape: 'anthropic',
  },
  openai: openai('https://api.openai.com'),
  google: {
    upstream: 'https://generativelanguage.googleapis.com',
    keyHeader: 'x-goog-api-key',
    paths: [
      /^\/v1(?:beta)?\/models\/[A-Za-z0-9._-]+:(?:generateContent|streamGenerateContent|countTokens|embedContent)$/,
      /^\/v1(?:beta)?\/models(?:\/[A-Za-z0-9._-]+)?$/,
    ],
    errorShape: 'google',
  },
  xai: openai('https://api.x.ai'),
  mistral: openai('https://api.mistral.ai'),
  groq: openai('https://api.groq.com/openai'),
  deepseek: openai('https://api.deepseek.com'),
} as const satisfies Record<string, Provider>;

export type ProviderName = keyof typeof providers;

export const providerNames = Object.keys(providers).filter(isProviderName);

export function isProviderName(name: string): name is ProviderName {
  return Object.hasOwn(providers, name);
}
