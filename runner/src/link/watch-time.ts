import {serverTimeOf, type ServerTime} from './envelope-check.ts';
import type {Link} from './link.ts';

/** The same link, whose welcomes also tell the time of the server. */
export function watchTime(link: Link, onTime: (time: ServerTime) => void): Link {
  return {
    start: handlers =>
      link.start({
        ...handlers,
        onMessage: message => {
          if (message.t === 'welcome') onTime(serverTimeOf(message));
          handlers.onMessage(message);
        },
      }),
    send: message => link.send(message),
    status: () => link.status(),
    close: async () => link.close(),
  };
}
