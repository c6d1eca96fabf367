// What each alert means and what to do; made from the same place as the alerts, and there without a network.
import { useEffect, useState } from 'preact/hooks';
import { html } from '../html.js';
import { strings } from '../strings.js';
import { Severity } from '../alerts.js';
import { Icon, Loading, Note } from '../parts.js';

const text = strings.runbooks;
let books = null;

async function load() {
  const answer = await fetch('/ui/runbooks.json');
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  return answer.json();
}

// What stands between backticks is to be typed, or a name.
const marked = (sentence) => sentence.split('`').map((part, number) => (number % 2 ? html`<code>${part}</code>` : part));

export function Runbooks({ id: name }) {
  const [all, setAll] = useState(books);
  const [failed, setFailed] = useState(false);
  useEffect(() => {
    if (!all) load().then((loaded) => setAll((books = loaded)), () => setFailed(true));
  }, []);
  if (failed) return html`<h1>${text.title}</h1><${Note} kind="danger" title=${strings.problems.unreachable.title}><p>${strings.problems.unreachable.detail}</p><//>`;
  if (!all) return html`<h1>${name || text.title}</h1><${Loading} label=${text.loading} />`;
  if (!name) return html`<h1>${text.title}</h1><${Back} /><ul class="cards">${all.map((book) => html`<li key=${book.name}><a class="card model" href=${`#/runbooks/${book.name}`}>
    <span class="row"><${Severity} of=${book.severity} /><strong>${book.name}</strong></span><span>${marked(book.summary)}</span></a></li>`)}</ul>`;
  const book = all.find((each) => each.name === name);
  if (!book) return html`<h1>${text.unknown}</h1><p>${text.unknownText(name)} <a href="#/runbooks">${text.title}</a></p>`;
  return html`<h1>${book.name}</h1><${Back} />
    <article class="card stack"><p class="row"><${Severity} of=${book.severity} /><strong>${marked(book.summary)}</strong></p>
      <p>${marked(book.meaning)}</p><h2>${text.steps}</h2><ol class="steps">${book.steps.map((step) => html`<li>${marked(step)}</li>`)}</ol>
    </article>`;
}

const Back = () => html`<p><a class="back" href="#/status"><${Icon} name="arrow-left" />${text.back}</a></p>`;
