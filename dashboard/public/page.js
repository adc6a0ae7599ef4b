/**
 * What only the browser knows: where this installation is, for the commands of the page, and how it is, one card for
 * each part that `GET /v1/health` tried. Without a script the page says where both are found.
 */
const list = document.querySelector('#health');

function card(isGood, title, text) {
  const item = document.createElement('li');
  item.className = 'card';
  const heading = document.createElement('strong');
  const lamp = document.createElement('span');
  lamp.className = `lamp ${isGood ? 'good' : 'bad'}`;
  lamp.role = 'img';
  lamp.ariaLabel = isGood ? 'good:' : 'bad:';
  heading.append(lamp, title);
  const paragraph = document.createElement('p');
  paragraph.textContent = text;
  item.append(heading, paragraph);
  return item;
}

for (const place of document.querySelectorAll('.origin')) place.textContent = location.origin;

try {
  const response = await fetch('/v1/health', {signal: AbortSignal.timeout(10_000)});
  const {status, version, checks} = await response.json();
  const parts = Object.entries(checks).map(([name, {ok, detail, ms}]) =>
    card(ok, name, `${detail}, ${Math.round(ms)} ms`),
  );
  list.replaceChildren(card(status === 'ok', status === 'ok' ? 'Ready' : 'Degraded', `version ${version}`), ...parts);
} catch {
  list.replaceChildren(card(false, 'No answer', 'The control plane did not answer. Try again in a moment.'));
}
