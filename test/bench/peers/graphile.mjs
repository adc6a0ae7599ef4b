// Resolved from here, beside which the peers are installed.
export {Logger, makeWorkerUtils, run} from 'graphile-worker';
