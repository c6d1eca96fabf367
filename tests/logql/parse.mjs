// Reads a JSON list of LogQL queries on standard input; says of each what it names, and where it cannot be read.
import { parser } from "@grafana/lezer-logql";

const TEMPLATE = /\{\{\s*\.(\w+)\s*\}\}/g;

function read(query) {
  const found = { errors: [], labels: [], fields: [] };
  let selector = 0;
  parser.parse(query).iterate({
    enter(node) {
      const text = query.slice(node.from, node.to);
      if (node.type.isError) found.errors.push(node.from);
      if (node.name === "Selector") selector += 1;
      if (node.name === "Identifier") (selector ? found.labels : found.fields).push(text);
      // What stands right of `=` is the field of the line; what stands left only names it.
      if (node.name === "LabelExtractionExpression") {
        found.fields.push(text.slice(text.indexOf("=") + 1).replaceAll(/[`"]/g, ""));
      }
      if (node.name === "String" && node.node.parent?.name === "LineFormatExpr") {
        found.fields.push(...[...text.matchAll(TEMPLATE)].map((each) => each[1]));
      }
    },
    leave(node) {
      if (node.name === "Selector") selector -= 1;
    },
  });
  return found;
}

let input = "";
for await (const part of process.stdin) input += part;
process.stdout.write(JSON.stringify(JSON.parse(input).map(read)));
