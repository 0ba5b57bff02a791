"""Saying of an alert what it was, so that the store and the camera's model agree about it."""

from stream.clock import utc_now
from stream.review.marking import Marking
from stream.review.store_thread import StoreThread
from stream.store import AlertRecord, Feedback, Verdict


async def judge(store: StoreThread, marking: Marking, record: AlertRecord, verdict: Verdict | None) -> str:
    """Have this hold of the alert in place of what held before; what that changed, in words. May take seconds.

    Only where "normal" is said or taken back the model changes; the rest is for the store alone.

    Raises:
        ReviewError: The model cannot be changed; what was said before still holds.
        StoreError: It is not kept.
    """
    before = await store.ask(lambda opened: opened.verdicts([record.id]).get(record.id))
    if verdict == before:
        return ""
    if "normal" in (verdict, before):
        return await marking.mark(record.id, verdict)
    if verdict is None:
        await store.ask(lambda opened: opened.undo_feedback(record.id, utc_now()))
    else:
        feedback = Feedback(alert_id=record.id, verdict=verdict, utc=utc_now())
        await store.ask(lambda opened: opened.add_feedback(feedback))
    return ""
