"""What a daemon writes is repeated until it is acknowledged, and dropped when the Run is another's."""

from kruntimes_core.daemon.instructions import (
    Done,
    Fill,
    Forget,
    Refused,
    Rejected,
    Start,
    Superseded,
    Unwritten,
    Write,
    Written,
)
from kruntimes_core.daemon.server import Code, RunState
from kruntimes_core.model.events import Delivered, Failed, Requeued, Succeeded
from kruntimes_core.model.run import Phase
from tests.builders import at, make_run
from tests.unit.daemon.played import PlayedDaemon, begin, make_status

RUN = make_run(on="a")


def ended(state: int = RunState.SUCCEEDED) -> PlayedDaemon:
    """Return a daemon whose Run has ended and is to be written."""
    daemon = begin()
    daemon.starts(RUN)
    daemon.ends(RUN, state, exit_code=3)
    return daemon


def test_an_end_is_written_until_it_is_acknowledged_and_only_then_forgotten() -> None:
    daemon = ended()
    for pause in (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0):
        daemon.renews()
        daemon.answers(Write, Unwritten("the API did not answer"))
        assert daemon.is_idle
        daemon.passes(pause)
        assert isinstance(daemon.told(Write).event, Succeeded)
    daemon.answers(Write, Written("2"))
    daemon.told(Forget)


def test_one_write_is_under_way_at_a_time() -> None:
    daemon = ended()
    daemon.sees(make_run(on="a", version="2", cancel_requested=True))
    daemon.passes(5.0)
    daemon.told(Write)


def test_a_repeated_end_is_made_for_the_newest_version_of_the_run() -> None:
    daemon = ended()
    daemon.answers(Write, Unwritten("the API did not answer"))
    newer = make_run(on="a", version="7", priority=3)
    daemon.sees(newer)
    daemon.passes(0.1)
    assert daemon.told(Write).run == newer


def test_an_end_that_came_too_late_is_dropped_and_forgotten() -> None:
    daemon = ended()
    daemon.answers(Write, Superseded())
    daemon.told(Forget)
    daemon.sees(make_run(on="a"))
    daemon.passes(9.0)
    assert not daemon.has(Write)


def test_a_run_moved_to_another_member_while_it_runs_is_stopped_here_without_a_word() -> None:
    daemon = begin()
    daemon.starts(RUN)
    daemon.sees(make_run(on="b", version="4", attempt=2, losses=1))
    forget = daemon.told(Forget)
    assert (forget.key, forget.stop) == (RUN.key, True)


def test_a_run_that_somebody_else_ended_is_stopped_here_without_a_word() -> None:
    daemon = begin()
    daemon.starts(RUN)
    daemon.sees(make_run(on="a", version="4", phase=Phase.FAILED))
    assert daemon.told(Forget).stop


def test_its_own_write_seen_before_the_acknowledgement_changes_nothing() -> None:
    daemon = ended()
    daemon.sees(make_run(on="a", version="2", phase=Phase.SUCCEEDED))
    assert [type(order) for order in daemon.open] == [Write, Forget]
    daemon.answers(Write, Written("2"))
    daemon.told(Forget)


def test_a_version_from_before_its_own_write_does_not_bring_the_run_back() -> None:
    daemon = ended()
    daemon.answers(Write, Written("5"))
    daemon.sees(make_run(on="a", version="4"))
    daemon.told(Forget)
    assert daemon.machine.active == 1  # until its server has forgotten it


def test_a_result_the_api_will_never_take_ends_the_run_with_less() -> None:
    daemon = ended()
    daemon.answers(Write, Rejected("status.outputs: too long"))
    daemon.passes(1.0)
    event = daemon.told(Write).event
    assert isinstance(event, Failed)
    assert event.ending.reason == "ResultTooLarge"
    assert "status.outputs: too long" in event.ending.message
    assert "exit code 3" in event.ending.message


def test_a_next_attempt_is_written_until_it_is_acknowledged() -> None:
    daemon = ended(RunState.LOST)
    first = daemon.answers(Write, Unwritten("the API did not answer")).event
    daemon.passes(0.1)
    again = daemon.told(Write).event
    assert isinstance(first, Requeued)
    assert isinstance(again, Requeued)
    assert (again.attempt, again.losses) == (first.attempt, first.losses) == (2, 1)


def test_an_unacknowledged_end_survives_the_loss_of_its_server() -> None:
    daemon = ended()
    daemon.loses_server()
    daemon.answers(Write, Unwritten("the API did not answer"))
    daemon.passes(0.1)
    assert isinstance(daemon.one(Write).event, Succeeded)
    daemon.shakes_hands(make_status("instance-next"))
    daemon.finds()
    daemon.answers(Write, Written("2"))
    assert daemon.is_idle


def test_a_run_assigned_long_ago_is_claimed_before_it_is_started() -> None:
    daemon = begin(late_after=10.0)
    daemon.sees(make_run(on="a", assigned=at(-10.0).wall))
    assert isinstance(daemon.told(Write).event, Delivered)
    daemon.answers(Write, Unwritten("the API did not answer"))
    daemon.passes(0.05)
    assert daemon.is_idle
    daemon.passes(0.05)
    daemon.answers(Write, Written("2"))
    daemon.told(Fill)


def test_a_run_that_grows_old_while_it_is_filled_is_claimed_before_it_is_started() -> None:
    daemon = begin(late_after=4.0)
    daemon.sees(make_run(on="a", assigned=at(-1.0).wall))
    daemon.passes(2.9)
    daemon.told(Fill)
    daemon.passes(0.2)
    assert isinstance(daemon.one(Write).event, Delivered)
    assert not daemon.has(Start)


def test_a_late_acknowledgement_for_one_attempt_leaves_the_next_attempt_alone() -> None:
    daemon = ended(RunState.LOST)
    acknowledged = daemon.told(Write)
    daemon.sees(make_run(on="a", version="4", attempt=2, losses=1))
    daemon.answers(Forget, Done())
    daemon.answers(Fill, Done())
    daemon.answers(Start, Refused(Code.DEADLINE_EXCEEDED))
    daemon.answers(type(acknowledged), Written("2"))
    # It may be running: neither is its workspace filled again, nor is it forgotten that it may be.
    assert not daemon.has(Fill)
    assert isinstance(daemon.told(Write).event, Delivered)
