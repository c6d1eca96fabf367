// htm on Preact: markup in template strings, without a build.
import { h } from 'preact';
import htm from 'htm';

export const html = htm.bind(h);
