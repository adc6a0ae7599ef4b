import type {ToolProfile} from '@switchyard/shared/policy/tool-profile.ts';
import type {ModelAccess} from '../driver.ts';
import type {ProviderName} from '../proxy/provider.ts';
import {geminiPolicy, opencodePermission} from './permission-settings.ts';

/** What an agent of the Agent Client Protocol needs to start under our rules, beyond the protocol itself. */
export type AcpAgent = {
  readonly program: string;
  readonly args: (home: string) => readonly string[];
  readonly provider: ProviderName;
  /** What its program reads of a repository and runs; it cannot be told not to. */
  readonly settings: readonly string[];
  /** The mode of its session that holds a profile; null where its questions do. A mode it does not have ends the attempt. */
  readonly modeOf: (profile: ToolProfile) => string | null;
  /** Where its program keeps its sessions, as patterns in its home: all that an attempt which goes on takes over. */
  readonly sessions: readonly string[];
  /** A hook asks before each tool, because its own questions are about too little. */
  readonly asksByHook: boolean;
  readonly setUp: (how: {
    readonly home: string;
    readonly model: ModelAccess;
    readonly modelName: string | undefined;
    /** Names of the tools that it may use at all. */
    readonly tools: readonly string[];
    /** The command that it has to ask before each tool; null where its own questions are enough. */
    readonly hook: readonly string[] | null;
  }) => {
    readonly env: Readonly<Record<string, string>>;
    readonly files: readonly {readonly path: string; readonly text: string}[];
  };
};

/** Longer than the hook itself waits. */
const HOOK_TIMEOUT_S = 3_600;

function hookLines(hook: readonly string[]): readonly string[] {
  const command = hook.map(word => `'${word.replaceAll("'", String.raw`'\''`)}'`).join(' ');
  return [
    '[[hooks.PreToolUse]]',
    'matcher = "*"',
    '[[hooks.PreToolUse.hooks]]',
    'type = "command"',
    `command = ${JSON.stringify(command)}`,
    `timeout = ${HOOK_TIMEOUT_S}`,
  ];
}

const GEMINI_POLICY = '.gemini/policies/switchyard.toml';

const codexModes = {readonly: 'read-only', developer: 'workspace-write', 'full-access': 'agent-full-access'} as const;

/**
 * Agents by the name of their CLI. Each is told to use the proxy, to ask before it writes or runs anything, and to leave
 * the settings of whoever owns the machine alone: HOME is the attempt's own.
 */
export const acpAgents = {
  codex: {
    program: 'codex-acp',
    args: () => [],
    provider: 'openai',
    settings: ['.codex'],
    sessions: ['.codex/sessions', '.codex/*.sqlite', '.codex/*.sqlite-*'],
    // Its sandbox holds the profile: by itself it asks about too little.
    modeOf: profile => codexModes[profile],
    asksByHook: true,
    setUp: ({home, model, modelName, hook}) => ({
      env: {
        CODEX_HOME: `${home}/.codex`,
        SWITCHYARD_MODEL_TOKEN: model.token,
        // The only hook is ours: those of the repository are taken out of the tree.
        ...(hook === null ? {} : {CODEX_CONFIG: JSON.stringify({bypass_hook_trust: true})}),
      },
      files: [
        {
          path: '.codex/config.toml',
          text: [
            ...(modelName === undefined ? [] : [`model = ${JSON.stringify(modelName)}`]),
            'model_provider = "switchyard"',
            'approval_policy = "on-request"',
            // Rules come with the prompt, from the base.
            'project_doc_max_bytes = 0',
            '[model_providers.switchyard]',
            'name = "switchyard"',
            `base_url = ${JSON.stringify(model.urls.openai)}`,
            'env_key = "SWITCHYARD_MODEL_TOKEN"',
            'wire_api = "responses"',
            ...(hook === null ? [] : hookLines(hook)),
            '',
          ].join('\n'),
        },
      ],
    }),
  },
  gemini: {
    program: 'gemini',
    // In a folder that is not trusted it calls no tools of ours: what such trust lets in is hidden or switched off.
    // Its own policies count unless those of the machine's owner do, and the same file among the usual ones always counts.
    args: home => ['--acp', '--skip-trust', '--admin-policy', `${home}/${GEMINI_POLICY}`],
    provider: 'google',
    settings: ['.gemini'],
    sessions: ['.gemini/projects.json', '.gemini/tmp/*/.project_root', '.gemini/tmp/*/chats'],
    modeOf: () => null,
    asksByHook: false,
    setUp: ({model, modelName, tools}) => ({
      env: {
        GOOGLE_GEMINI_BASE_URL: model.urls.google,
        GEMINI_API_KEY: model.token,
        ...(modelName === undefined ? {} : {GEMINI_MODEL: modelName}),
      },
      files: [
        {
          path: '.gemini/settings.json',
          text: JSON.stringify({
            security: {auth: {selectedType: 'gemini-api-key'}},
            // It cannot be told to leave GEMINI.md alone, which is that of the base when it starts: other names are added to it.
            skills: {enabled: false},
            advanced: {ignoreLocalEnv: true},
            general: {disableAutoUpdate: true},
            privacy: {usageStatisticsEnabled: false},
          }),
        },
        {path: GEMINI_POLICY, text: geminiPolicy(tools)},
      ],
    }),
  },
  opencode: {
    program: 'opencode',
    args: () => ['acp'],
    provider: 'openai',
    settings: ['.opencode', 'opencode.json', 'opencode.jsonc'],
    sessions: ['.local/share/opencode/opencode.db*'],
    modeOf: () => null,
    asksByHook: false,
    setUp: ({model, modelName = 'default', tools}) => ({
      env: {
        OPENCODE_DISABLE_AUTOUPDATE: '1',
        OPENCODE_DISABLE_MODELS_FETCH: '1',
        OPENCODE_DISABLE_SHARE: '1',
        // Rules come with the prompt, from the base.
        OPENCODE_DISABLE_PROJECT_CONFIG: '1',
        OPENCODE_DISABLE_CLAUDE_CODE: '1',
        OPENCODE_DISABLE_EXTERNAL_SKILLS: '1',
        OPENCODE_CONFIG_CONTENT: JSON.stringify({
          model: `switchyard/${modelName}`,
          permission: opencodePermission(tools),
          // A refusal is an answer, and no reason to stop.
          experimental: {continue_loop_on_deny: true},
          provider: {
            switchyard: {
              npm: '@ai-sdk/openai-compatible',
              options: {baseURL: model.urls.openai, apiKey: model.token},
              models: {[modelName]: {}},
            },
          },
        }),
      },
      files: [],
    }),
  },
} as const satisfies Record<string, AcpAgent>;

export type AcpAgentName = keyof typeof acpAgents;
