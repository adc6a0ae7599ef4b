import {join} from 'node:path';
import * as z from 'zod';
import {parseJson} from '@switchyard/shared/domain/parse-json.ts';
import {readPrivateFile, writePrivateFile} from '../../services/private-file.ts';

const proxySchema = z.strictObject({port: z.int().min(0).max(65_535), secret: z.base64().min(40)});

/** Where the proxy of a runner listens, and what its tokens are made with: agents that live on expect the next process there. */
export type ProxyFile = z.output<typeof proxySchema>;

const pathIn = (runnerDirectory: string): string => join(runnerDirectory, 'model-proxy.json');

/** Undefined before the first start, and for a file that is none of ours. */
export async function readProxyFile(runnerDirectory: string): Promise<ProxyFile | undefined> {
  const text = await readPrivateFile(pathIn(runnerDirectory));
  return proxySchema.safeParse(text === undefined ? undefined : parseJson(text)).data;
}

export async function writeProxyFile(runnerDirectory: string, file: ProxyFile): Promise<void> {
  await writePrivateFile(pathIn(runnerDirectory), JSON.stringify(file));
}
