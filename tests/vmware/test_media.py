"""ISO images that are inserted into CD drives and ejected."""

from typing import Any

import pytest
from pyVmomi import vim

from simplestack import Busy, Conflict, EntityNotFound, InvalidState, OperationTimeout
from simplestack_vmware import plugin
from simplestack_vmware.hooks.media import media_info, media_mount, media_unmount
from simplestack_vmware.hooks.power import guest_shutdown, guest_start
from simplestack_vmware.vsphere.connection.faults import Fault
from simplestack_vmware.vsphere.media.locks import override_lock
from simplestack_vmware.vsphere.sessions.session import VmwareSession
from simplestack_vmware.vsphere.tasks.questions import Choice, Question
from simulators.vsphere.faults import Rule
from simulators.vsphere.files import File
from simulators.vsphere.guest_systems import Guests
from support.threads import in_threads
from support.vsphere import Host

from .conftest import Connect
from .test_disks import READ, TASK_CALLS, devices, id_of
from .test_guest_update import changed, reconfigurations

Drive = vim.vm.device.VirtualCdrom


def store_of(host: Host) -> str:
    """Return the datastore that has the ISO images."""
    return "isos" if host.simulator.product.is_vcenter else "datastore1"


def iso_of(host: Host) -> str:
    return "[isos] debian-12.iso" if host.simulator.product.is_vcenter else "[datastore1] iso/debian-12.iso"


def add_file(host: Host, store: str, path: str, kind: Any = "iso") -> str:
    with host.simulator.database.lock:
        host.simulator.files.add(host.find(vim.Datastore, store).id, path, File(kind, 1))
    return f"[{store}] {path}"


def drive(host: Host) -> Any:
    return devices(host.vm(), Drive)[0]


def lock_drive(host: Host) -> None:
    with host.simulator.database.lock:
        host.simulator.guests.set(Guests(vm="vm-1", locks_cd=True))


def question(message: str) -> Any:
    choice = vim.ElementDescription(label="button.yes", summary="", key="0")
    return vim.vm.QuestionInfo(
        id="17",
        text="Did you move it, or did you copy it?",
        choice=vim.option.ChoiceOption(choiceInfo=[choice], defaultIndex=0),
        message=[vim.vm.Message(id=message, text="")],
    )


# What it could do to the data of others


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "..",
        "*.iso",
        "debian-1?.iso",
        "nowhere.iso",
        "DEBIAN-12.ISO",
        "vm-2.vmdk",
        "vm-2/vm-2.iso",
        "[{store}] vm-2/vm-2.vmdk",
        "[{store}] vm-2/vm-2.vmx",
        "[{store}] vm-2/../{path}",
        "[{store}] ./{path}",
        "[{store}] nowhere/debian-12.iso",
        "[{store}] *",
        "[{store}] *.iso",
        "[nowhere] debian-12.iso",
        "[] debian-12.iso",
        "[*] debian-12.iso",
        "'\"<&>.iso",
    ],
)
def test_what_is_no_iso_of_this_name_is_not_mounted(host: Host, log_in: Connect, name: str) -> None:
    session, guest = log_in(host), id_of(host)
    media_mount(session, guest, iso_of(host))
    path = iso_of(host).partition("] ")[2]
    host.calls()
    with pytest.raises(EntityNotFound, match="ISO:"):
        media_mount(session, guest, name.format(store=store_of(host), path=path))
    assert changed(host) == {}
    assert media_info(session, guest).name == iso_of(host)


@pytest.mark.parametrize(
    "name",
    [
        *("..", "../x.iso", "a/x.iso", "x.img", "vm-2.vmdk", "[{store}] vm-2/vm-2-flat.vmdk"),
        *("[{store}] vm-2/../x.iso", "[{store}] ../x.iso", "[{store}] a//x.iso", "[{store}] ./x.iso"),
    ],
)
def test_nothing_is_searched_for_what_cannot_be_an_iso(host: Host, log_in: Connect, name: str) -> None:
    session, guest = log_in(host), id_of(host)
    media_info(session, guest)
    host.calls()
    with pytest.raises(EntityNotFound, match="ISO:"):
        media_mount(session, guest, name.format(store=store_of(host)))
    assert host.calls() == {READ: 1}


def test_a_name_is_no_pattern(host: Host, log_in: Connect) -> None:
    session, guest = log_in(host), id_of(host)
    for name in ("a*.iso", "ab.iso", "a?.iso", "a'\"<&>.iso", "100%25.iso", "UPPER.ISO"):
        path = add_file(host, store_of(host), f"my isos/{name}")
        add_file(host, store_of(host), f"others/x{name}")
        for each in (name, path):
            media_mount(session, guest, each)
            assert media_info(session, guest).name == path
            media_unmount(session, guest)


def test_several_images_of_one_name_are_409_with_their_paths(host: Host, log_in: Connect) -> None:
    session, guest = log_in(host), id_of(host)
    others = [
        add_file(host, store_of(host), "a/debian-12.iso"),
        add_file(host, store_of(host), "b/c/debian-12.iso"),
    ]
    host.calls()
    with pytest.raises(Conflict) as ambiguous:
        media_mount(session, guest, "debian-12.iso")
    for path in (*others, iso_of(host)):
        assert path in ambiguous.value.message
    assert changed(host) == {}
    media_mount(session, guest, others[1])
    assert media_info(session, guest).name == others[1]


def test_another_question_is_409_and_not_answered(host: Host, log_in: Connect) -> None:
    session, guest = log_in(host), id_of(host)
    media_mount(session, guest, iso_of(host))
    guest_start(session, guest)
    host.simulator.faults.add(Rule(method="ReconfigVM_Task", effect="hold"))
    host.calls()
    with in_threads(1) as start:
        ended = start(media_unmount, session, guest)
        with host.simulator.database.lock:
            host.simulator.database.changes.wait_for(
                lambda: any(task["info.state"] == "running" for task in reconfigurations(host)), timeout=20
            )
            host.vm()["runtime.question"] = question("msg.uuid.altered")
        with pytest.raises(Conflict, match="Did you move it, or did you copy it"):
            ended.result()
    made = host.calls()
    assert (made["AnswerVM"], made["CancelTask"]) == (0, 1)
    assert media_info(session, guest).name == iso_of(host)


def test_a_question_that_was_asked_before_is_left_to_whom_it_was_asked(host: Host, log_in: Connect) -> None:
    session, guest = log_in(host), id_of(host)
    media_mount(session, guest, iso_of(host))
    with host.simulator.database.lock:
        host.vm()["runtime.question"] = question("msg.cdromdisconnect.locked")
    host.calls()
    for change in (
        lambda: media_unmount(session, guest),
        lambda: media_mount(session, guest, "guest-tools.iso"),
    ):
        with pytest.raises(Conflict, match="answer it in vSphere first"):
            change()  # type: ignore[no-untyped-call]  # the lambdas have no types
    assert host.calls()["AnswerVM"] == 0
    assert changed(host) == {}


def test_what_others_put_into_the_drive_meanwhile_stays(host: Host, log_in: Connect) -> None:
    session, guest = log_in(host), id_of(host)
    media_mount(session, guest, iso_of(host))
    host.simulator.faults.add(Rule(method="ReconfigVM_Task", effect="hold"))
    with in_threads(1) as start:
        tasks = len(reconfigurations(host))
        ended = start(media_unmount, session, guest)
        with host.simulator.database.lock:
            host.simulator.database.changes.wait_for(lambda: len(reconfigurations(host)) > tasks, timeout=20)
            host.vm()["config"].changeVersion = "of another client"
        host.simulator.faults.clear()
        with pytest.raises(Busy):
            ended.result()
    assert media_info(session, guest).name == iso_of(host)


def test_a_physical_drive_of_the_host_is_not_ejected(host: Host, log_in: Connect) -> None:
    session, guest = log_in(host), id_of(host)
    with host.simulator.database.lock:
        drive(host).backing = Drive.AtapiBackingInfo(deviceName="/vmfs/devices/cdrom/mpx")
        host.vm().touch()
    host.calls()
    media_unmount(session, guest)
    assert changed(host) == {}


def test_templates_keep_their_media(vcenter: Host, session: VmwareSession) -> None:
    template = id_of(vcenter, "debian-12")
    for change in (
        lambda: media_mount(session, template, "debian-12.iso"),
        lambda: media_unmount(session, template),
    ):
        with pytest.raises(InvalidState):
            change()  # type: ignore[no-untyped-call]  # the lambdas have no types
    assert changed(vcenter) == {}


# What it does


def test_an_iso_is_inserted_by_path_or_name_and_ejected(host: Host, log_in: Connect) -> None:
    session, guest = log_in(host), id_of(host)
    store = host.find(vim.Datastore, store_of(host)).id
    path = iso_of(host).partition("] ")[2]
    for is_running in (False, True):
        if is_running:
            guest_start(session, guest)
        for name in (iso_of(host), "debian-12.iso", f"[{store}] {path}", f"[{store_of(host)}]/{path}"):
            for _ in range(2):
                media_mount(session, guest, name)
                assert media_info(session, guest).name == iso_of(host)
            connection = drive(host).connectable
            assert (connection.startConnected, connection.connected) == (True, is_running)
            for _ in range(2):
                media_unmount(session, guest)
                assert media_info(session, guest).name is None
            connection = drive(host).connectable
            assert (connection.startConnected, connection.connected) == (False, False)
            assert isinstance(drive(host).backing, Drive.RemotePassthroughBackingInfo)


def test_one_image_replaces_the_other(host: Host, log_in: Connect) -> None:
    session, guest = log_in(host), id_of(host)
    for name in ("debian-12.iso", "guest-tools.iso"):
        media_mount(session, guest, name)
        shown = media_info(session, guest).name
        assert shown is not None
        assert shown.endswith(name)
    assert len(devices(host.vm(), Drive)) == 1


@pytest.mark.parametrize("change", ["eject", "replace"])
def test_a_drive_that_the_guest_locks_is_changed(host: Host, log_in: Connect, change: str) -> None:
    session, guest = log_in(host), id_of(host)
    guest_start(session, guest)
    media_mount(session, guest, "debian-12.iso")
    lock_drive(host)
    host.calls()
    if change == "eject":
        media_unmount(session, guest)
        assert media_info(session, guest).name is None
    else:
        media_mount(session, guest, "guest-tools.iso")
        assert "guest-tools.iso" in str(media_info(session, guest).name)
    made = host.calls()
    assert (made["AnswerVM"], made["CancelTask"], made["ReconfigVM_Task"]) == (1, 0, 1)
    assert host.vm()["runtime.question"] is None


@pytest.mark.parametrize(
    ("text", "messages", "choices", "answer"),
    [
        (
            "The guest has locked it.",
            ("msg.cdromdisconnect.locked",),
            [("1", "button.no"), ("0", "button.yes")],
            "0",
        ),
        ("msg.cdromdisconnect.locked:The guest has locked it.", (), [("0", "Yes"), ("1", "No")], "0"),
        ("The guest has locked it.", ("msg.cdromdisconnect.locked",), [("0", "Oui"), ("1", "Non")], None),
        ("The guest has locked it.", ("msg.other",), [("0", "Yes"), ("1", "No")], None),
        ("The guest has locked it.", (), [("0", "Yes"), ("1", "No")], None),
        ("msg.other:msg.cdromdisconnect.locked:", (), [("0", "Yes"), ("1", "No")], None),
    ],
)
def test_only_the_question_about_the_lock_has_an_answer(
    text: str, messages: tuple[str, ...], choices: list[tuple[str, str]], answer: str | None
) -> None:
    asked = Question("17", text, messages, tuple(Choice(*each) for each in choices))
    assert override_lock(asked) == answer


def test_a_user_who_may_not_answer_gets_the_question(vcenter: Host, session: VmwareSession) -> None:
    guest = id_of(vcenter)
    guest_start(session, guest)
    media_mount(session, guest, "debian-12.iso")
    lock_drive(vcenter)
    denied = {"object": {"type": "VirtualMachine", "value": "vm-1"}, "privilegeId": "x"}
    vcenter.simulator.faults.add(Rule(method="AnswerVM", fault="NoPermission", properties=denied))
    with pytest.raises(Conflict, match="has locked the CD-ROM door"):
        media_unmount(session, guest)
    assert media_info(session, guest).name == "[isos] debian-12.iso"


@pytest.mark.parametrize("has_ide", [True, False])
def test_a_stopped_guest_without_a_drive_gets_one(host: Host, log_in: Connect, *, has_ide: bool) -> None:
    session, guest = log_in(host), id_of(host)
    gone = (Drive,) if has_ide else (Drive, vim.vm.device.VirtualIDEController)
    with host.simulator.database.lock:
        hardware = host.vm()["config"].hardware
        hardware.device = [each for each in hardware.device if not isinstance(each, gone)]
        host.vm().touch()
    assert media_info(session, guest).name is None
    guest_start(session, guest)
    host.calls()
    media_unmount(session, guest)
    with pytest.raises(InvalidState, match="has no CD drive, while it is STARTED: it must be STOPPED"):
        media_mount(session, guest, "debian-12.iso")
    assert changed(host) == {}
    guest_shutdown(session, guest, force=True)
    for _ in range(2):
        media_mount(session, guest, "debian-12.iso")
        assert media_info(session, guest).name == iso_of(host)
    assert len(devices(host.vm(), Drive)) == 1


def test_a_datastore_that_the_user_may_not_browse_is_left_out(vcenter: Host, session: VmwareSession) -> None:
    guest = id_of(vcenter)
    store = vcenter.find(vim.Datastore, "local-1")
    denied = {"object": {"type": "Datastore", "value": store.id}, "privilegeId": "Datastore.Browse"}
    rule = Rule(method="SearchDatastoreSubFolders_Task", fault="NoPermission", properties=denied)
    vcenter.simulator.faults.add(rule)
    media_mount(session, guest, "debian-12.iso")
    assert media_info(session, guest).name == "[isos] debian-12.iso"


def test_a_search_that_does_not_end_is_cancelled(vcenter: Host, log_in: Connect) -> None:
    session, guest = log_in(vcenter, call_timeout_seconds=1), id_of(vcenter)
    vcenter.simulator.faults.add(Rule(method="SearchDatastoreSubFolders_Task", effect="hold"))
    with pytest.raises(OperationTimeout, match="the search for the ISO image did not end within 1 s"):
        media_mount(session, guest, "debian-12.iso")
    assert vcenter.calls()["CancelTask"] == 1


def test_changes_take_few_calls(either: Host, log_in: Connect) -> None:
    session, guest = log_in(either), id_of(either)
    media_info(session, guest)
    for number in range(300):
        add_file(either, "shared-1", f"folder-{number}/{number}.iso")
    either.calls()
    media_mount(session, guest, "[isos] debian-12.iso")
    made = either.calls()
    assert (made[READ], made["SearchDatastore_Task"], made["ReconfigVM_Task"]) == (1, 1, 1)
    assert made.total() <= 3 + 2 * TASK_CALLS, made
    media_unmount(session, guest)
    made = either.calls()
    assert (made[READ], made["ReconfigVM_Task"]) == (1, 1)
    assert made.total() <= 2 + TASK_CALLS, made
    media_mount(session, guest, "debian-12.iso")
    made = either.calls()
    stores = 3  # of the guest's host: the folders and files in them do not count
    assert (made[READ], made["SearchDatastoreSubFolders_Task"], made["ReconfigVM_Task"]) == (1, stores, 1)
    assert made["CreateFilter"] == 2
    # Each search may end on its own.
    assert made.total() <= 2 + stores + 2 * TASK_CALLS + stores, made


def test_of_two_images_at_once_one_is_in_the_drive(host: Host, log_in: Connect) -> None:
    session, guest = log_in(host), id_of(host)

    def mount(name: str) -> Exception | None:
        try:
            media_mount(session, guest, name)
        except (Busy, Fault) as error:
            return error
        return None

    with in_threads(2) as start:
        ended = [start(mount, name) for name in ("debian-12.iso", "guest-tools.iso")]
    errors = [each.result() for each in ended if each.result() is not None]
    assert len(errors) < 2
    assert all(isinstance(each, Busy) or isinstance(plugin.translate(each), Busy) for each in errors)
    assert media_info(session, guest).name is not None
