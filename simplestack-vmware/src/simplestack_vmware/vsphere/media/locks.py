"""The question whether to override a guest that has locked its CD drive."""

from simplestack_vmware.vsphere.tasks.questions import Question

_LOCKED = "msg.cdromdisconnect.locked"
_YES = ("yes", "button.yes")


def override_lock(question: Question) -> str | None:
    """Return the answer that overrides the lock of a CD drive, None for any other question.

    vSphere asks this when the medium of a drive is changed that the guest uses. Whoever asks Simplestack for
    the change has answered already. Old hosts have the message's ID in the text alone.
    """
    if _LOCKED not in (question.message_ids or (question.text.partition(":")[0],)):
        return None
    return next((each.key for each in question.choices if each.label.lower() in _YES), None)
