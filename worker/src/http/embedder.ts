import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import type {Pool} from '@switchyard/shared/domain/id.ts';

/** The process on a person's machine that this Worker runs inside. */
export type Embedder = {
  /** Asks it to end once nothing of the pool runs; false where the end of that pool is not its own. */
  readonly shutDown: (pool: Pool) => Promise<boolean>;
};

export function embedder(binding: Pick<Fetcher, 'fetch'>): Embedder {
  return {
    shutDown: async pool => {
      const answer = await binding.fetch('http://embedder/shutdown', {method: 'POST', body: pool});
      if (answer.status === 204) return true;
      if (answer.status === 404) return false;
      throw new SwitchyardError('unavailable', `the process around the control plane answered ${answer.status}`);
    },
  };
}
