# SPDX-License-Identifier: Apache-2.0
"""Reads Sigma rules with pySigma and says what it made of them and which events they match.

Input and output are one JSON document each, on the standard streams; judge_test.go has both forms.

pySigma turns rules into queries and leaves their meaning to the systems that run them. What follows judges events by
pySigma's own condition tree and needs a meaning for what it leaves open. That is what the package sigma documents:
text without regard to case, keywords anywhere in a text, the decimal form of numbers, an absent field as null, and any
of a field's values.
"""

import datetime
import decimal
import ipaddress
import json
import re
import sys

import re2
import yaml
from sigma import modifiers, types
from sigma.collection import SigmaCollection
from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionIdentifier,
    ConditionNOT,
    ConditionOR,
    ConditionSelector,
)
from sigma.rule import SigmaDetection
from sigma.rule.base import SigmaYAMLLoader

ANCHORS = {
    modifiers.SigmaContainsModifier: "contains",
    modifiers.SigmaStartswithModifier: "startswith",
    modifiers.SigmaEndswithModifier: "endswith",
}

# Python reads more than the forms that logs have.
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?)?", re.ASCII)


# What pySigma read.


def items_of(detection):
    """All detection items below a detection."""
    for item in detection.detection_items:
        if isinstance(item, SigmaDetection):
            yield from items_of(item)
        else:
            yield item


def anchor_of(item):
    return next((ANCHORS[m] for m in item.modifiers if m in ANCHORS), "")


def has_regexp(item):
    return modifiers.SigmaRegularExpressionModifier in item.modifiers


def settle_keywords(item):
    """Puts wildcards around keywords, because pySigma does not say where in an event they are looked for."""
    if item.field is not None or anchor_of(item) or has_regexp(item):
        return
    contains = modifiers.SigmaContainsModifier(item, [])
    values = [types.SigmaString(str(v)) if isinstance(v, (types.SigmaNumber, types.SigmaBool)) else v for v in item.value]
    texts = (types.SigmaString, types.SigmaExpansion)
    item.value = [w for v in values for w in (contains.apply(v) if isinstance(v, texts) else [v])]


def settle_regexps(item):
    """Marks the expressions that pySigma widened with ".*", which only makes sense where the whole value is covered."""
    for value in item.value:
        if isinstance(value, types.SigmaRegularExpression):
            value.whole = anchor_of(item) != ""


def alternatives_of(detection):
    """A detection as alternatives (one must hold) of items (all must hold)."""
    if any(not isinstance(item, SigmaDetection) for item in detection.detection_items):
        return [[described_item(item) for item in detection.detection_items]]
    return [alternative for inner in detection.detection_items for alternative in alternatives_of(inner)]


def described_item(item):
    values = [flattened(value) for value in item.value]
    return {
        "field": item.field or "",
        "all": item.value_linking is ConditionAND,
        "negate": item.negated,
        "values": [[described_value(v, item, i) for v in alternatives] for i, alternatives in enumerate(values)],
    }


def flattened(value):
    if isinstance(value, types.SigmaExpansion):
        return [inner for v in value.values for inner in flattened(v)]
    return [value]


def described_value(value, item, index):
    match value:
        case types.SigmaTimestampPart():
            return {"kind": "time", "unit": value.timestamp_part.name.lower(), "number": value.number}
        case types.SigmaNumber():
            return {"kind": "number", "number": value.number}
        case types.SigmaCompareExpression():
            return described_value(value.number, item, index) | described_order(value)
        case types.SigmaString():
            cased = isinstance(value, types.SigmaCasedString)
            return {"kind": "text", "text": described_text(value), "cased": cased}
        case types.SigmaBool():
            return {"kind": "bool", "bool": value.boolean}
        case types.SigmaNull():
            return {"kind": "null"}
        case types.SigmaRegularExpression():
            # The source is the one before pySigma wrote an anchor into it.
            source = str(item.original_value[index].original)
            flags = "".join(sorted(value.sigma_to_re_flag[flag] for flag in value.flags))
            return {"kind": "re", "text": source, "flags": flags, "anchor": anchor_of(item)}
        case types.SigmaCIDRExpression():
            return {"kind": "cidr", "text": str(value.network)}
        case types.SigmaExists():
            return {"kind": "exists", "bool": value.exists}
        case types.SigmaFieldReference():
            return {"kind": "fieldref", "text": value.field, "anchor": reference_anchor(value)}
    raise TypeError(f"unknown value {value!r}")


def described_order(value):
    timed = isinstance(value.number, types.SigmaTimestampPart)
    return {"kind": "time" if timed else "compare", "op": value.op.name.lower()}


def reference_anchor(value):
    match value.starts_with, value.ends_with:
        case True, True:
            return "contains"
        case True, False:
            return "startswith"
        case False, True:
            return "endswith"
    return ""


def described_text(value):
    """A pattern as Sigma text with everything escaped that can be."""
    if value.contains_placeholder():
        raise ValueError("a placeholder is left, which is an error when rules are converted")
    escaped = [re.sub(r"([\\*?])", r"\\\1", part) if isinstance(part, str) else wildcard(part) for part in value.s]
    return "".join(escaped)


def wildcard(part):
    return {types.SpecialChars.WILDCARD_MULTI: "*", types.SpecialChars.WILDCARD_SINGLE: "?"}[part]


def described_condition(tree, detections):
    match tree:
        case ConditionIdentifier():
            return {"op": "ref", "selections": [tree.identifier]}
        case ConditionSelector():
            op = "all" if tree.cond_class is ConditionAND else "any"
            named = tree.resolve_referenced_detections(detections)
            return {"op": op, "selections": sorted(n.identifier for n in named)}
    op = {ConditionAND: "and", ConditionOR: "or", ConditionNOT: "not"}[type(tree)]
    return {"op": op, "terms": [described_condition(arg, detections) for arg in tree.args]}


# Whether an event matches.


class Event:
    def __init__(self, fields, keywords):
        self.fields, self.keywords = fields, keywords

    def values(self, field):
        """All values of a field; where there is nothing, that is the single value None."""
        return self.fields.get(field) or [None]


def holds(tree, event):
    match tree:
        case ConditionAND():
            return all(holds(arg, event) for arg in tree.args)
        case ConditionOR():
            return any(holds(arg, event) for arg in tree.args)
        case ConditionNOT():
            return not holds(tree.args[0], event)
        case ConditionFieldEqualsValueExpression():
            return field_holds(tree.field, tree.value, event)
    return any(value_holds(tree.value, text, event) for text in event.keywords)


def field_holds(field, value, event):
    if isinstance(value, types.SigmaExists):
        return (field in event.fields) == value.exists
    return any(value_holds(value, v, event) for v in event.values(field))


def value_holds(want, value, event):
    """Whether one value of an event is what the rule wants."""
    match want:
        case types.SigmaExpansion():
            return any(value_holds(w, value, event) for w in want.values)
        case types.SigmaNull():
            return value is None
        case types.SigmaCompareExpression():
            return compared(want, value)
        case types.SigmaTimestampPart():
            return time_part(want, value) == want.number
        case types.SigmaNumber():
            return number_holds(want.number, value)
        case types.SigmaBool():
            return value is want.boolean or isinstance(value, str) and value.lower() == text_of(want.boolean)
        case types.SigmaString():
            return text_holds(want, value)
        case types.SigmaRegularExpression():
            return regexp_holds(want, value)
        case types.SigmaCIDRExpression():
            return address_holds(want.network, value)
        case types.SigmaFieldReference():
            return any(reference_holds(want, value, other) for other in event.values(want.field))
    raise TypeError(f"unknown value {want!r}")


def text_of(value):
    """The form in which a value is compared with text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return format(decimal.Decimal(repr(value)), "f").removesuffix(".0")
    return None if value is None else str(value)


def folded(text):
    """Text without case, character by character: a character whose folding is several keeps its lower form."""
    return "".join(next((f for f in (c.casefold(), c.lower()) if len(f) == 1), c) for c in text)


def text_holds(want, value):
    text = text_of(value)
    if text is None:
        return False
    case = str if isinstance(want, types.SigmaCasedString) else folded
    forms = {types.SpecialChars.WILDCARD_MULTI: ".*", types.SpecialChars.WILDCARD_SINGLE: "."}
    pattern = "".join(re.escape(case(part)) if isinstance(part, str) else forms[part] for part in want.s)
    return re.fullmatch(pattern, case(text), re.DOTALL) is not None


def regexp_holds(want, value):
    text = text_of(value)
    if text is None:
        return False
    flags = "".join(want.sigma_to_re_flag[flag] for flag in want.flags)
    compiled = re2.compile((f"(?{flags})" if flags else "") + str(want.regexp))
    found = compiled.fullmatch(text) if want.whole else compiled.search(text)
    return found is not None


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def number_holds(want, value):
    if isinstance(value, str):
        return value == text_of(want)
    return is_number(value) and value == want


def address_holds(network, value):
    try:
        address = ipaddress.ip_address(value if isinstance(value, str) else "")
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address) in network


def reference_holds(want, value, other):
    anchor = reference_anchor(want)
    if anchor == "" and is_number(value) and is_number(other):
        return value == other
    text, part = text_of(value), text_of(other)
    if text is None or part is None:
        return False
    text, part = folded(text), folded(part)
    match anchor:
        case "contains":
            return part in text
        case "startswith":
            return text.startswith(part)
        case "endswith":
            return text.endswith(part)
    return text == part


def number_of(value):
    if isinstance(value, str) and re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", value, re.ASCII):
        return decimal.Decimal(value)
    return value if is_number(value) else None


def compared(want, value):
    timed = isinstance(want.number, types.SigmaTimestampPart)
    number = time_part(want.number, value) if timed else number_of(value)
    if number is None:
        return False
    limit = want.number.number
    return {"LT": number < limit, "LTE": number <= limit, "GT": number > limit, "GTE": number >= limit}[want.op.name]


def time_part(want, value):
    """The part of a timestamp in its own zone, None where there is none."""
    if not isinstance(value, str) or not TIMESTAMP.fullmatch(value):
        return None
    try:
        at = datetime.datetime.fromisoformat(value)
    except ValueError:
        return None
    if want.timestamp_part is types.TimestampPart.WEEK:
        return at.isocalendar().week
    return getattr(at, want.timestamp_part.name.lower())


# The program.


def judged(rule, events):
    """One rule as pySigma read it, with the verdict on each event."""
    answer = {"title": rule.title if isinstance(rule.title, str) else ""}
    if not hasattr(rule, "detection"):
        return answer | {"error": "no detection rule"}
    try:
        if rule.errors:
            raise rule.errors[0]
        detections = rule.detection
        for detection in detections.detections.values():
            for item in items_of(detection):
                settle_keywords(item)
                settle_regexps(item)
        trees = [c.parse() for c in detections.parsed_condition]
        answer["conditions"] = [described_condition(c.parse(False), detections) for c in detections.parsed_condition]
        answer["selections"] = {name: alternatives_of(d) for name, d in detections.detections.items()}
        answer["verdicts"] = [any(holds(tree, event) for tree in trees) for event in events]
    except Exception as error:  # whatever it is, pySigma does not take the rule
        return answer | {"error": f"{type(error).__name__}: {error}"}
    return answer


def judged_file(case):
    events = [Event(e["fields"], e["keywords"]) for e in case["events"]]
    try:
        documents = list(yaml.load_all(case["source"], SigmaYAMLLoader))
        rules = SigmaCollection.from_dicts(documents, collect_errors=True, collect_filters=True, resolve_references=False)
    except Exception as error:  # as above, for the whole file
        return {"error": f"{type(error).__name__}: {error}", "rules": []}
    return {"rules": [judged(rule, events) for rule in rules.rules]}


json.dump([judged_file(case) for case in json.load(sys.stdin)], sys.stdout)
