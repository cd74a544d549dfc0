"""The flow inspector put together; None where it is switched off."""

from bff.inspector.flow_recorder import FlowRecorder
from bff.inspector.inspector_house import InspectorHouse
from bff.inspector.recordings import RecordingShelf
from bff.ports import Foundation
from bff.settings import Settings
from bff.web.cookies import asking_recording


def build_inspector(settings: Settings, foundation: Foundation) -> InspectorHouse | None:
    """Put the inspector together, if the settings want one."""
    if settings.inspector == "off":
        return None
    shelf = RecordingShelf(foundation)
    return InspectorHouse(
        shelf=shelf,
        recorder=FlowRecorder(shelf=shelf, clock=foundation.clock, asking=asking_recording),
        operators=frozenset(settings.inspector_operators),
        open_to_all=settings.inspector == "everybody",
    )
