"""The state machine of the kit: pure, so that every order of events can be tried without a server."""

from kruntimes.server.machine.book import Book
from kruntimes.server.machine.orders import Accepts, Act, Order, Policy
from kruntimes.server.machine.record import STEPS, Cause, Record, State, Terms, Why

__all__ = ["STEPS", "Accepts", "Act", "Book", "Cause", "Order", "Policy", "Record", "State", "Terms", "Why"]
