import type {Scenario} from './scenario.ts';
import {exitScenarios} from './scenarios/exits.ts';
import {leaseScenarios} from './scenarios/leases.ts';
import {logScenarios} from './scenarios/logs.ts';
import {offerScenarios} from './scenarios/offers.ts';
import {orderScenarios} from './scenarios/orders.ts';
import {pollScenarios, restartScenarios} from './scenarios/restarts.ts';
import {sessionScenarios} from './scenarios/session.ts';
import {replayOf} from './replay.ts';
import {readTranscript, transcriptNames} from './transcript.ts';

export type ScenarioGroup = {readonly title: string; readonly scenarios: readonly Scenario[]};

/** Everything that a runner must do, in the order in which a report shows it. The first one must hold for the others. */
export const scenarioGroups: readonly ScenarioGroup[] = [
  {title: 'Sessions', scenarios: sessionScenarios},
  {title: 'Offers', scenarios: offerScenarios},
  {title: 'Leases', scenarios: leaseScenarios},
  {title: 'Logs', scenarios: logScenarios},
  {title: 'Exits and verdicts', scenarios: exitScenarios},
  {title: 'Orders', scenarios: orderScenarios},
  {title: 'Restarts', scenarios: restartScenarios},
  {title: 'Polling', scenarios: pollScenarios},
  {title: 'Recorded conversations', scenarios: transcriptNames().map(name => replayOf(readTranscript(name)))},
];

export const allScenarios: readonly Scenario[] = scenarioGroups.flatMap(({scenarios}) => scenarios);
