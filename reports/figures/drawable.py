"""The experiments of a record as far as there is something to draw of them: the judge has a word on what is empty, and a picture has none."""

from reports.record import Experiments


def drawable(found: Experiments) -> Experiments:
    """The same without curves that have no point."""
    identities = ("moved", "factored", "descended", "telescoped")
    return found.model_copy(
        update={
            "figure_1": found.figure_1 if found.figure_1 and found.figure_1.checkpoints else None,
            "layers": [row for row in found.layers if row.steps],
            "figure_3": found.figure_3 if found.figure_3 and found.figure_3.finetuned and found.figure_3.patched else None,
            "dynamics": [row for row in found.dynamics if row.formats and all(getattr(each, name).points for each in row.formats for name in identities)],
            "static_patch": [row for row in found.static_patch if len(row.points) > 1],
            "stacks": [row for row in found.stacks if row.replays and row.replays[0].apart],
        }
    )
