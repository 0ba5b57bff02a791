"""The bus: messages from process to process over ZeroMQ, which this package alone touches, and to other machines."""

from stream.bus.lanes import Broker, BusError, End, Endpoints, Publisher, ScoreReceiver, ScoreSender, Subscriber

__all__ = ["Broker", "BusError", "End", "Endpoints", "Publisher", "ScoreReceiver", "ScoreSender", "Subscriber"]
