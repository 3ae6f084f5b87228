"""Plugins that do what no plugin should."""

from pathlib import Path

from support.distributions import install

#: One hook for each way to misbehave.
_WILD = """
import gzip

def connect(target, credentials, settings):
    if target.name == "exits":
        sys.exit("in connect")
    if target.name == "stopped":
        threading.Event().wait()
    return target.name

def disconnect(session):
    if session == "no-logout":
        raise HypervisorTimeout("the host does not answer")

GUEST = Guest(id="1", name="n", cpus=1, memory=1, hdd=1, state=GuestState.STOPPED)

@hookimpl
def guest_list(session):
    threading.Event().wait()

@hookimpl
def host_list(session):
    sys.exit("in a hook")

@hookimpl
def guest_info(session, guest_id):
    return Guest(id=1, name="n", cpus=1, memory="lots", hdd=1, state=GuestState.STOPPED)

@hookimpl
def pool_info(session):
    return Pool(id="1", uuid="1", master="m", used_memory=1, total_memory=1, software_info={"version": "1"})

@hookimpl
def guest_clone(session, guest_id, name):
    time.sleep(3)
    return GUEST

@hookimpl
def guest_delete(session, guest_id):
    raise HypervisorUnavailable("the connection broke")

@hookimpl
def guest_export(session, guest_id):
    def chunks():
        yield b"half of an image"
        raise HypervisorError("the host stopped sending")
    return Export(chunks())

plugin = HypervisorPlugin(name="wild", title="Wild", connect=connect, disconnect=disconnect, hooks=(me,),
                          settings=HypervisorSettings)
"""
_FORGETFUL = """
@hookimpl(wrapper=True)
def operation_call(operation, context):
    result = yield
    return None if context.hypervisor == "wild" and operation == "pool_info" else result
plugin = ServicePlugin(name="forgetful", title="Forgetful", make=lambda settings: me)
"""
_GOOD = """
@hookimpl
def host_list(session):
    return []
plugin = HypervisorPlugin(name="NAME", title="T", connect=lambda t, c, s: None, disconnect=lambda s: None,
                          hooks=(me,), settings=HypervisorSettings)
"""
CONFIG = """
[server]
workers = 2
graceful_timeout_seconds = 5
request_head_timeout_seconds = 2
[hypervisors.mock]
content_bytes = 33_554_432
[hypervisors.wild]
call_timeout_seconds = 2
connect_timeout_seconds = 2
"""


def install_all(folder: Path) -> None:
    """Install the plugins into a folder."""
    install(folder, "wild", _WILD)
    install(folder, "forgetful", _FORGETFUL, "simplestack.services")
    install(folder, "exits", "sys.exit(3)\n" + _GOOD.replace("NAME", "exits"))
    wrong = _GOOD.replace("NAME", "wrong").replace("settings=HypervisorSettings", "settings=dict")
    install(folder, "wrong", wrong)
