"""Clear the frames of errors, so that their variables do not outlive the call."""

from traceback import clear_frames

from simplestack.errors import SimplestackError


def release_frames(error: BaseException) -> None:
    """Clear the local variables of the finished frames of an error, and of those that it was raised from.

    pluggy's frames, and some of core's, refer to the error that they raise. These reference cycles would keep
    everything that the hook held, such as an SDK's handles, until a garbage collection. Errors other than
    SimplestackError are defects: they keep their frames for debuggers.
    """
    if not isinstance(error, SimplestackError):
        return
    link: BaseException | None = error
    seen: set[int] = set()  # an error may have been raised from itself, or from one that was raised from it
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        clear_frames(link.__traceback__)
        link = link.__cause__
