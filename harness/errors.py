"""The one family of exceptions that this project raises on purpose: each says what is wrong, where, and what to do."""


class HarnessError(Exception):
    """Something the person at the keyboard can mend; its text is the whole message, without a traceback."""

    exit_code = 2
