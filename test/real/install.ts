import {agentClis} from './agent-clis.ts';

/** Installs the agent CLIs for `npm run test:real` ahead of time; fails where the registry does not have them. */
process.stderr.write('Installing the agent CLIs into a cache (once, 1.7 GB, about a minute)...\n');
await agentClis();
