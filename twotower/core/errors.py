"""Everything that can go wrong that a listener or an operator can do something about.

TwoTowerError
├─ SourceError             a listening history could not be read
│  ├─ NoSuchUser           a service knows nobody of that name, or keeps what they hear private
│  ├─ UnreadableExport     the file is not one we know, or is damaged; .where names the place
│  ├─ NoMusic              the file was read, and there is no music in it
│  ├─ TooLarge             the file, or what it unpacks to, is beyond the limits
│  ├─ LoginExpired         a service no longer knows this sign-in: sign in again
│  ├─ NotAllowed           a service refuses this person or this server, and waiting won't help
│  ├─ RateLimited          a service wants fewer questions; .retry_after_s says for how long
│  └─ Unreachable          a service doesn't answer, or not in a form that we know
├─ BadProfile              a profile or a line of profile JSON Lines is wrong; .where names it
├─ EmptyProfile            too little is known to place the listener; says what would help
├─ MissingData             raw data, model or assets are not where they were looked for
├─ IncompatibleModel       model files are damaged or come from different training runs
├─ LostProcess             one of the processes that train together is gone, or sees other files
├─ CommunityError          the community could not be opened, read or written
├─ BadName                 a pseudonym that can't be one; says what to change
├─ MayNotJoin              who may not join, or with nothing to store; says what else there is
├─ UnknownCode             no member has this return code
├─ BadReceipt              a file is no receipt of leaving, or not a whole one
└─ TooOften                too many tries in a short time; .retry_after_s says for how long to wait

The message says what to do next.
"""


class TwoTowerError(Exception):
    """A message for the person at the screen; `where` names the place, if there is one."""

    def __init__(self, message: str, *, where: str = "") -> None:
        super().__init__(f"{where}: {message}" if where else message)
        self.where = where


class SourceError(TwoTowerError): ...


class NoSuchUser(SourceError): ...


class UnreadableExport(SourceError): ...


class NoMusic(SourceError): ...


class TooLarge(SourceError): ...


class LoginExpired(SourceError): ...


class NotAllowed(SourceError): ...


class RateLimited(SourceError):
    """`retry_after_s` is how long to wait, in seconds; None where the service doesn't say."""

    def __init__(
        self, message: str, *, where: str = "", retry_after_s: float | None = None
    ) -> None:
        super().__init__(message, where=where)
        self.retry_after_s = retry_after_s


class Unreachable(SourceError): ...


class BadProfile(TwoTowerError): ...


class EmptyProfile(TwoTowerError): ...


class MissingData(TwoTowerError): ...


class IncompatibleModel(TwoTowerError): ...


class LostProcess(TwoTowerError): ...


class CommunityError(TwoTowerError): ...


class BadName(TwoTowerError): ...


class MayNotJoin(TwoTowerError): ...


class UnknownCode(TwoTowerError): ...


class BadReceipt(TwoTowerError): ...


class TooOften(TwoTowerError):
    """`retry_after_s` is how long to wait, in seconds."""

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
