import * as z from 'zod';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {readPrivateFile, writePrivateFile} from './private-file.ts';

const clientFileSchema = z.strictObject({
  url: z.url({protocol: /^https?$/}),
  token: z.string().min(1).max(300),
  team: z.string().max(100).optional(),
  pool: z.string().max(100).optional(),
});
export type ClientFile = z.infer<typeof clientFileSchema>;

/** `undefined` when nobody has logged in. Throws `state_corrupt`, and `configuration_invalid` when others can read it. */
export async function readClientFile(path: string): Promise<ClientFile | undefined> {
  const text = await readPrivateFile(path);
  if (text === undefined) return undefined;
  try {
    return clientFileSchema.parse(JSON.parse(text));
  } catch {
    throw new SwitchyardError('state_corrupt', `${path} does not hold a URL and a token: run switchyard login`);
  }
}

export async function writeClientFile(path: string, file: ClientFile): Promise<void> {
  await writePrivateFile(path, `${JSON.stringify(clientFileSchema.parse(file), undefined, 2)}\n`);
}
