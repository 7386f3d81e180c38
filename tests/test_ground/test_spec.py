from __future__ import annotations

from enum import Enum
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, ValidationError, field_validator, model_validator

from eesim.document import Document
from eesim.errors import InputError
from eesim.spec import OneOf, Spec, SpecError, Written, validate_document
from eesim.units import FrequencyHz, PowerUw, RateHz, Share, TimeNs, UnitError, VoltageUv
from eesim.yamldoc import parse_document


class Governor(Enum):
    FIXED = "fixed"
    ONDEMAND = "ondemand"


class Opp(Spec):
    frequency: FrequencyHz
    voltage: VoltageUv | None = None
    origin: str = Field(alias="from", default="")


class BoardChange(Spec):
    extends: str
    clocks: dict[Literal["B", "L", "G"], FrequencyHz] = Field(default_factory=dict)
    opps: tuple[Opp, ...] = ()


class Periodic(Spec):
    kind: Literal["periodic"]
    rate: RateHz
    jitter: TimeNs = 0


class Poisson(Spec):
    kind: Literal["poisson"]
    rate: Annotated[RateHz, Field(le=1000)]


class Trace(Spec):
    kind: Literal["trace"]
    path: Path
    poisson: Periodic | None = None


Arrivals = Annotated[Periodic | Poisson | Trace, OneOf()]


class Run(Spec):
    frames: int = Field(ge=1)
    warmup: Annotated[Literal["auto", "none"] | TimeNs | int, OneOf()] = "auto"
    replications: Annotated[int, Field(ge=1, le=1000)] = 10
    seeds: Annotated[tuple[int, ...], Field(min_length=1, max_length=3)] = (1,)

    @model_validator(mode="after")
    def _enough(self) -> Run:
        if len(self.seeds) > self.replications:
            raise SpecError([(("seeds", self.replications), "more seeds than replications")])
        return self


class Stream(Spec):
    arrivals: Arrivals
    more: tuple[Arrivals, ...] = ()


class Scenario(Spec):
    eesim: Literal[1]
    board: Annotated[Annotated[str, Written("the name of a board")] | BoardChange, OneOf()]
    stream: Stream
    run: Run = Run(frames=100)
    governor: Governor = Governor.FIXED
    scale: float = 1.0
    contention: bool = True
    loss: Share = Fraction(0)
    idle: Annotated[PowerUw, Field(gt=0)] = 1
    slots: Annotated[str | list[int] | None, OneOf()] = None
    # words of pydantic's schemas must work as names of fields
    type: int = 0
    fields: dict[str, int] = Field(default_factory=dict)
    config: int = 0

    @field_validator("scale")
    @classmethod
    def _positive(cls, scale: float) -> float:
        if scale <= 0:
            raise UnitError("must be above 0", "1")
        return scale

    @model_validator(mode="after")
    def _fits(self) -> Scenario:
        found: list[tuple[tuple[str | int, ...], str, str]] = []
        if isinstance(self.stream.arrivals, Trace) and self.run.replications > 1:
            found.append((("run", "replications"), "a trace can be replayed only once", "1"))
            found.append((("stream", "arrivals", "path"), "is replayed more than once", ""))
        if found:
            raise SpecError(found)
        return self


GOOD = """\
eesim: 1
board: {extends: rk3399pro, clocks: {B: 1.8 GHz}, opps: [{frequency: 800 MHz, from: table 2}]}
stream:
  arrivals: {kind: periodic, rate: 30 Hz}
  more:
    - {kind: poisson, rate: 1/min}
run: {frames: 100, warmup: 2 s}
governor: ondemand
scale: 2
loss: 5 %
slots: [1, 2]
fields: {a: 1}
"""


def problems(text: str, model: type[Spec] = Scenario) -> list[str]:
    with pytest.raises(InputError) as caught:
        validate_document(model, parse_document(text, "s.yaml"))
    return [str(problem) for problem in caught.value.problems]


def test_a_good_document() -> None:
    scenario = validate_document(Scenario, parse_document(GOOD, "s.yaml"))
    assert isinstance(scenario.board, BoardChange)
    assert scenario.board.clocks == {"B": 1_800_000_000}
    assert scenario.board.opps == (Opp(**{"frequency": "800 MHz", "from": "table 2"}),)
    assert scenario.stream.more == (Poisson(kind="poisson", rate="1/min"),)
    assert scenario.run.warmup == 2 * 10**9
    assert scenario.governor is Governor.ONDEMAND
    assert scenario.scale == 2.0
    assert scenario.loss == Fraction(1, 20)
    assert scenario.slots == [1, 2]
    with pytest.raises(ValidationError, match="frozen"):
        scenario.scale = 3.0  # type: ignore[misc]


@pytest.mark.parametrize(
    ("warmup", "expected"), [("none", "none"), ("5", 5), ("0.5 s", 500_000_000), ("1 ms", 1_000_000)]
)
def test_words_quantities_and_numbers_share_a_field(warmup: str, expected: object) -> None:
    run = validate_document(Run, parse_document(f"frames: 1\nwarmup: {warmup}", "f"))
    assert run.warmup == expected


def test_every_problem_at_once_with_its_line() -> None:
    text = """\
eesim: 2
boord: x
board: {extend: rk3399pro, clocks: {B: 1800, X: 1 GHz}, opps: [{frequency: 1.8 ghz, form: a}, {}, 5]}
stream:
  arrivals: {kind: peroidic, rate: 30 Hz}
  more:
    - {rate: 3 Hz}
    - {kind: periodic, rate: 30, jiter: 1 ms}
    - trace
    - {kind: poisson, rate: 2 kHz}
    - {kind: trace, poisson: {kind: periodic}}
run:
  frames: 0
  warmup: atuo
  replications: 1e3
  seeds: [1, "2", 3.5, true]
governor: on-demand
scale: "2"
contention: yes
loss: 5
idle: 0 W
slots: {}
type: 1.5
fields: {a: x}
config:
"""
    assert problems(text) == [
        "s.yaml:1: eesim: must be 1, not 2",
        "s.yaml:2: boord: unknown key (did you mean board?)",
        "s.yaml:3: board.extends: missing",
        "s.yaml:3: board.clocks.B: needs a unit: Hz, kHz, MHz or GHz (did you mean 1800 MHz?)",
        "s.yaml:3: board.clocks.X: unknown key: must be one of B, L, G",
        "s.yaml:3: board.opps.0.frequency: unknown unit 'ghz': must be Hz, kHz, MHz or GHz (did you mean 1.8 GHz?)",
        "s.yaml:3: board.opps.0.form: unknown key (did you mean from?)",
        "s.yaml:3: board.opps.1.frequency: missing",
        "s.yaml:3: board.opps.2: must be a mapping, not 5",
        "s.yaml:3: board.extend: unknown key (did you mean extends?)",
        "s.yaml:5: stream.arrivals.kind: 'peroidic' is not one of periodic, poisson, trace (did you mean periodic?)",
        "s.yaml:7: stream.more.0.kind: missing: must be one of periodic, poisson, trace",
        "s.yaml:8: stream.more.1.rate: needs a unit: fps, /s, /min, /h, Hz or kHz (did you mean 30 fps?)",
        "s.yaml:8: stream.more.1.jiter: unknown key (did you mean jitter?)",
        "s.yaml:9: stream.more.2: must be a mapping, not 'trace'",
        "s.yaml:10: stream.more.3.rate: must be at most 1000",
        "s.yaml:11: stream.more.4.path: missing",
        "s.yaml:11: stream.more.4.poisson.rate: missing",
        "s.yaml:13: run.frames: must be at least 1",
        "s.yaml:14: run.warmup: must be auto, none, a time such as 8.09 ms or a whole number, not 'atuo'"
        " (did you mean auto?)",
        "s.yaml:15: run.replications: must be a whole number, not 1000.0 (did you mean 1000?)",
        "s.yaml:16: run.seeds.1: must be a whole number, not '2' (did you mean 2?)",
        "s.yaml:16: run.seeds.2: must be a whole number, not 3.5",
        "s.yaml:16: run.seeds.3: must be a whole number, not true",
        "s.yaml:17: governor: 'on-demand' is not one of fixed, ondemand (did you mean ondemand?)",
        "s.yaml:18: scale: must be a number, not '2' (did you mean 2?)",
        "s.yaml:19: contention: must be true or false, not 'yes' (did you mean true?)",
        "s.yaml:20: loss: 5 is above the limit of 100 % (did you mean 5 %?)",
        "s.yaml:21: idle: must be above 0",
        "s.yaml:22: slots: must be text, a list or null, not a mapping",
        "s.yaml:23: type: must be a whole number, not 1.5",
        "s.yaml:24: fields.a: must be a whole number, not 'x'",
        "s.yaml:25: config: must be a whole number, not empty",
    ]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("board: 5", "board: must be the name of a board or a mapping, not 5"),
        ("board:", "board: must be the name of a board or a mapping, not empty"),
        ("board: [a]", "board: must be the name of a board or a mapping, not a list"),
        ("stream: 30 Hz", "stream: must be a mapping, not '30 Hz'"),
        ("stream: {arrivals: }", "stream.arrivals: must be a mapping, not empty"),
        ("stream: {arrivals: [1]}", "stream.arrivals: must be a mapping, not a list"),
        ("stream: {arrivals: {kind: 5}}", "stream.arrivals.kind: 5 is not one of periodic, poisson, trace"),
        ("eesim: true", "eesim: must be 1, not true"),
        ("eesim: 1.0", "eesim: must be 1, not 1.0"),
        ('eesim: "1"', "eesim: must be 1, not '1' (did you mean 1?)"),
        ("run: {frames: 5, warmup: 3.5}", "run.warmup: must be a whole number, not 3.5"),
        (
            "run: {frames: 5, warmup: 3 sec}",
            "run.warmup: unknown unit 'sec': must be s, ms, us, ns, min or h (did you mean 3 s?)",
        ),
        ("run: {frames: 5, seeds: 3}", "run.seeds: must be a list, not 3 (did you mean [3]?)"),
        ("run: {frames: 5, seeds: []}", "run.seeds: must not be empty"),
        ("run: {frames: 5, seeds: [1, 2, 3, 4]}", "run.seeds: must have at most 3 items"),
        (
            "run: {frames: 5, seeds: [1, 2], replications: 1}",
            "run.seeds.1: more seeds than replications",
        ),
        ("run: {frames: true}", "run.frames: must be a whole number, not true"),
        ("run: {frames: 1_000}", "run.frames: must be a whole number, not '1_000' (did you mean 1000?)"),
        ("run: {frames: 0x10}", "run.frames: must be a whole number, not '0x10' (did you mean 16?)"),
        ('run: {frames: "20,000"}', "run.frames: must be a whole number, not '20,000' (did you mean 20000?)"),
        ("scale: -1", "scale: must be above 0 (did you mean 1?)"),
        ("contention: 1", "contention: must be true or false, not 1 (did you mean true?)"),
        ("contention: False", "contention: must be true or false, not 'False' (did you mean false?)"),
        ("governor:", "governor: is empty: must be one of fixed, ondemand"),
        ("slots: [1, a]", "slots.1: must be a whole number, not 'a'"),
        ("loss: lots", "loss: 'lots' is not a share such as 5 %"),
        ("idle: -1 mW", "idle: -1 mW is negative"),
    ],
)
def test_one_mistake_gives_one_problem(line: str, problem: str) -> None:
    key = line.partition(":")[0]
    lines = {
        "eesim": "eesim: 1",
        "board": "board: rk3399pro",
        "stream": "stream: {arrivals: {kind: periodic, rate: 30 Hz}}",
        key: line,
    }
    number = list(lines).index(key) + 1
    assert problems("\n".join(lines.values())) == [f"s.yaml:{number}: {problem}"]


def test_text_where_numbers_and_booleans_were_written() -> None:
    assert problems("extends: 5\nopps: [{frequency: 1 Hz, from: true}]", BoardChange) == [
        's.yaml:1: extends: must be text, not 5 (did you mean "5"?)',
        's.yaml:2: opps.0.from: must be text, not true (did you mean "true"?)',
    ]


def test_cross_field_problems_are_reported_together_where_they_are() -> None:
    text = GOOD.replace("{kind: periodic, rate: 30 Hz}", "\n    kind: trace\n    path: a.csv")
    assert problems(text) == [
        "s.yaml:6: stream.arrivals.path: is replayed more than once",
        "s.yaml:9: run.replications: a trace can be replayed only once (did you mean 1?)",
    ]


def test_problems_of_a_merged_document_point_into_both_files() -> None:
    base = parse_document("extends: x\nclocks:\n  B: 1800\nopps: []\n", "board.yaml")
    scenario = parse_document("eesim: 1\nboard:\n  extends: y\n  clocks: {L: 1400}\n  opp: 3\n", "s.yaml")
    document = base.merged(scenario.sub(("board",))).with_value(("clocks", "G"), 800)
    with pytest.raises(InputError) as caught:
        validate_document(BoardChange, document)
    assert [str(problem) for problem in caught.value.problems] == [
        "--set: board.clocks.G: needs a unit: Hz, kHz, MHz or GHz (did you mean 800 MHz?)",
        "board.yaml:3: clocks.B: needs a unit: Hz, kHz, MHz or GHz (did you mean 1800 MHz?)",
        "s.yaml:4: board.clocks.L: needs a unit: Hz, kHz, MHz or GHz (did you mean 1400 MHz?)",
        "s.yaml:5: board.opp: unknown key (did you mean opps?)",
    ]


def test_python_data_and_python_objects() -> None:
    data = {"eesim": 1, "board": "x", "stream": {"arrivals": {"kind": "periodic", "rate": "1 Hz"}}}
    scenario = validate_document(Scenario, Document.of(data))
    built = Scenario(
        eesim=1,
        board="x",
        stream=Stream(arrivals=Periodic(kind="periodic", rate="1 Hz")),
    )
    assert built == scenario
    with pytest.raises(ValidationError, match="board: missing; stream: missing"):
        Scenario(eesim=1)  # type: ignore[call-arg]
    with pytest.raises(InputError, match="<python>: stream: must be a mapping, not 3"):
        validate_document(Scenario, Document.of(data | {"stream": 3}))


class Tree(Spec):
    name: str
    children: tuple[Tree, ...] = ()


class Wood(Tree):
    rate: Annotated[str | Arrivals, OneOf()] = ""


def test_models_inside_themselves_and_inherited() -> None:
    text = "name: a\nchildren:\n  - {name: 1, chldren: []}\n  - name: b\n    children: [{nme: c}]\nrte: x\nrate: {}\n"
    assert problems(text, Wood) == [
        's.yaml:3: children.0.name: must be text, not 1 (did you mean "1"?)',
        "s.yaml:3: children.0.chldren: unknown key (did you mean children?)",
        "s.yaml:5: children.1.children.0.name: missing",
        "s.yaml:5: children.1.children.0.nme: unknown key (did you mean name?)",
        "s.yaml:6: rte: unknown key (did you mean rate?)",
        "s.yaml:7: rate.kind: missing: must be one of periodic, poisson, trace",
    ]


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        (str | int, "Bad: a union needs OneOf"),
        (Annotated[Periodic | Poisson, Field(discriminator="kind")], "Bad: a union needs OneOf"),
        (Annotated[str | TimeNs, OneOf()], "cannot tell apart: text, a time such as 8.09 ms"),
        (Annotated[Periodic | Opp, OneOf()], "cannot tell apart: a mapping, a mapping"),
        (Annotated[int | float, OneOf()], "cannot tell apart: a whole number, a number"),
        (Annotated[str | complex, OneOf()], "cannot tell the shape of <class 'complex'>"),
    ],
)
def test_unions_that_cannot_work_are_refused_when_the_model_is_made(annotation: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        type("Bad", (Spec,), {"__annotations__": {"field": annotation}})


def test_line_numbers_of_paths_with_odd_keys() -> None:
    assert problems('extends: x\nclocks: {"a\\nb": 1 GHz, "": 1}', BoardChange)[0] == (
        r"s.yaml:2: clocks.'a\nb': unknown key: must be one of B, L, G"
    )
