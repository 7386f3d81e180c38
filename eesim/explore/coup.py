"""A mapping as ARM-CO-UP takes it, to be tried on the board."""

from __future__ import annotations

from eesim.scenario.load import Scenario


def coup_command(scenario: Scenario) -> str:
    """Return the options of Run_CO-UP for a scenario's mapping, and the frequency string for its prompt.

    The order string has the runtime's letters (EE-ResNet18 has eight: its Layers.conf splits block 1). Frequencies
    are indices into the operating points, ``{{L-B-G}}``, held for the whole run; threads are the clusters' cores.
    Origin: ARM-CO-UP, branch earlyexit, utils/CommonGraphOptions.cpp and src/graph/GraphManagerPipeline.cpp.

    Returns
    -------
    str
        One line; empty for boards that are not a big.LITTLE cluster pair with single-letter PEs B and L, and where
        segments have clocks of their own.
    """
    board, mapping = scenario.board, scenario.mapping
    if not {"B", "L"} <= set(board.pes) or any(len(name) != 1 for name in board.pes):
        return ""
    if any(clock != mapping.pe_opp_hz[pe] for pe, clock in zip(mapping.pes, mapping.segment_opp_hz, strict=True)):
        return ""
    place = dict(zip(scenario.network.segment_names, mapping.pes, strict=True))
    letters = scenario.network.runtime_letters or scenario.network.segment_names
    order = "".join(place[name] for name in letters)
    indices = [
        str(board.pes[pe].opps.frequencies.index(mapping.pe_opp_hz[pe])) for pe in ("L", "B", "G") if pe in board.pes
    ]
    threads = f"--threads={board.pes['B'].cores} --threads2={board.pes['L'].cores}"
    return f"--order={order} {threads} (frequencies at the prompt: {{{{{'-'.join(indices)}}}}})"
