"""Which options a run cannot do without, given what the plugin implements."""

from simplestack.conformance.kit import Kit


def missing_options(kit: Kit) -> list[str]:
    """Return a line for each option that is missing, which says what needs it."""
    options = kit.options
    lines = []

    def need(option: str, given: object, hook: str, why: str) -> None:
        if given is None and kit.has(hook):
            lines.append(f"{option}: {kit.hypervisor} implements {hook}, {why}")

    image_or_template = options.image or options.template
    need(
        "--image or --template", image_or_template, "guest_create", "which needs a small guest to start from"
    )
    need("--iso", options.iso, "media_mount", "and ISO images cannot be listed")
    need("--trunk", options.trunk, "network_vlan_create", "whose networks stay: choose where they may")
    if not kit.has("guest_export"):
        need("--image-file", options.image_file, "guest_import", "and exports nothing that could be imported")
    if not kit.has("guest_create"):
        need("--guest", options.guest, "guest_start", "and cannot make guests for it")
    if not kit.has("network_list"):
        need("--network", options.network, "network_interface_create", "and lists no networks")
    return lines
