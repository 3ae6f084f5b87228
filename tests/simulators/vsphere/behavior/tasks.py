"""``Task``: cancelling."""

from pyVmomi import vim

from simulators.vsphere.calls import Call
from simulators.vsphere.methods import method


@method(vim.Task, "CancelTask", privilege="System.View")
def cancel_task(call: Call) -> None:
    """Cancel a task: one's own, or with a privilege any."""
    if call.own_session.user != call.target["info.reason"].userName:
        call.need("Global.CancelTask", call.target)
    call.simulator.tasks.cancel(call.target)
