import type {ProxyStatus} from '../agent/proxy/proxy-status.ts';
import {duration} from './units.ts';

/** The proxy of this machine for a person: whether agents reach a model through it, since when, how many, and what to do. */
export function proxyLine({state, trouble, since_ms: sinceMs, attempts}: ProxyStatus, nowMs: number): string {
  const since = sinceMs === null ? '' : ` for ${duration(Math.max(0, nowMs - sinceMs))}`;
  const used = attempts === null ? '' : `, used by ${attempts} ${attempts === 1 ? 'attempt' : 'attempts'}`;
  const why = trouble === null ? '' : `; ${trouble}`;
  return `${state}${since}${used}${why}${nextStep[state]}`;
}

const nextStep: Readonly<Record<ProxyStatus['state'], string>> = {
  listening: '',
  healing: ', and the runner makes it anew',
  dead: ': no runner runs here, switchyard runner start or up starts one',
};
