"""Questions that VMs ask, and ``AnswerVM``."""

import uuid
from typing import Any

from pyVmomi import vim, vmodl

from simulators.vsphere.calls import Call
from simulators.vsphere.methods import method
from simulators.vsphere.tasks import Running
from simulators.vsphere.vmx_files import place_name

Operation = vim.vm.device.VirtualDeviceSpec.Operation
_YES, _NO = "0", "1"
_LOCKED = "msg.cdromdisconnect.locked"
_LOCKED_TEXT = (
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


def ask_ordered(call: Call, running: Running) -> None:
    """Ask the question that was ordered for a VM, if one was.

    :raises GenericVmConfigFault: the answer is no
    """
    message = call.simulator.guests.take_question(call.target)
    if message is not None and _ask(call, running, message, f"The virtual machine asks {message}.") == _NO:
        raise vim.fault.GenericVmConfigFault(reason=f"The answer to {message} was no.")


def ask_to_open(call: Call, running: Running, changes: list[Any]) -> None:
    """Ask whether to override the lock if changes open a CD drive that the guest has locked.

    :raises GenericVmConfigFault: the answer is no
    """
    vm = call.target
    if not call.simulator.guests.locks_cd(vm):
        return
    drives = {
        each.key: each
        for each in vm["config.hardware.device"]
        if isinstance(each, vim.vm.device.VirtualCdrom) and each.connectable and each.connectable.connected
    }
    opened = [
        drives[change.device.key]
        for change in changes
        if change.operation == Operation.edit
        and change.device.key in drives
        and _opens(drives[change.device.key], change.device)
    ]
    if opened and _ask(call, running, _LOCKED, _LOCKED_TEXT) == _NO:
        place = place_name(vm["config"], opened[0])
        raise vim.fault.GenericVmConfigFault(
            reason=f"Connection control operation failed for disk '{place}'."
        )


def _opens(drive: Any, wanted: Any) -> bool:
    """Return whether a change takes the medium out of a drive."""
    if wanted.connectable is not None and not wanted.connectable.connected:
        return True
    if wanted.backing is None:
        return False
    names = [getattr(each, "fileName", None) for each in (drive.backing, wanted.backing)]
    return type(drive.backing) is not type(wanted.backing) or names[0] != names[1]


def _ask(call: Call, running: Running, message: str, text: str) -> str:
    vm = call.target
    choices = [
        vim.ElementDescription(label=label, summary=label, key=key)
        for key, label in ((_YES, "button.yes"), (_NO, "button.no"))
    ]
    identity = str(uuid.uuid4())
    vm["runtime.question"] = vim.vm.QuestionInfo(
        id=identity,
        text=text,
        choice=vim.option.ChoiceOption(choiceInfo=choices, defaultIndex=1),
        message=[vim.vm.Message(id=message, text=text)],
    )
    try:
        running.wait_for(lambda: identity in call.simulator.guests.answers)
    finally:
        vm["runtime.question"] = None
    return call.simulator.guests.answers.pop(identity)
