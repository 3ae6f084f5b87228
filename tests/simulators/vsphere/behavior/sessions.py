"""``SessionManager``: clients log in and out."""

from pyVmomi import vim

from simulators.vsphere.calls import Call
from simulators.vsphere.methods import method


@method(vim.SessionManager, "Login")
def login(call: Call, user_name: str, password: str, locale: str | None) -> vim.UserSession:
    """Begin a session. A second login in a session is InvalidLogin."""
    if call.session is not None:
        raise vim.fault.InvalidLogin
    session = call.simulator.sessions.log_in(
        user_name, password, locale or "en", call.client.address, call.client.agent
    )
    call.keep_session(session)
    return session.described()


@method(vim.SessionManager, "Logout")
def logout(call: Call) -> None:
    """End the session, and what it has made: property collectors, filters and views."""
    call.simulator.sessions.end(call.own_session)
    call.keep_session(None)


@method(vim.SessionManager, "SessionIsActive")
def session_is_active(call: Call, session_id: str, user_name: str) -> bool:
    """Return whether a session has not ended."""
    found = [session for session in call.simulator.sessions.all() if session.key == session_id]
    return any(session.user == user_name for session in found)


@method(vim.SessionManager, "TerminateSession")
def terminate_session(call: Call, session_id: list[str]) -> None:
    """End other sessions."""
    sessions = {session.key: session for session in call.simulator.sessions.all()}
    for key in session_id:
        if key not in sessions:
            raise vim.fault.NotFound
        call.simulator.sessions.end(sessions[key])
