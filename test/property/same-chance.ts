import fc from 'fast-check';
import {everyProperty} from './fuzz-settings.ts';

/** Loaded before every file of tests: wherever a property stands, `npm test` tries the same values each time. */
fc.configureGlobal(everyProperty);
