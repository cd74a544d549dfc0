"""The inspector put together: the shelf, the recorder, and who may look."""

from dataclasses import dataclass

from bff.inspector.flow_recorder import FlowRecorder
from bff.inspector.recordings import RecordingShelf
from bff.signin.records import Person


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectorHouse:
    """What the doors of the inspector need.

    `open_to_all` is for demo and QA: every browser may be recorded, and look at itself.
    """

    shelf: RecordingShelf
    recorder: FlowRecorder
    operators: frozenset[str]
    open_to_all: bool

    def is_operator(self, person: Person | None) -> bool:
        """Say whether this person may look at every recording."""
        return person is not None and operator_entry(person) in self.operators


def operator_entry(person: Person) -> str:
    """Return what `BFF_INSPECTOR_OPERATORS` has to hold for this person."""
    return f"{person.provider}/{person.subject}"
