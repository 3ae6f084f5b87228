"""Questions that VMs ask, and ``AnswerVM``."""

import uuid
from typing import Any

from pyVmomi import vim, vmodl

from simulators.vsphere.calls import Call
from simulators.vsphere.database import Object
from simulators.vsphere.methods import method
from simulators.vsphere.tasks import Running

_YES, _NO = "0", "1"
_TEXT = (
    "The guest operating system has locked the CD-ROM door and is probably using the CD-ROM. "
    "Disconnect anyway and override the lock?"
)


@method(vim.VirtualMachine, "AnswerVM")
def answer(call: Call, question_id: str, answer_choice: str) -> None:
    """Answer the question of a VM."""
    question = call.target["runtime.question"]
    if question is None or question.id != question_id:
        raise vim.fault.ConcurrentAccess
    if answer_choice not in {each.key for each in question.choice.choiceInfo}:
        raise vmodl.fault.InvalidArgument(invalidProperty="answerChoice")
    call.simulator.guests.answers[question_id] = answer_choice
    call.target["runtime.question"] = None


def ask_to_open(call: Call, running: Running, changes: list[Any]) -> None:
    """Ask whether to override the lock if changes are about a CD drive that the guest has locked.

    :raises GenericVmConfigFault: the answer is no
    """
    vm = call.target
    locked = {
        each.key
        for each in vm["config.hardware.device"]
        if isinstance(each, vim.vm.device.VirtualCdrom) and each.connectable and each.connectable.connected
    }
    changed = {change.device.key for change in changes if change.operation != "add"}
    if call.simulator.guests.locks_cd(vm) and locked & changed and _ask(call, vm, running) == _NO:
        raise vim.fault.GenericVmConfigFault(reason="Connection control operation failed for disk 'ide0:0'.")


def _ask(call: Call, vm: Object, running: Running) -> str:
    choices = [
        vim.ElementDescription(label=label, summary=label, key=key)
        for key, label in ((_YES, "button.yes"), (_NO, "button.no"))
    ]
    identity = str(uuid.uuid4())
    vm["runtime.question"] = vim.vm.QuestionInfo(
        id=identity,
        text=_TEXT,
        choice=vim.option.ChoiceOption(choiceInfo=choices, defaultIndex=1),
        message=[vim.vm.Message(id="msg.cdromdisconnect.locked", text=_TEXT)],
    )
    try:
        running.wait_for(lambda: identity in call.simulator.guests.answers)
    finally:
        vm["runtime.question"] = None
    return call.simulator.guests.answers.pop(identity)
