"""``rest-reference``: a section for each operation of the REST contract."""

import json
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from docutils import nodes
from msgspec import UNSET
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from simplestack.plugins.examples import Example
from simplestack.server.openapi.examples import read_examples
from simplestack.wording import uncapitalized
from simplestack_docs.installed import hypervisors
from simplestack_docs.prose import code, inline, paragraph, paragraphs, table
from simplestack_docs.rest import common_reasons, document, link, operations, reasons
from simplestack_docs.schemas import fields_table, kind
from simplestack_docs.sections import section

_JSON = "application/json"


class Reference(SphinxDirective):
    """``rest-reference``: a section for each entity, with a section for each of its operations."""

    def run(self) -> list[nodes.Node]:
        """Return the sections, in the order of the contract."""
        found: list[nodes.Node] = []
        for tag in document()["tags"]:
            content = [
                self._operation(method, path, operation)
                for method, path, operation in operations()
                if tag["name"] in operation["tags"]
            ]
            if content:
                found.append(
                    section(self, [f"{tag['name']}-operations"], nodes.Text(tag["name"].title()), content)
                )
        return found

    def _operation(self, method: str, path: str, operation: Mapping[str, Any]) -> nodes.section:
        names = operation["x-simplestack-operations"]
        call = f"{method} {path}"
        content: list[nodes.Node] = [code(call, "text")]
        if len(names) == 1:
            content += paragraphs(operation["summary"], link)
        content += paragraphs(operation["description"], link)
        content += self._parameters(operation)
        content += self._body(operation)
        content += self._response(operation)
        content += self._failures(operation)
        content.append(self._having(operation))
        content += self._examples(method, path, names)
        title = ", ".join(names)
        return section(self, names, nodes.literal(title, title), content)

    def _parameters(self, operation: Mapping[str, Any]) -> list[nodes.Node]:
        lines = []
        for its in operation["parameters"]:
            if its.get("in") == "path":
                lines.append(f"- `{{{its['name']}}}`: {its['description']}")
            elif its.get("in") == "query" and its["name"] != "fields":
                lines.append(f"- `?{its['name']}=` ({kind(its['schema'])}): {its['description']}")
        return paragraphs("\n".join(lines))

    def _body(self, operation: Mapping[str, Any]) -> list[nodes.Node]:
        if "requestBody" not in operation:
            return []
        body = operation["requestBody"]
        found: list[nodes.Node] = []
        for media, content in body["content"].items():
            if media != _JSON:
                found.append(paragraph(f"Body, `{media}`: the image, as a stream."))
                continue
            note = "" if body["required"] else " The body is optional."
            for name in _references(content["schema"]):
                schema = document()["components"]["schemas"][name]
                found.append(paragraph(f"Body, JSON, `{name}`: {schema['description']}{note}", link))
                found.append(fields_table(schema, is_body=True, link=link))
        return found

    def _response(self, operation: Mapping[str, Any]) -> list[nodes.Node]:
        status, response = next(iter(operation["responses"].items()))
        parts = [f"Response: {status} {HTTPStatus(int(status)).phrase}"]
        if "content" in response:
            ((media, content),) = response["content"].items()
            parts.append(f" with {_kinds(content['schema']) if media == _JSON else 'a stream of bytes'}")
        if response["description"] != "Success.":
            parts.append(f": {uncapitalized(response['description']).rstrip('.')}")
        parts.append(".")
        if "Location" in response["headers"]:
            parts.append(" `Location` is the path of the new entity.")
        if any(its.get("name") == "fields" for its in operation["parameters"]):
            parts.append(" `?fields=` limits it to the listed fields.")
        return [paragraph("".join(parts), link)]

    def _failures(self, operation: Mapping[str, Any]) -> list[nodes.Node]:
        own = [reason for reason in reasons(operation) if reason not in common_reasons()]
        rows = [
            ([nodes.Text(str(status))], [_error(name)], inline(f"{when[0].upper()}{when[1:]}", link))
            for status, name, when in own
        ]
        return [table(("status", "error", "when"), rows)] if rows else []

    def _examples(self, method: str, path: str, names: Sequence[str]) -> Iterator[nodes.Node]:
        for name in names:
            for found in hypervisors():
                example = read_examples(found).get(name)
                if example is not None:
                    title = f"Example: {found.name}" if len(names) == 1 else f"Example: {found.name}, {name}"
                    yield nodes.raw("", f"<details><summary>{title}</summary>", format="html")
                    yield from _example(method, path.replace("{hypervisor}", found.name), example)
                    yield nodes.raw("", "</details>", format="html")

    def _having(self, operation: Mapping[str, Any]) -> nodes.paragraph:
        by_name = operation["x-simplestack-hypervisors"]
        parts = []
        for name, having in by_name.items():
            which = ", ".join(f"`{hypervisor}`" for hypervisor in having) or "none of those installed"
            parts.append(f"{which} (`{name}`)" if len(by_name) > 1 else which)
        return paragraph(f"Supported by: {'; '.join(parts)}.")


def _references(schema: Mapping[str, Any]) -> list[str]:
    choices = schema.get("anyOf", [schema])
    return [choice["$ref"].rpartition("/")[2] for choice in choices]


def _kinds(schema: Mapping[str, Any]) -> str:
    """Return the types of a response in words, without the types for ``?fields=``."""
    texts = [kind(choice) for choice in schema.get("anyOf", [schema])]
    return " or ".join(text for text in texts if not text.endswith("Fields`"))


def _example(method: str, path: str, example: Example) -> Iterator[nodes.Node]:
    for name, value in example.parameters.items():
        path = path.replace(f"{{{name}}}", quote(value, safe=":"))
    request = "" if example.request is UNSET else f"\n\n{_pretty(example.request)}"
    yield code(f"{method} {path}{request}", "text")
    if example.response is not UNSET:
        yield code(_pretty(example.response), "json")


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _error(name: str) -> nodes.reference:
    return nodes.reference("", "", nodes.literal(name, name), internal=True, refid=f"error-{name}")


def setup(app: Sphinx) -> None:
    """Register the directive."""
    app.add_directive("rest-reference", Reference)
