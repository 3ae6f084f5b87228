"""Communication with libvirtd. Nothing here depends on hooks.

It is named after the daemon, since `libvirt` is the SDK. Each package imports those below it in this list:

- `transfer`: exports and imports of guests
- `copies`, `snapshots`: copies of guests; taking snapshots, and reverting to them
- `disks`, `firmware`: the drives of guests, and whose their volumes are; UEFI variables
- `images`, `listing`: what the headers of images say and refer to; the list of all guests
- `networks`, `storage`: networks and interfaces; storage pools and volumes
- `guests`: domains, and what their descriptions tell
- `changes`: changes that leave nothing behind when they fail
- `connection`: transports, sessions, and calls that end in time
"""
