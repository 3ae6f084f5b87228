"""Questions that vSphere asks about a VM. Each blocks the task that it is about."""

from collections.abc import Callable
from typing import NamedTuple
from xml.etree.ElementTree import Element

from simplestack_vmware.vsphere.connection.faults import child, local_name, text_of


class Choice(NamedTuple):
    """A possible answer."""

    key: str
    label: str


class Question(NamedTuple):
    """A question, in the language of the session."""

    id: str
    text: str
    #: What it is about, in no language, such as ``msg.cdromdisconnect.locked``. Old hosts have none.
    message_ids: tuple[str, ...]
    choices: tuple[Choice, ...]


#: Returns the key of the answer to a question, None to leave it to people.
Answer = Callable[[Question], str | None]


def read_question(element: Element) -> Question:
    """Return the question in a ``VirtualMachineQuestionInfo``."""
    choice = child(element, "choice")
    infos = [] if choice is None else [each for each in choice if local_name(each) == "choiceInfo"]
    return Question(
        text_of(element, "id"),
        text_of(element, "text"),
        tuple(text_of(each, "id") for each in element if local_name(each) == "message"),
        tuple(Choice(text_of(each, "key"), text_of(each, "label")) for each in infos),
    )
