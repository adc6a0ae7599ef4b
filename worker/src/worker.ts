import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {createRefusingServer, createServer, type Server} from './app.ts';
import type {Environment} from './environment.ts';
import {openInstallation, type Platform} from './http/installation.ts';

export {Fleet} from './fleet/fleet.ts';
export {TaskLog} from './tasklog/task-log.ts';

const platform: Platform = {
  nowMs: () => Date.now(),
  randomBytes: length => crypto.getRandomValues(new Uint8Array(length)),
  report: ({request, error}) => {
    // oxlint-disable-next-line no-console -- the log of the Worker is where its operator looks
    console.error(JSON.stringify({request, error: error instanceof Error ? error.stack : String(error)}));
  },
};

/** A configuration is checked once in the life of an isolate; a new one comes with a new isolate. */
const servers = new WeakMap<Environment, Promise<Server>>();

async function openServer(environment: Environment): Promise<Server> {
  try {
    return createServer(await openInstallation(environment, platform));
  } catch (thrown) {
    if (!(thrown instanceof SwitchyardError)) throw thrown;
    platform.report({request: 'start', error: thrown});
    return createRefusingServer(thrown, platform);
  }
}

export default {
  async fetch(request, environment) {
    let server = servers.get(environment);
    if (server === undefined) {
      server = openServer(environment);
      servers.set(environment, server);
    }
    return (await server)(request);
  },
} satisfies ExportedHandler<Environment>;
