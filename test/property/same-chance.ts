import fc from 'fast-check';
import {everyProperty} from './fuzz-settings.ts';

/**
 * Loaded before the unit tests, and by each file of another suite that has a property: to load fast-check for all of those
 * files takes a twentieth of their time. Wherever a property stands, `npm test` tries the same values each time.
 */
fc.configureGlobal(everyProperty);
