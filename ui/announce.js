// One polite live region for the whole page.
import { createStore } from './store.js';

export const announcement = createStore('');

export function announce(sentence) {
  announcement.set(''); // so that the same sentence is spoken again
  setTimeout(() => announcement.set(sentence), 50);
}
