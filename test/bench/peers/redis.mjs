// Resolved from here, beside which the peers are installed.
export {Redis} from 'ioredis';
