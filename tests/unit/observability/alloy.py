"""Alloy's language as far as our file uses it: its blocks, their arguments, and what refers to what."""

import re
from dataclasses import dataclass, field
from itertools import pairwise

BLOCKS: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    # name: its arguments, the blocks within it
    "logging": (frozenset({"level", "format", "write_to"}), frozenset()),
    "discovery.docker": (
        frozenset({"host", "port", "refresh_interval", "host_networking_host", "match_first_network"}),
        frozenset({"filter"}),
    ),
    "filter": (frozenset({"name", "values"}), frozenset()),
    "discovery.relabel": (frozenset({"targets"}), frozenset({"rule"})),
    "rule": (
        frozenset({"source_labels", "separator", "regex", "modulus", "target_label", "replacement", "action"}),
        frozenset(),
    ),
    "loki.source.docker": (
        frozenset({"host", "targets", "forward_to", "labels", "relabel_rules", "refresh_interval"}),
        frozenset({"client"}),
    ),
    "loki.process": (
        frozenset({"forward_to"}),
        frozenset({"stage.json", "stage.template", "stage.labels", "stage.structured_metadata"}),
    ),
    "stage.json": (frozenset({"expressions", "source", "drop_malformed"}), frozenset()),
    "stage.template": (frozenset({"source", "template"}), frozenset()),
    "stage.labels": (frozenset({"values"}), frozenset()),
    "stage.structured_metadata": (frozenset({"values", "regex"}), frozenset()),
    "loki.write": (frozenset({"external_labels", "max_streams"}), frozenset({"endpoint", "wal"})),
    "endpoint": (frozenset({"url", "name", "headers", "tenant_id", "batch_wait", "batch_size"}), frozenset()),
}
EXPORTS = {
    "discovery.docker": {"targets"},
    "discovery.relabel": {"output", "rules"},
    "loki.process": {"receiver"},
    "loki.write": {"receiver"},
}
LABELLED = {"discovery.docker", "discovery.relabel", "loki.source.docker", "loki.process", "loki.write"}
FUNCTIONS = {"coalesce", "sys.env"}
_TOKEN = re.compile(r'\s*(?:(//[^\n]*)|("(?:[^"\\]|\\.)*")|([A-Za-z_][\w.]*)|([{}()\[\]=,+]))')


@dataclass
class Block:
    name: str
    label: str = ""
    arguments: dict[str, list[str]] = field(default_factory=dict)
    blocks: list["Block"] = field(default_factory=list)


class BadSyntax(ValueError):
    """It cannot be read."""


def _tokens(text: str) -> list[str]:
    found, at = [], 0
    while text[at:].strip():
        token = _TOKEN.match(text, at)
        if not token:
            raise BadSyntax(f"cannot read {text[at : at + 30]!r}")
        at = token.end()
        if not token[1]:
            found.append(token[2] or token[3] or token[4])
    return found


def parsed(text: str) -> list[Block]:
    tokens = _tokens(text)
    blocks, rest = _body(tokens, 0, top=True)
    if rest != len(tokens):
        raise BadSyntax("a bracket closes nothing")
    return blocks.blocks


def _body(tokens: list[str], at: int, *, top: bool = False) -> tuple[Block, int]:
    here = Block("")
    while at < len(tokens):
        token = tokens[at]
        if token == "}":
            if top:
                return here, at
            return here, at + 1
        following = tokens[at + 1] if at + 1 < len(tokens) else ""
        if following == "=":
            value, at = _value(tokens, at + 2)
            here.arguments[token] = value
        else:
            label = following.strip('"') if following.startswith('"') else ""
            at += 2 if label else 1
            if at >= len(tokens) or tokens[at] != "{":
                raise BadSyntax(f"{token} opens no block")
            block, at = _body(tokens, at + 1)
            block.name, block.label = token, label
            here.blocks.append(block)
    if not top:
        raise BadSyntax("a block is not closed")
    return here, at


def _value(tokens: list[str], at: int) -> tuple[list[str], int]:
    depth, value = 0, []
    while at < len(tokens):
        token = tokens[at]
        depth += (token in "{[(") - (token in "}])")
        value.append(token)
        at += 1
        if depth == 0:
            return value, at
    raise BadSyntax("a value is not closed")


def problems(text: str) -> list[str]:
    """What Alloy would refuse: blocks and arguments that it does not know, and references that lead nowhere."""
    blocks = parsed(text)
    found = [problem for block in blocks for problem in _known(block, within=None)]
    exported = {f"{block.name}.{block.label}.{each}" for block in blocks for each in EXPORTS.get(block.name, ())}
    for block in blocks:
        for value in block.arguments.values():
            for word in value:
                if not word.startswith('"') and word.count(".") >= 2 and word not in exported:
                    found.append(f"{block.name} {block.label}: {word} is exported by nothing")
    return found


def _known(block: Block, within: str | None) -> list[str]:
    if block.name not in BLOCKS or (within is not None and block.name not in BLOCKS[within][1]):
        return [f"there is no block {block.name} in {within or 'the file'}"]
    found = [f"{block.name} has no argument {name}" for name in block.arguments if name not in BLOCKS[block.name][0]]
    for value in block.arguments.values():
        called = [word for word, after in pairwise(value) if after == "(" and word not in FUNCTIONS]
        found += [f"{block.name} calls {word}, which there is not" for word in called]
    if (block.name in LABELLED) != bool(block.label):
        found.append(f"{block.name} has {'a' if block.label else 'no'} label")
    return found + [problem for each in block.blocks for problem in _known(each, within=block.name)]
