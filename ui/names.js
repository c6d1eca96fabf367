// What a label is called.
import { info } from './api.js';
import { strings } from './strings.js';

function model(name) {
  return info.get()?.models.find((each) => each.name === name);
}

// {name, binomial}: the common name with the scientific one beside it, where there are both.
export function nameOf(label, modelName) {
  const served = model(modelName);
  if (served?.negative_labels.includes(label)) return { name: strings.somethingElse, binomial: null };
  const common = served?.common_names[label];
  return common && common !== label ? { name: common, binomial: label } : { name: label, binomial: null };
}

// Of an answer; the record's own common name where the served model does not know the label any more.
export function bestName(answer) {
  const { name } = nameOf(answer.label, answer.model);
  return name === answer.label ? (answer.common_name ?? name) : name;
}
