// One answer: the verdict in words, then the names with bars and numbers.
import { html } from './html.js';
import { strings } from './strings.js';
import { Name, Note } from './parts.js';
import { bestName, nameOf } from './names.js';
import { info } from './api.js';
import { useStore } from './store.js';

const KINDS = { species: 'ok', one_of: 'warn', cant_tell: 'warn', not_a_target: 'info' };

export function Answer({ answer, headingRef }) {
  useStore(info); // names may come later
  return html`<${Note} kind=${KINDS[answer.verdict]} title=${strings.verdict[answer.verdict](bestName(answer))} headingRef=${headingRef}>
      <p>${strings.advice[answer.verdict]}</p>
    <//>
    <ol class="card candidates" aria-label=${strings.candidates}>
      ${answer.predictions.map((each) => html`<${Candidate} key=${each.label} candidate=${each} model=${answer.model} />`)}
    </ol>`;
}

function Candidate({ candidate, model }) {
  return html`<li class="candidate">
    <div><${Name} ...${nameOf(candidate.label, model)} />
      <div class="bar" aria-hidden="true"><i style=${{ width: `${100 * candidate.confidence}%` }}></i></div></div>
    <span class="num">${strings.percent(candidate.confidence)}</span>
  </li>`;
}
