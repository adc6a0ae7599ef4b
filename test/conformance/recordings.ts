import {cancelTask, messageTask} from '@switchyard/shared/api/task-contracts.ts';
import {drainRunner, revokeRunner} from '@switchyard/shared/api/runner-contracts.ts';
import type {TaskView} from '@switchyard/shared/api/task-view.ts';
import type {RunnerId} from '@switchyard/shared/domain/id.ts';
import type {Bed} from '../fixtures/installation.ts';
import {until} from '../fixtures/until.ts';
import type {RecordingProxy} from './recording-proxy.ts';
import type {TranscriptHeader} from './transcript.ts';

/** What a recording can do, and what it can see. */
export type Studio = {
  readonly bed: Bed;
  readonly proxy: RecordingProxy;
  readonly runner: RunnerId;
  /** Submits the one kind of task that the transcript has. */
  readonly submit: () => Promise<TaskView>;
};

export type Recording = Pick<TranscriptHeader, 'transcript' | 'says' | 'sockets'> & {
  readonly script: string;
  /** Far apart, unless the transcript is about renewals. */
  readonly renewMs: number;
  readonly play: (studio: Studio) => Promise<void>;
};

const seldomMs = 60_000;
const ttlMs = 240_000;

export const leaseOf = ({renewMs}: Pick<Recording, 'renewMs'>): TranscriptHeader['config'] => ({
  ttl_ms: ttlMs,
  renew_ms: renewMs,
  grace_ms: 10_000,
  offer_ms: 10_000,
  soft_stop_ms: 15_000,
  hard_kill_ms: 2_000,
});

/** Seconds for which an agent works while something is done to it: enough on a machine that has other work. */
const busyS = 10;

const marks = 'echo "mark 1"; echo "mark 2"';

/** Every conversation that is recorded from the real pair. */
export const recordings: readonly Recording[] = [
  {
    transcript: 'one-task',
    says: 'A runner opens a session, takes a task, brings its log home and reports its end.',
    sockets: true,
    script: marks,
    renewMs: seldomMs,
    play: async ({submit, proxy}) => {
      await submit();
      await heard(proxy, 'exit_ack');
    },
  },
  {
    transcript: 'a-task-that-fails',
    says: 'An agent that ends with a code of its own has failed; its log comes home all the same.',
    sockets: true,
    script: `${marks}; exit 3`,
    renewMs: seldomMs,
    play: async ({submit, proxy}) => {
      await submit();
      await heard(proxy, 'exit_ack');
    },
  },
  {
    transcript: 'renewal',
    says: 'While an agent runs, every renewal names it and is answered.',
    sockets: true,
    script: `${marks}; sleep 3`,
    renewMs: 700,
    play: async ({submit, proxy}) => {
      await submit();
      await heard(proxy, 'exit_ack');
    },
  },
  {
    transcript: 'cancel',
    says: 'A task is cancelled while its agent runs.',
    sockets: true,
    script: `${marks}; sleep 60`,
    renewMs: seldomMs,
    play: async ({submit, bed, proxy}) => {
      const {id} = await submit();
      await running(bed, id);
      await printed(proxy, 'mark 2');
      await bed.client.call(cancelTask, {params: {task: id}, body: {reason: 'not wanted'}});
      await heard(proxy, 'exit_ack');
    },
  },
  {
    transcript: 'message',
    says: 'A person sends a message to an agent that takes none.',
    sockets: true,
    script: `${marks}; sleep ${busyS}`,
    renewMs: seldomMs,
    play: async ({submit, bed, proxy}) => {
      const {id} = await submit();
      await running(bed, id);
      await printed(proxy, 'mark 2');
      await bed.client.call(messageTask, {params: {task: id}, body: {text: 'hello'}});
      await heard(proxy, 'exit_ack');
    },
  },
  {
    transcript: 'reconnect',
    says: 'The network goes while an agent runs: the session and the log are opened again and go on where they were.',
    sockets: true,
    script: `echo "mark 1"; sleep ${busyS}; echo "mark 2"`,
    renewMs: seldomMs,
    play: async ({submit, bed, proxy}) => {
      const {id} = await submit();
      await running(bed, id);
      await printed(proxy, 'mark 1');
      proxy.cut();
      await heard(proxy, 'exit_ack');
    },
  },
  {
    transcript: 'drain',
    says: 'A runner is drained while it works: what it holds goes on to its end.',
    sockets: true,
    script: `${marks}; sleep ${busyS}`,
    renewMs: seldomMs,
    play: async ({submit, bed, runner, proxy}) => {
      const {id} = await submit();
      await running(bed, id);
      await printed(proxy, 'mark 2');
      await bed.client.call(drainRunner, {params: {runner}});
      await heard(proxy, 'exit_ack');
    },
  },
  {
    transcript: 'revoked',
    says: 'A runner is revoked: its session is closed, and it does not come back.',
    sockets: true,
    script: marks,
    renewMs: seldomMs,
    play: async ({bed, runner, proxy}) => {
      await bed.client.call(revokeRunner, {params: {runner}});
      await until('the end of the session', () => proxy.conversation.lines.some(({kind}) => kind === 'closed'));
    },
  },
  {
    transcript: 'polling',
    says: 'Where no WebSocket passes, the same messages travel by requests.',
    sockets: false,
    script: marks,
    renewMs: seldomMs,
    play: async ({submit, proxy}) => {
      await submit();
      await heard(proxy, 'exit_ack');
    },
  },
];

async function heard(proxy: RecordingProxy, type: string): Promise<void> {
  const {lines} = proxy.conversation;
  await until(type, () => lines.some(line => line.kind === 'message' && line.message['t'] === type), 60_000);
}

/** The log has come so far, and was acknowledged. */
async function printed(proxy: RecordingProxy, text: string): Promise<void> {
  const {lines} = proxy.conversation;
  await until(`${text} in the log`, () => {
    const bytes = Buffer.concat(lines.flatMap(line => (line.kind === 'frame' ? [line.frame.bytes] : [])));
    const ack = lines.findLast(line => line.kind === 'message' && line.message['t'] === 'ack');
    const isAcknowledged = ack?.kind === 'message' && ack.message['len'] === bytes.length;
    return isAcknowledged && bytes.toString('utf8').includes(text);
  });
}

async function running(bed: Bed, id: TaskView['id']): Promise<void> {
  await bed.until(id, 'running', ({phase}) => phase === 'running');
}
