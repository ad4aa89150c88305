"""``verify doctor``: how this machine computes, found by asking it, and whether the reference can be trusted."""

from numeric.architecture import asked_shapes
from numeric.arithmetics import check_reference
from numeric.blocks import all_blocks
from numeric.formats import MODES
from numeric.machine import UnsupportedNumerics, device_named, probe, use_one_thread
from numeric.rules import probe_elementary
from reports.terminal import examination
from verify.commands.output import Terminal, print_json
from verify.exit_status import HELD
from verify.progress import progress_bars, shown
from verify.run_folder import describe_environment


def examine(*, device: str, as_json: bool) -> int:
    """Probe every mode that the machine has, at the shapes of the blocks, and let the reference test itself. Returns 0."""
    use_one_thread()
    check_reference()
    where = device_named(device)
    shapes = asked_shapes(block.build(block.recipe) for block in all_blocks())
    answers: list[dict[str, object]] = []
    refused: list[dict[str, object]] = []
    with progress_bars() as step:
        for mode in shown(step, "probe the machine", [mode for mode in MODES if where in mode.runs_on]):
            try:
                probed = probe(mode, **shapes, device=where)
            except UnsupportedNumerics as error:
                refused.append({"format": mode.id, "reason": str(error)})
                continue
            given = [(answer, where in mode.emulated_on) for answer in probed.answers]
            if mode.id == mode.activations.name:  # a mode of its own format: asked about its elementary functions, which no other mode changes
                given += [(answer, False) for answer in probe_elementary(mode.activations, where)]
            answers += [{"id": a.id, "format": mode.id, "emulated": emulated, "question": a.question, "answer": a.answer} for a, emulated in given]
    environment = describe_environment(where, []).model_dump(mode="json", exclude={"probes"})
    if as_json:
        print_json({"environment": environment, "reference": "python-flint answered every question with a known answer", "probes": answers, "refused": refused})
    else:
        Terminal().print(examination(environment, answers, refused))
    return HELD
