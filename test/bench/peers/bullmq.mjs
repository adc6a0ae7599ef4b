// Resolved from here, beside which the peers are installed.
export {Queue, Worker} from 'bullmq';
