import type {Step} from './checker.ts';
import type {Design} from './lease-designs.ts';
import type {Bounds, LeaseState, Machine, Message, Runner} from './lease-state.ts';

export type Rules = Design & Bounds & {readonly suspends: boolean};

export type LeaseStep = Step<LeaseState>;

/** A full network loses what is sent: losing is allowed anyway. */
export function send({messagesMax}: Bounds, network: readonly Message[], message: Message): readonly Message[] {
  return network.length < messagesMax ? [...network, message] : network;
}

export function hasRoom({messagesMax}: Bounds, {network}: LeaseState): boolean {
  return network.length < messagesMax;
}

/** Only a deadline that counts from an echo depends on the age of a message; other designs need not tell ages apart. */
export function countsAges({selfFence, deadlineFrom}: Design): boolean {
  return selfFence && deadlineFrom === 'echo';
}

/** An age at which a lease is over is as old as any. */
export function older({leaseTicks}: Bounds, message: Message): Message {
  return {...message, age: Math.min(leaseTicks, message.age + 1)};
}

export function withRunner(state: LeaseState, machine: Machine, change: Partial<Runner>): LeaseState {
  return {...state, runners: {...state.runners, [machine]: {...state.runners[machine], ...change}}};
}
