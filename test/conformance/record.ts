import {mkdirSync, writeFileSync} from 'node:fs';
import {runnerIdSchema} from '@switchyard/shared/domain/id.ts';
import {Bed} from '../fixtures/installation.ts';
import {normalise} from './normalise.ts';
import {leaseOf, recordings, type Recording} from './recordings.ts';
import {RecordingProxy} from './recording-proxy.ts';
import {isAboutRenewals, textOf, transcriptUrl, type Transcript} from './transcript.ts';
import {until} from '../fixtures/until.ts';

/** The real control plane and the real runner, with a proxy between them that keeps what they say. */
export async function record(recording: Recording): Promise<Transcript> {
  const {transcript, says, sockets, script, play} = recording;
  const config = leaseOf(recording);
  const command = ['/bin/sh', '-c', script];
  const bed = await Bed.start({lease: config});
  const proxy = await RecordingProxy.start(bed.port);
  try {
    proxy.passesSockets = sockets;
    const {id} = await bed.runner('runner', {url: proxy.url, slots: 1});
    const isWelcome = (): boolean =>
      proxy.conversation.lines.some(line => line.kind === 'message' && line.message['t'] === 'welcome');
    await until('the welcome', isWelcome, 60_000);
    const submit = async () => bed.submit({prompt: 'Do what the command says.', agent: {driver: 'exec', command}});
    await play({bed, proxy, runner: runnerIdSchema.parse(id), submit});
    const said = [...proxy.conversation.lines];
    const {lines} = normalise(said, {keepsRenewals: isAboutRenewals({config})});
    return {header: {transcript, says, protocol: 'switchyard.runner.v1', config, sockets, command}, lines};
  } finally {
    await bed.stop();
    await proxy.close();
  }
}

/** `node test/conformance/record.ts [name]…` records the transcripts again. */
async function main(names: readonly string[]): Promise<void> {
  mkdirSync(new URL('.', transcriptUrl('')), {recursive: true});
  for (const recording of recordings) {
    if (names.length > 0 && !names.includes(recording.transcript)) continue;
    writeFileSync(transcriptUrl(recording.transcript), textOf(await record(recording)));
    process.stdout.write(`recorded ${recording.transcript}\n`);
  }
}

if (import.meta.main) await main(process.argv.slice(2));
