"""Saying of an alert what it was, so that the store and the camera's model agree about it."""

from stream.clock import utc_now
from stream.review.error import ReviewError
from stream.review.marking import Marking
from stream.review.store_thread import StoreThread
from stream.store import AlertRecord, Feedback, Store, Verdict


async def judge(store: StoreThread, marking: Marking, record: AlertRecord, verdict: Verdict | None) -> str:
    """Have this hold of the alert in place of what held before; what that changed, in words. May take seconds.

    Only "normal" touches the model, so only that is said, and taken back, by way of the command line.

    Raises:
        ReviewError: The model cannot be changed; what was said before still holds.
        StoreError: It is not kept.
    """
    before = await store.ask(lambda opened: opened.verdicts([record.id]).get(record.id))
    if verdict == before:
        return ""
    said = ""
    if before == "normal":
        said = await marking.undo(record.id)
    if verdict == "normal":
        return await marking.mark_normal(record.id)
    if verdict == "real":
        feedback = Feedback(alert_id=record.id, verdict="real", utc=utc_now())
        await store.ask(lambda opened: opened.add_feedback(feedback))
    elif before == "real":
        await store.ask(lambda opened: _undo(opened, record.id))
    return said


def _undo(store: Store, alert_id: str) -> None:
    if not store.undo_feedback(alert_id, utc_now()):
        raise ReviewError(f"alert {alert_id}: somebody else has taken back what was said of it: load the page again")
