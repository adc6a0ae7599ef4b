import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import type {Driver, DriverInput, ModelAccess, ToolAccess} from './driver.ts';
import {decodeJsonLine, linesInitial, readEnd, silent, type LinesState} from './json-lines.ts';

/**
 * Any command: the prompt arrives on standard input, which then ends, and stands in the file that
 * `SWITCHYARD_PROMPT_FILE` names. Events of its role go as `{"event": …, "data": {…}}` by POST to `SWITCHYARD_EMIT_URL`, with
 * `SWITCHYARD_TOOL_TOKEN` as bearer; our other tools are at `SWITCHYARD_MCP_URL`. The models that the task names are where the libraries of their
 * providers look for them: behind the proxy, under the token of the attempt. Standard output is text, or one JSON event per line where the task says so.
 */
export function execDriver(output: 'text' | 'json'): Driver<LinesState> {
  return {
    name: 'exec',
    takesTyping: false,
    initial: linesInitial,
    plan: ({spec, promptPath, tools, model}) => {
      if (spec.agent.command === undefined)
        throw new SwitchyardError('invalid_request', 'the exec driver needs agent.command');
      return {
        argv: spec.agent.command,
        env: {
          SWITCHYARD_PROMPT_FILE: promptPath,
          ...toolEnvironment(tools),
          ...modelEnvironment(spec.agent.models ?? [], model),
        },
        files: [],
        stdin: 'prompt',
      };
    },
    decode: (state, line) => (output === 'json' ? decodeJsonLine(state, line) : {state, events: []}),
    ...silent,
    encode: () => null,
    read: readEnd,
  };
}

type Models = NonNullable<DriverInput['spec']['agent']['models']>;

function modelEnvironment(models: Models, model: DriverInput['model']): Readonly<Record<string, string>> {
  if (model === null || !('token' in model)) return {};
  return Object.fromEntries(models.flatMap(name => Object.entries(variablesOf[name](model))));
}

/** As the libraries and programs of each provider call them. */
const variablesOf: Readonly<Record<Models[number], (access: ModelAccess) => Readonly<Record<string, string>>>> = {
  anthropic: ({token, urls}) => ({ANTHROPIC_BASE_URL: urls.anthropic, ANTHROPIC_AUTH_TOKEN: token}),
  openai: ({token, urls}) => ({OPENAI_BASE_URL: urls.openai, OPENAI_API_KEY: token}),
  google: ({token, urls}) => ({GOOGLE_GEMINI_BASE_URL: urls.google, GEMINI_API_KEY: token}),
};

const toolEnvironment = ({token, emitUrl, mcpUrl}: ToolAccess): Readonly<Record<string, string>> => ({
  SWITCHYARD_EMIT_URL: emitUrl,
  SWITCHYARD_MCP_URL: mcpUrl,
  SWITCHYARD_TOOL_TOKEN: token,
});
