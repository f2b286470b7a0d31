"""How does a docstring become an entry that reads well? What the API reference asks of Sphinx beyond its settings.

A Sphinx extension: ``conf.py`` lists ``course_utils.book.api_look`` after ``sphinx.ext.autodoc``.
"""

from __future__ import annotations

import dataclasses
import enum
import inspect
import re
import sys
from typing import Any, ForwardRef

LONGEST_VALUE = 60


def setup(app: Any) -> dict[str, Any]:
    """Connect what follows to the events that Sphinx documents."""
    app.connect("autodoc-process-signature", _process_signature)
    aside: dict[str, list[str]] = {}
    app.connect("autodoc-process-docstring", _before_napoleon(aside), priority=400)
    app.connect("autodoc-process-docstring", _after_napoleon(aside), priority=600)
    app.connect("autodoc-skip-member", _skip_member)
    app.connect("doctree-read", _qualify_types)
    app.connect("doctree-read", _quote_shapes)
    app.connect("doctree-read", _drop_long_values)
    app.connect("missing-reference", _link_short_name)
    app.connect("html-page-context", _lines_of_signatures)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def as_written(obj: Any, bound: bool = False) -> tuple[str, str] | None:
    """A signature with the annotations of the source: arguments, and what is returned; None if there is none to show.

    Autodoc evaluates annotations, which replaces the name of a type by what it stands for: three lines for one word.

    Args:
        obj: a function or a class.
        bound: leave the first argument out.
    """
    try:
        signature = inspect.signature(obj)
    except (TypeError, ValueError):
        return None
    parameters = list(signature.parameters.values())[1 if bound else 0 :]
    if [p.kind.name for p in parameters] == ["VAR_POSITIONAL", "VAR_KEYWORD"] and inspect.isclass(obj):
        return "", ""  # says nothing
    made = _factories(obj)
    result = "" if inspect.isclass(obj) else _text(signature.return_annotation)
    kept = signature.replace(
        parameters=[_shown(p, made) for p in parameters], return_annotation=inspect.Signature.empty
    )
    return str(kept), result


class _Verbatim:
    """Prints as the text that it was made of."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def _factories(obj: Any) -> dict[str, str]:
    """The calls that make a dataclass's defaults anew for each instance."""
    if not dataclasses.is_dataclass(obj):
        return {}
    factories = {field.name: field.default_factory for field in dataclasses.fields(obj)}
    return {name: f"{made.__name__}()" for name, made in factories.items() if inspect.isclass(made)}


def _text(annotation: Any) -> str:
    if annotation is inspect.Signature.empty:
        return ""
    if isinstance(annotation, ForwardRef):  # of a named tuple
        return annotation.__forward_arg__
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


def _shown(parameter: inspect.Parameter, made: dict[str, str]) -> inspect.Parameter:
    default = parameter.default
    if parameter.name in made:
        default = _Verbatim(made[parameter.name])
    elif default is not inspect.Parameter.empty:
        # What prints with its address in memory, or cannot be read back by Sphinx, is named or left open.
        default = _Verbatim(getattr(default, "__name__", "...") if "<" in repr(default) else repr(default))
    annotation = parameter.annotation
    if annotation is not inspect.Parameter.empty:
        annotation = _Verbatim(_text(annotation))
    return parameter.replace(default=default, annotation=annotation)


def returns_as_field(lines: list[str]) -> list[str]:
    """A docstring whose section ``Returns:`` is a field.

    Napoleon takes what stands before a colon in that section for a type. Here types are in the signature, and the colon
    is part of a sentence.
    """
    done: list[str] = []
    inside = False
    for line in lines:
        if line.strip() == "Returns:" and not line.startswith(" "):
            inside = True
            done += [":returns:"]
        elif inside and (line.startswith(" ") or not line.strip()):
            done.append(line)
        else:
            inside = False
            done.append(line)
    return done


def _process_signature(
    app: Any, what: str, name: str, obj: Any, options: Any, arguments: str | None, returned: str | None
) -> tuple[str, str] | None:
    if what == "class" and (getattr(obj, "_is_protocol", False) or issubclass(obj, enum.Enum)):
        return "", ""  # never called
    if what not in ("function", "method", "class", "exception") or arguments is None:
        return None
    return as_written(obj, bound=what == "method" and not inspect.ismethod(obj) and not _is_static(name, obj))


def _is_static(name: str, obj: Any) -> bool:
    owner = inspect.getmodule(obj)
    for part in getattr(obj, "__qualname__", "").split(".")[:-1]:
        owner = getattr(owner, part, None)
    return isinstance(inspect.getattr_static(owner, name.rsplit(".", 1)[-1], None), staticmethod)


def _before_napoleon(aside: dict[str, list[str]]) -> Any:
    def process(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
        lines[:] = returns_as_field(lines)
        # Of these napoleon takes what stands before a colon in the first line for a type, as it does of a return.
        if what in ("attribute", "data", "property") and lines and ":" in lines[0]:
            aside[name] = list(lines)

    return process


def _after_napoleon(aside: dict[str, list[str]]) -> Any:
    def process(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
        lines[:] = aside.pop(name, lines)

    return process


def _skip_member(app: Any, what: str, name: str, obj: Any, skip: bool, options: Any) -> bool | None:
    """A named tuple's fields stand in its signature."""
    return True if (getattr(obj, "__doc__", None) or "").startswith("Alias for field number") else None


def _quote_shapes(app: Any, doctree: Any) -> None:
    """Shapes and defaults in double quotes, as the source has them."""
    from docutils import nodes
    from sphinx import addnodes

    for node in doctree.findall(addnodes.desc_sig_literal_string):
        text = node.astext()
        if text[:1] == "'" and '"' not in text:
            node.children = [nodes.Text(f'"{text[1:-1]}"')]
    for node in doctree.findall(nodes.inline):
        text = node.astext()
        if "default_value" in node["classes"] and text[:1] == "'" and '"' not in text:
            node.children = [nodes.Text(text.replace("'", '"'))]


def _qualify_types(app: Any, doctree: Any) -> None:
    """A type's name in a signature means what it means in the module of that signature."""
    from sphinx import addnodes

    for node in doctree.findall(addnodes.pending_xref):
        module = sys.modules.get(node.get("py:module") or "")
        if module is None or node.get("refdomain") != "py" or "." in node["reftarget"]:
            continue
        found = vars(module).get(node["reftarget"])
        if inspect.isclass(found) and found.__module__.startswith("course_utils"):
            node["reftarget"] = f"{found.__module__}.{found.__qualname__}"
        if node.hasattr("refspecific"):
            del node["refspecific"]  # else Sphinx warns of namesakes in other modules; see _link_short_name


def _drop_long_values(app: Any, doctree: Any) -> None:
    """A constant's value is shown if it is short and the same in every process."""
    from sphinx import addnodes

    for signature in doctree.findall(addnodes.desc_signature):
        for part in list(signature.findall(addnodes.desc_annotation)):
            value = part.astext()
            if value.startswith(" = ") and (len(value) > LONGEST_VALUE or "<" in value):
                part.parent.remove(part)


def _lines_of_signatures(app: Any, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    """Sphinx makes a list of definitions without terms of a long signature: screen readers stumble over it."""

    def as_spans(found: re.Match[str]) -> str:
        lines = found[1].replace("<dd>", '<span class="sig-line">').replace("</dd>", "</span>")
        return f'<span class="sig-lines">{lines}</span>'

    if "body" in context:
        context["body"] = re.sub(
            r'<dl>\n(<dd><em class="sig-param.*?)</dl>', as_spans, context["body"], flags=re.DOTALL
        )


def _link_short_name(app: Any, env: Any, node: Any, contnode: Any) -> Any:
    """A type's bare name leads to the only object of that name in the reference, wherever it is used."""
    from sphinx.util.nodes import make_refnode

    target = node.get("reftarget", "").rsplit(".", 1)[-1]
    if node.get("refdomain") != "py" or not target:
        return None
    found = [
        (name, entry)
        for name, entry in env.domains["py"].objects.items()
        if name.endswith(f".{target}") and entry.objtype in ("class", "exception", "data", "type")
    ]
    if len(found) != 1 or node.get("refdoc") is None:
        return None
    name, entry = found[0]
    return make_refnode(app.builder, node["refdoc"], entry.docname, entry.node_id, contnode, name)
