"""How a benchmark's figure is read, and judged against its goal."""

from __future__ import annotations

from dynamolab import bench, labs


def entry(name: str, **more: object) -> dict[str, object]:
    return {
        "name": name,
        "run_name": name,
        "run_type": "iteration",
        "real_time": 2.0,
        "time_unit": "ms",
    } | more


def figures(*entries: dict[str, object]) -> list[bench.Figure]:
    return list(bench.figures_of({"benchmarks": list(entries)}))


def test_own_goal_of_a_program() -> None:
    fast = entry("worlds/real_time", items_per_second=5e5, goal=4e5, at_least=1)
    slow = entry("worlds", items_per_second=3e5, goal=4e5, at_least=1)
    assert [figure.met for figure in figures(fast, slow)] == [True, False]
    assert figures(fast)[0].name == "worlds"


def test_time_is_judged_in_microseconds() -> None:
    figure = figures(entry("nodes", items_per_second=1.0, goal=1999.0))[0]
    assert (figure.value, figure.unit, figure.met) == (2000.0, "µs", False)


def test_figure_without_a_goal_is_only_shown() -> None:
    assert figures(entry("plain"))[0].met is None


def test_median_of_repetitions_counts() -> None:
    mean = entry("x_mean", run_name="x", run_type="aggregate", aggregate_name="mean")
    median = entry("x_median", run_name="x", run_type="aggregate", aggregate_name="median")
    assert [figure.name for figure in figures(mean, median)] == ["x"]


def test_failed_benchmark_has_not_met_its_goal() -> None:
    figure = figures(entry("x", error_occurred=True, error_message="no host"))[0]
    assert (figure.met, figure.note) == (False, "no host")


def test_document_fits_its_schema() -> None:
    document = {"benchmarks": [f.document() for f in figures(entry("a"), entry("b", goal=1.0))]}
    labs.validate(document, "bench.schema.json", "bench")
