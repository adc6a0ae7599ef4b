/** The peers are installed beside this file, so their types and code are resolved from here. */
export {Queue, Worker} from 'bullmq';
