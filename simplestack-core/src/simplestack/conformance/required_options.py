"""Find missing options that the run needs for the operations of the plugin."""

from simplestack.conformance.kit import Kit


def missing_options(kit: Kit) -> list[str]:
    """Return a line for each missing option, which says what it is for."""
    options = kit.options
    lines = []

    def require(option: str, given: object, hook: str, why: str) -> None:
        if given is None and kit.has(hook):
            lines.append(f"{option}: {kit.hypervisor} implements {hook}, {why}")

    image_or_template = options.image or options.template
    require(
        "--image or --template", image_or_template, "guest_create", "which needs the image of a small guest"
    )
    require("--iso", options.iso, "media_mount", "and ISO images cannot be listed")
    require(
        "--trunk",
        options.trunk,
        "network_vlan_create",
        "whose networks cannot be removed: choose a network for them",
    )
    if not kit.has("guest_export"):
        require("--image-file", options.image_file, "guest_import", "and cannot export an image to import")
    if not kit.has("guest_create"):
        require("--guest", options.guest, "guest_start", "and cannot create guests to start")
    if not kit.has("network_list"):
        require("--network", options.network, "network_interface_create", "and cannot list networks")
    return lines
