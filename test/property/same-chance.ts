import fc from 'fast-check';
import {everyProperty} from './fuzz-settings.ts';

/**
 * Loaded before the unit tests; a file of another suite that has a property does it itself, because to load fast-check for
 * all of those files takes a twentieth of their time. Wherever a property stands, `npm test` tries the same values each time.
 */
fc.configureGlobal(everyProperty);
